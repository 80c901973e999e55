"""What is known of a run outside its state file: its witnesses, the sidecars of its clips, and other traces.

In: a run directory, and the user's own folders. Out: testimonies, and refusals where a state file is gone or knows less
than they do. Everything is read before the state file is, so that a run that goes on meanwhile only adds to it. It
writes nothing.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import NEW_RUN, FlagRequired, StateFileUnusable
from runner.media.clips.folder import MOST_BYTES
from runner.media.clips.sidecar import CLIPS, FORMAT, Sidecar, is_trial, read_sidecar
from runner.store.location import machine_id
from runner.store.marker import MARKER, read_marker, went_to
from runner.store.open_checks import refuse_less_known
from runner.store.reader import open_reader
from runner.store.run_dir import REPORT, RunDir
from runner.store.witness import Sent, Testimony, beside, outside, read_witness
from runner.system.escapes import command_line
from runner.system.private_files import open_private

_HEAD_BYTES = 1024
# As `Sidecar.to_bytes` writes it.
_HEAD = re.compile(
    rb'\{\n  "format": "%s",\n  "take": ("(?:[^"\\]|\\.)*"),\n  "request_id": ("(?:[^"\\]|\\.)*"),'
    % re.escape(FORMAT.encode())
)
_LOGGED = (b'"SubmissionStarted"', b'"Accepted"')


def known_outside(run_dir: RunDir, second_places: Sequence[Path], *, whole: bool = False) -> list[Testimony]:
    """Return what the witness beside the state file, those in the user's own folders, and the sidecars know.

    Of a sidecar only the take and the request id are read, which stand at its head; all of it if `whole`.

    Raises:
        CannotCreate: the folder itself cannot be read, or its path is too long.
        StateFileUnusable: one of the witnesses cannot be read.
    """
    beside_it = beside(run_dir.state_file)
    found = []
    for path in (beside_it, *outside(second_places, run_dir.path, machine_id())):
        try:
            testimony = read_witness(path)
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
    sidecars = tuple(_told_by_sidecars(run_dir, whole=whole))
    return [*found, Testimony(sent=sidecars)] if sidecars else found


def sidecars_of(run_dir: RunDir) -> Iterator[Sidecar]:
    """Yield each sidecar beside the clips; any other file, and what a kill left of a trial, is passed over."""
    for path in _sidecar_paths(run_dir):
        sidecar = _sidecar(_read(path, MOST_BYTES) or b"")
        if sidecar is not None and not is_trial(sidecar.take, sidecar.request_id):
            yield sidecar


def _sidecar_paths(run_dir: RunDir) -> Iterator[Path]:
    with suppress(OSError), os.scandir(run_dir.path / CLIPS) as entries:
        for entry in entries:
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                yield Path(entry.path)


def _told_by_sidecars(run_dir: RunDir, *, whole: bool = False) -> Iterator[Sent]:
    """Yield what each sidecar says, or its head alone unless `whole`: ten thousand are read at every start.

    Of one that is damaged behind its head the head counts in both, or one reader would ask for what the other denies.
    """
    for path in _sidecar_paths(run_dir):
        sent = _head(_read(path, _HEAD_BYTES) or b"")
        if (whole or sent is None) and (sidecar := _sidecar(_read(path, MOST_BYTES) or b"")) is not None:
            model, fingerprint = (str(sidecar.about.get(name, "")) for name in ("model", "fingerprint"))
            sent = Sent(
                take=sidecar.take, model=model, fingerprint=fingerprint, request_id=sidecar.request_id
            )
        if sent is not None and not is_trial(sent.take, sent.request_id):
            yield sent


def _head(text: bytes) -> Sent | None:
    found = _HEAD.match(text)
    # A damaged file has a head like ours at times, and is passed over.
    with suppress(ValueError):
        return (
            Sent(take=_whole(json.loads(found[1])), request_id=_whole(json.loads(found[2])))
            if found
            else None
        )
    return None


def _whole(text: str) -> str:
    """Return the text as it is; ValueError if it holds half a surrogate pair, which no record could hold."""
    text.encode()
    return text


def _sidecar(text: bytes) -> Sidecar | None:
    with suppress(ValueError, RecursionError, KeyError, TypeError):
        found = json.loads(text)
        if found["format"] == FORMAT:
            _whole(str(found["request_id"]))
            return read_sidecar(text, take=_whole(str(found["take"])))
    return None


def _read(path: Path, limit: int) -> bytes | None:
    """Return the first `limit` bytes of a plain file; None for anything else."""
    try:
        descriptor = open_private(path)
    except OSError:
        return None
    try:
        return os.read(descriptor, limit)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def trace_in(run_dir: RunDir) -> str:
    """Return what in a folder without a state file says that a run was here and sent something; empty if nothing does.

    A folder with files of other kinds, or with an empty log, is a new one.
    """
    state_file = run_dir.state_file
    if read_marker(state_file) is not None:
        return MARKER
    for name in _leftovers(state_file):
        if _read(name, 1):
            return name.name
    ids = _read(state_file.with_suffix(".ids"), MOST_BYTES)
    if ids and ids.strip():
        return state_file.with_suffix(".ids").name
    if next(_told_by_sidecars(run_dir), None) is not None:
        return f"the sidecars in {CLIPS}"
    if any(word in (_read(run_dir.log, MOST_BYTES) or b"") for word in _LOGGED):
        return run_dir.log.name
    return REPORT if _reports_a_job(run_dir.path / REPORT) else ""


def _leftovers(state_file: Path) -> list[Path]:
    return [
        beside(state_file),
        *(state_file.with_name(f"{state_file.name}{end}") for end in ("-wal", "-journal")),
    ]


def _reports_a_job(report: Path) -> bool:
    text = _read(report, MOST_BYTES) or b""
    with suppress(csv.Error):
        rows = csv.DictReader(text.decode("utf-8-sig", "replace").splitlines())
        return any(row.get("take") and row.get("request_id") for row in rows)
    return False


def forget_outside(run_dir: RunDir, second_places: Sequence[Path]) -> None:
    """Take away what the user's own folders know of a run at this place, as its user has said."""
    for path in outside(second_places, run_dir.path, machine_id()):
        with suppress(OSError):
            path.unlink()


def refuse_lost_record(run_dir: RunDir, told: Sequence[Testimony]) -> None:
    """Refuse a folder without a state file that a run has sent something from.

    Raises:
        FlagRequired: the folder itself is gone, and only the user's own folder knows of the run.
        StateFileUnusable: something in the folder says it.
    """
    state_file, trace = run_dir.state_file, trace_in(run_dir)
    restore = command_line("restore", run_dir.path)
    if trace:
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
            condition="if all of it may be paid for once more",
            otherwise=f"if not, bring the folder back, or enter what is known: {restore}",
        )


def refuse_forgetful(run_dir: RunDir, told: Sequence[Testimony]) -> None:
    """Refuse to show a record that knows less than its witnesses; a run is refused by the opening itself.

    Raises:
        StateFileUnusable: as said.
    """
    with open_reader(run_dir.state_file) as reader:
        refuse_less_known(run_dir.state_file, reader.header.run_id, told, unknown=reader.unrecorded)
