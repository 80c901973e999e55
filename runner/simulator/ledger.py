"""Keeps the ledger of every charge and every cancel, for any thread to read and, on request, in a file that only grows.

In: accepted jobs, cancels, and notes of requests. Out: the true account of money, with which tests compare a client's
account. A charge is on disk before its answer is sent. A file can be opened again, and then restores every job as it
was. The job of a last line that a crash cut short was never answered, so that line is cut off.
It decides nothing about jobs and knows no HTTP.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from runner.domain.disk_errors import file_error
from runner.domain.errors import UsageError
from runner.simulator.jobs import Job, JobOutcome
from runner.system.private_files import make_folder, open_private

# Every line of a ledger begins like one of these, as `_append` writes it.
_STARTS = (b'{"kind":"charge","', b'{"kind":"cancel","')


class Ledger:
    """Charges in the order they were made; every method may be called from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._files: dict[str, str] = {}
        self._hits: Counter[str] = Counter()
        self._token_leaks = 0
        self._spent = 0
        self._out = _opened(path) if path else None
        if self._out is not None:
            for job in _restored(self._out, str(path)):
                self._keep(job)

    def charge(self, job: Job) -> None:
        """Record an accepted job; it is durable on return."""
        with self._lock:
            self._append({"kind": "charge", **asdict(job)})
            self._keep(job)

    def cancel(self, request_id: str, *, at: float) -> Job:
        """Record that a job was cancelled at `at`, and return it as it is now; this is durable on return."""
        with self._lock:
            self._append({"kind": "cancel", "request_id": request_id, "at": at})
            job = replace(self._jobs[request_id], cancelled_at=at)
            self._keep(job)
            return job

    def note_hit(self, route: str) -> None:
        """Count a request."""
        with self._lock:
            self._hits[route] += 1

    def note_token_leak(self) -> None:
        """Count a request for a file that carried a token, which files never ask for."""
        with self._lock:
            self._token_leaks += 1

    def find(self, request_id: str) -> Job | None:
        """Return the job of an id."""
        with self._lock:
            return self._jobs.get(request_id)

    def find_file(self, name: str) -> tuple[Job, int] | None:
        """Return the job that has a clip of this name, and the number of that output, counted from 1."""
        stem, _, digits = name.removesuffix(".mp4").rpartition(".")
        number = int(digits) if stem and digits.isascii() and digits.isdigit() else 1
        with self._lock:
            job = self._jobs.get(self._files.get(f"{stem}.mp4" if number > 1 else name, ""))
        return (job, number) if job is not None and number <= job.outputs else None

    def charges(self) -> tuple[Job, ...]:
        """Return every charge, oldest first."""
        with self._lock:
            return tuple(self._jobs.values())

    def by_body(self) -> Mapping[tuple[str, str], tuple[Job, ...]]:
        """Return the charges of each distinct request, named by model and SHA-256 of its body."""
        groups: dict[tuple[str, str], tuple[Job, ...]] = {}
        for job in self.charges():
            who = (job.model, job.body_sha256)
            groups[who] = (*groups.get(who, ()), job)
        return groups

    def doubled(self) -> tuple[Job, ...]:
        """Return the charges beyond the first for each distinct request: what may have been paid twice."""
        return tuple(job for group in self.by_body().values() for job in group[1:])

    @property
    def submits(self) -> int:
        """How many submits were accepted and charged."""
        with self._lock:
            return len(self._jobs)

    @property
    def distinct(self) -> int:
        """How many different requests were charged."""
        return len(self.by_body())

    @property
    def spent(self) -> int:
        """The sum of all charges, in millionths of a dollar."""
        with self._lock:
            return self._spent

    @property
    def token_leaks(self) -> int:
        """How many requests for files carried a token."""
        with self._lock:
            return self._token_leaks

    @property
    def hits(self) -> Mapping[str, int]:
        """How many requests came on each route, including refused and faulty ones."""
        with self._lock:
            return dict(self._hits)

    @property
    def peak_outstanding(self) -> int:
        """The most jobs that were accepted and not over at one moment."""
        moments: list[tuple[float, int]] = []
        for job in self.charges():
            moments.append((job.accepted_at, 1))
            if job.over_at is not None:
                moments.append((job.over_at, -1))
        peak = outstanding = 0
        for _, change in sorted(moments):
            outstanding += change
            peak = max(peak, outstanding)
        return peak

    def close(self) -> None:
        """Close the file; what is in memory can still be read."""
        with self._lock:
            if self._out is not None:
                self._out.close()
                self._out = None

    def _keep(self, job: Job) -> None:
        if job.request_id not in self._jobs:
            self._spent += job.price
        self._jobs[job.request_id] = job
        self._files[job.file] = job.request_id

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._out is None:
            return
        self._out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._out.flush()
        os.fsync(self._out.fileno())


def _opened(path: Path) -> BinaryIO:
    try:
        make_folder(path.parent)
        return os.fdopen(open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "a+b")
    except OSError as error:
        raise file_error(
            error, path, "the simulator's ledger cannot be written", advice="name another file"
        ) from error


def _restored(out: BinaryIO, name: str) -> Iterator[Job]:
    """Yield the jobs of an earlier simulator in their last state, and cut off an incomplete last line.

    Nothing is cut off before every line, and the part of the last one, is known to be a ledger's.
    """
    out.seek(0)
    text = out.read()
    whole = text.rfind(b"\n") + 1
    jobs: dict[str, Job] = {}
    for number, line in enumerate(text[:whole].splitlines(), 1):
        try:
            job = _job_of(json.loads(line), jobs)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _no_ledger(out, name, number) from error
        jobs[job.request_id] = job
    rest = text[whole:]
    if not any(rest.startswith(start) or start.startswith(rest) for start in _STARTS):
        raise _no_ledger(out, name, text.count(b"\n") + 1)
    out.truncate(whole)
    yield from jobs.values()


def _no_ledger(out: BinaryIO, name: str, number: int) -> UsageError:
    out.close()
    return UsageError(
        f"{name}:{number}: not a line of a simulator's ledger", advice="name another file, or remove this one"
    )


def _job_of(line: dict[str, Any], jobs: Mapping[str, Job]) -> Job:
    kind = line.pop("kind")
    if kind == "cancel":
        return replace(jobs[line["request_id"]], cancelled_at=float(line["at"]))
    if kind != "charge":
        raise ValueError(kind)
    return Job(**{**line, "fate": JobOutcome(line["fate"])})
