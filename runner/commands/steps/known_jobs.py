"""What is known of a run outside its state file: its witnesses, the sidecars of its clips, and other traces.

All of it is read before the state file is, so that a run that goes on meanwhile only adds to it.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import NEW_RUN, FlagRequired, StateFileUnusable
from runner.domain.states import Accepted, SubmissionStarted
from runner.media.clips.clip_names import stem_of
from runner.media.clips.folder import MOST_BYTES
from runner.media.clips.sidecar import CLIPS, FORMAT, Sidecar, is_trial, read_sidecar
from runner.store.location import machine_id
from runner.store.marker import MARKER, read_marker, went_to
from runner.store.reader import read_heard
from runner.store.run_dir import REPORT, RunDir
from runner.store.witness import (
    NOTHING_HEARD,
    Sent,
    Testimony,
    beside,
    holds_all,
    key_of,
    outside,
    read_witness,
)
from runner.system.escapes import command_line
from runner.system.private_files import open_private

_HEAD_BYTES = 1024
# As `Sidecar.to_bytes` writes it.
_HEAD = re.compile(
    rb'\{\n  "format": "%s",\n  "take": ("(?:[^"\\]|\\.)*"),\n  "request_id": ("(?:[^"\\]|\\.)*"),'
    % re.escape(FORMAT.encode())
)


def second_places(environ: Mapping[str, str], run_dir: Path) -> tuple[Path, ...]:
    """Return folders of the user's own for ids that the run directory's disk does not take, other disks first.

    They are those of the XDG base directories for state and for the time of the login. The latter is lost at the next
    start of the machine, but better than nothing.
    """
    state, home, login = (
        Path(environ.get(name, "")) for name in ("XDG_STATE_HOME", "HOME", "XDG_RUNTIME_DIR")
    )
    # Relative ones are to be ignored, says the XDG Base Directory Specification.
    roots = [state if state.is_absolute() else home / ".local" / "state", login]
    folders = [root / "shotrunner" for root in roots if root.is_absolute()]
    here = _device(run_dir)
    return tuple(sorted(folders, key=lambda folder: _device(folder) == here))


def _device(path: Path) -> int | None:
    """Return the number of the file system that `path` lies on, or would."""
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            return place.stat().st_dev
    return None


def _witnesses_outside(run_dir: RunDir, environ: Mapping[str, str]) -> list[Path]:
    return outside(second_places(environ, run_dir.path), run_dir.path, machine_id())


def known_outside(run_dir: RunDir, environ: Mapping[str, str], *, whole: bool = False) -> Sequence[Testimony]:
    """Return what the witness beside the state file, those in the user's own folders, and the sidecars know.

    `environ` names the user's folders. Of a sidecar only its head is read, with the take and the request id; all of it
    if `whole`.

    Raises:
        CannotCreate: the folder itself cannot be read, or its path is too long.
        StateFileUnusable: one of the witnesses cannot be read.
    """
    beside_it = beside(run_dir.state_file)
    found = []
    # The note is older than all that is read after it, so a run that goes on meanwhile does no harm.
    heard = NOTHING_HEARD if whole else read_heard(run_dir.state_file)
    for path in (beside_it, *_witnesses_outside(run_dir, environ)):
        try:
            testimony = read_witness(path, heard=heard)
        except OSError as error:
            if path != beside_it:
                # A folder of the user's that nothing can be read from says nothing.
                continue
            if error.errno == errno.ENAMETOOLONG or not os.access(run_dir.path, os.R_OK | os.X_OK):
                raise file_error(error, run_dir.path, "cannot be read") from error
            raise StateFileUnusable(
                f"{path}: {error.strerror or error}, and what it knows of paid jobs cannot be read",
                advice="move away what stands there, or make it readable, then give the same command again",
            ) from error
        found += [testimony] if testimony else []
    changed = _changed_at(run_dir.path / CLIPS)
    if changed.items() <= heard.extents.items():
        return found
    since = max((heard.extents.get(key, 0) for key in changed), default=0)
    sidecars = tuple(_told_by_sidecars(run_dir, whole=whole, since=since))
    return [*found, Testimony(sent=sidecars)] if sidecars else found


def heard_now(run_dir: RunDir, environ: Mapping[str, str]) -> Mapping[str, int]:
    """Return the extents of what lies outside the record, for its own runner: all of it comes from the record.

    A witness of another run counts as unknown when it is read, and so does one in which something was left aside.
    """
    extents = dict(_changed_at(run_dir.path / CLIPS))
    for path in (beside(run_dir.state_file), *_witnesses_outside(run_dir, environ)):
        with suppress(OSError):
            if holds_all(path):
                found = path.stat()
                extents[key_of(found)] = found.st_size
    return extents


def _changed_at(folder: Path) -> Mapping[str, int]:
    """Return the time (ns) at which a name in `folder` last changed, by the folder's key; nothing if unknown.

    It is the time that no program can set, so a file that was moved here later has a later one.
    """
    with suppress(OSError):
        found = folder.stat()
        return {key_of(found): found.st_ctime_ns}
    return {}


def _told_by_sidecars(run_dir: RunDir, *, whole: bool = False, since: int = 0) -> Iterator[Sent]:
    """Yield what each sidecar that changed since `since` (ns) says, or its head alone unless `whole`.

    Of one that is damaged behind its head the head counts in both, or one reader would ask for what the other denies.
    """
    for path in _sidecar_paths(run_dir, since=since):
        sent = _head(path)
        if (whole or sent is None) and (sidecar := _sidecar(path)) is not None:
            model, fingerprint = (str(sidecar.about.get(name, "")) for name in ("model", "fingerprint"))
            sent = Sent("", sidecar.take, model, fingerprint, request_id=sidecar.request_id)
        if sent is not None and not is_trial(sent.take, sent.request_id):
            yield sent


def sidecars_of(run_dir: RunDir) -> Iterator[Sidecar]:
    """Yield each sidecar beside the clips; any other file, and what a kill left of a trial, is passed over."""
    for path in _sidecar_paths(run_dir):
        sidecar = _sidecar(path)
        if sidecar is not None and not is_trial(sidecar.take, sidecar.request_id):
            yield sidecar


def _sidecar_paths(run_dir: RunDir, *, since: int = 0) -> Iterator[str]:
    with suppress(OSError), os.scandir(run_dir.path / CLIPS) as entries:
        for entry in entries:
            if not entry.name.endswith(".json") or entry.name.startswith("."):
                continue
            if not since or entry.stat(follow_symlinks=False).st_ctime_ns >= since:
                yield entry.path


def _head(path: str) -> Sent | None:
    found = _HEAD.match(_read(path, _HEAD_BYTES))
    # A damaged file has a head like ours at times, and is passed over.
    with suppress(ValueError):
        return found and Sent(take=_whole(json.loads(found[1])), request_id=_whole(json.loads(found[2])))
    return None


def _sidecar(path: str) -> Sidecar | None:
    text = _read(path, MOST_BYTES)
    with suppress(ValueError, RecursionError, KeyError, TypeError):
        take = _whole(str(json.loads(text)["take"]))
        # An older program gave the sidecar of a clip on its way another name than its files.
        stems = (stem_of(Path(path).name), take)
        sidecar = next(filter(None, (read_sidecar(text, take=take, stem=stem) for stem in stems)), None)
        if sidecar is not None:
            _whole(sidecar.request_id)
        return sidecar
    return None


def _whole(text: str) -> str:
    """Return the text as it is; ValueError if it holds half a surrogate pair, which no record could hold."""
    text.encode()
    return text


def _read(path: str | Path, limit: int) -> bytes:
    """Return the first `limit` bytes of a plain file; nothing for anything else."""
    with suppress(OSError):
        descriptor = open_private(path)
        try:
            return os.read(descriptor, limit)
        finally:
            os.close(descriptor)
    return b""


def trace_in(run_dir: RunDir) -> str:
    """Return what in a folder without a state file says that a run was here and sent something; empty if nothing does.

    A folder with files of other kinds, or with an empty log, is a new one.
    """
    state_file, report = run_dir.state_file, run_dir.path / REPORT
    if read_marker(state_file) is not None:
        return MARKER
    companions = (state_file.with_name(f"{state_file.name}{end}") for end in ("-wal", "-journal"))
    for name in (beside(state_file), *companions):
        if _read(name, 1):
            return name.name
    ids = state_file.with_suffix(".ids")
    if _read(ids, MOST_BYTES).strip():
        return ids.name
    if next(_told_by_sidecars(run_dir), None) is not None:
        return f"the sidecars in {CLIPS}"
    if _says_sent(_read(run_dir.log, MOST_BYTES)):
        return run_dir.log.name
    with suppress(csv.Error):
        rows = csv.DictReader(_read(report, MOST_BYTES).decode("utf-8-sig", "replace").splitlines())
        return REPORT if any(row.get("take") and row.get("request_id") for row in rows) else ""
    return ""


def _says_sent(log: bytes) -> bool:
    """Return whether a run's log has a submission, in today's words or in those of version 0.1.0."""
    from runner.output.event_json import FACT_EVENTS

    kinds = (SubmissionStarted, Accepted)
    words = (word for kind in kinds for word in (FACT_EVENTS[kind], kind.__name__))
    return any(f'"{word}"'.encode() in log for word in words)


def forget_outside(run_dir: RunDir, environ: Mapping[str, str]) -> None:
    """Take away what the user's own folders know of a run at this place, as its user has said."""
    for path in _witnesses_outside(run_dir, environ):
        with suppress(OSError):
            path.unlink()


def refuse_lost_record(run_dir: RunDir, told: Sequence[Testimony]) -> None:
    """Refuse a folder without a state file that a run has sent something from.

    Raises:
        FlagRequired: the folder itself is gone, and only the user's own folder knows of the run.
        StateFileUnusable: something in the folder says it.
    """
    state_file, restore = run_dir.state_file, command_line("restore", run_dir.path)
    if trace := trace_in(run_dir):
        went = went_to(state_file)
        lies = f"its state file is now {went}" if went else f"its state file is gone ({trace} is there)"
        raise StateFileUnusable(
            f"{state_file}: a run was here, and {lies}; starting over would pay for everything again",
            advice=f"bring the file back, or enter what is known of the run: {restore}; only for a new run give another"
            " folder with --run-dir",
        )
    known = next((each for each in told if any(each.charged) and not each.has_ended), None)
    if known is not None:
        raise FlagRequired(
            f"{run_dir.path}: a run here was killed or left jobs out, and its folder is gone;"
            f" {sum(1 for _ in known.charged)} of its submissions are known and may be paid for",
            flag=NEW_RUN,
            condition="if all of it may be paid for again",
            otherwise=f"if not, bring the folder back, or enter what is known: {restore}",
        )
