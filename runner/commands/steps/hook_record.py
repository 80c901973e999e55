"""Which clips a run's hook has run for: `hooks.jsonl`, and what the hooks wrote: `hooks.log`.

`hooks.jsonl` is a file of its own and not part of the state file. It is about no money, and it must survive a record
that is lost or restored. A person can delete a line to have the hook run again. Its first line says from which fact on
clips count, and each further line is one clip. A line that a kill cut short is passed over, so that clip comes again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from runner.domain.disk_errors import file_error
from runner.domain.display import iso
from runner.notify.program import Finished
from runner.system.private_files import open_private

FORMAT = "shotrunner-hooks/1"
RECORD = "hooks.jsonl"
OUTPUT = "hooks.log"
MOST_OUTPUT = 4 * 2**20
"""The bytes of hooks' output at which their file begins again."""

_ADVICE = "move away what is in the way"

ClipKey: TypeAlias = tuple[str, str]
"""What names a whole clip, whatever its take is called: the job's request id and the file's SHA-256."""


@dataclass(frozen=True, slots=True)
class HookRecord:
    """The record of one run's hooks; `since` is the number of the last fact before which no clip counts."""

    run_dir: Path
    since: int
    done: frozenset[ClipKey]

    def note(self, take_id: str, key: ClipKey, ended: Finished, *, at: float) -> None:
        """Record that the hook has run for a clip, and add its output; raises `OSError`."""
        request_id, sha256 = key
        found = {"at": iso(at), "take": take_id, "request_id": request_id, "sha256": sha256}
        _append(self.run_dir / RECORD, _line({**found, "exit": ended.exit_code, "trouble": ended.trouble}))
        said = f"--- {iso(at)} {take_id} {ended.trouble or 'done'}\n".encode()
        output = ended.output.rstrip(b"\n")
        _append(self.run_dir / OUTPUT, said + (output and output + b"\n"), most=MOST_OUTPUT)


def open_record(run_dir: Path, *, newest: Callable[[], int]) -> HookRecord:
    """Return the record of the run's hooks, begun if there is none; `newest` is the number of the newest fact.

    Raises:
        CannotCreate, DiskFailed: one of its files cannot be written.
    """
    path = run_dir / RECORD
    try:
        _append(run_dir / OUTPUT, b"")
        text = _read(path)
        # A line that a kill cut short must not swallow the next one.
        _append(path, b"" if text.endswith(b"\n") or not text else b"\n")
        lines = list(_lines(text))
        since = next((line["since"] for line in lines if isinstance(line.get("since"), int)), None)
        if since is None:
            since = newest()
            _append(path, _line({"format": FORMAT, "since": since}))
    except OSError as error:
        raise file_error(error, error.filename or path, "cannot be written", advice=_ADVICE) from error
    keys = ((line.get("request_id"), line.get("sha256")) for line in lines)
    done = frozenset(
        (job, sha256) for job, sha256 in keys if isinstance(job, str) and isinstance(sha256, str)
    )
    return HookRecord(run_dir, since, done)


def _read(path: Path) -> bytes:
    with os.fdopen(open_private(path, os.O_RDWR | os.O_CREAT), "rb") as file:
        return file.read()


def _lines(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _line(found: dict[str, object]) -> bytes:
    return json.dumps(found).encode("ascii") + b"\n"


def _append(path: Path, data: bytes, *, most: int = 0) -> None:
    """Add to a private file, in one write; one that is larger than `most` bytes begins again."""
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        if most and os.fstat(descriptor).st_size > most:
            os.ftruncate(descriptor, 0)
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
