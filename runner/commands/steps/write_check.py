"""Tries all that a run writes beside its state file, before anything is paid for; the state file is open by then.

What is tried goes through the same functions as the run itself: the clips' delivery, the reports, the log.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate
from runner.media.clips.folder import NameConflict
from runner.media.clips.ownership import try_clip
from runner.media.clips.sidecar import CLIPS
from runner.output.write_reports import reports_of
from runner.store.database import refuse_long
from runner.store.open_file import draft_of
from runner.store.run_dir import RunDir
from runner.system.private_files import make_folder, open_private, try_writing

LONG_PATH = 260
"""Characters; many programs on Windows take no longer path."""

_SHORTEST = 12
_ADVICE = "move away what is in the way, or put the whole run elsewhere with --run-dir"


def try_run_dir(place: RunDir, stems: Collection[str], *, download: bool) -> tuple[str, ...]:
    """Write and remove what a run will write into its folder; `clips/` and `run.log` stay.

    `stems` are the names of its clips without their endings.

    Raises:
        CannotCreate: a file or folder cannot be made, or something else has its name.
        DiskFailed: the disk is full or failing.
    """
    os.close(open_log(place))
    _try_reports(place.path, shown=place)
    return _try_clips(place.path / CLIPS, stems, shown=place) if download else ()


def look_ahead(place: RunDir, stems: Collection[str], *, download: bool) -> tuple[str, ...]:
    """Return or raise what `try_run_dir` would, and leave nothing behind.

    What is not there yet is tried in a folder beside it whose path is as long.
    """
    with _translated(place.path), _stand_in(place.path) as folder:
        if not os.path.lexists(place.state_file):
            refuse_long(draft_of(place.state_file))
        if os.path.lexists(place.log):
            os.close(open_log(place))
        _try_reports(folder, shown=place)
        if not download:
            return ()
        with _stand_in(folder / CLIPS) as clips:
            return _try_clips(clips, stems, shown=place)


def open_log(place: RunDir) -> int:
    """Return a descriptor of the run's log, to append to; raises as `try_run_dir`."""
    with _translated(place.log):
        return open_private(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _try_clips(clips: Path, stems: Collection[str], *, shown: RunDir) -> tuple[str, ...]:
    with _translated(shown.path / CLIPS):
        longest = len(str((shown.path / CLIPS / try_clip(clips, stems)).absolute()))
    many = f"the longest path of a clip has {longest} characters; many programs on Windows take {LONG_PATH}"
    return (many,) if longest > LONG_PATH else ()


def _try_reports(folder: Path, *, shown: RunDir) -> None:
    reports = reports_of(folder)
    for path in (reports.csv, reports.html):
        with _translated(shown.path / path.name):
            try_writing(path)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except NameConflict as error:
        raise CannotCreate(f"{path}: {error}", advice=_ADVICE) from error
    except OSError as error:
        raise file_error(error, path, "cannot be written", advice=_ADVICE) from error


@contextmanager
def _stand_in(path: Path) -> Iterator[Path]:
    """Yield `path`, or where nothing is there a folder that is made in its stead and removed again."""
    missing = [each for each in (path, *path.parents) if not os.path.lexists(each)]
    if not missing:
        yield path
        return
    top = missing[-1]
    name = f".{secrets.token_hex(128)}"[: max(len(os.fsencode(top.name)), _SHORTEST)]
    stand_in = top.with_name(name)
    try:
        make_folder(folder := stand_in / path.relative_to(top))
        yield folder
    finally:
        shutil.rmtree(stand_in, ignore_errors=True)
