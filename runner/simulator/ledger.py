"""Keeps the ledger of every charge and every cancel, for any thread to read and, on request, in a file that only grows.

In: accepted jobs, cancels, and notes of requests. Out: the true account of money, with which tests compare a client's
account. A charge is on disk before its answer is sent. A file can be opened again, and then restores every job as it
was. If a crash cut the last line short, its job was never answered, so the line is removed. It decides nothing about
jobs and knows no HTTP.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from runner.domain.disk_errors import file_error
from runner.domain.errors import UsageError
from runner.simulator.jobs import ClipFlaw, Job, JobOutcome
from runner.system.private_files import make_folder, open_private

# Every line of a ledger begins like one of these, as `_append` writes it.
_STARTS = (b'{"kind":"charge","', b'{"kind":"cancel","')


class Ledger:
    """Charges in the order they were made; every method may be called from any thread.

    `hits` counts the requests on each route, refused and faulty ones too. `token_leaks` counts requests for a file that
    carried a token, which no file needs. `spent` is the sum of all charges, in millionths of a dollar.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.hits: Counter[str] = Counter()
        self.token_leaks = 0
        self.spent = 0
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._files: dict[str, str] = {}
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
            job = self._jobs[request_id] = replace(self._jobs[request_id], cancelled_at=at)
            return job

    def find(self, request_id: str) -> Job | None:
        """Return the job of an id."""
        with self._lock:
            return self._jobs.get(request_id)

    def find_file(self, name: str) -> Job | None:
        """Return the job whose clip has this name."""
        with self._lock:
            return self._jobs.get(self._files.get(name, ""))

    def charges(self) -> tuple[Job, ...]:
        """Return every charge, oldest first."""
        with self._lock:
            return tuple(self._jobs.values())

    @property
    def submits(self) -> int:
        """How many submits were accepted and charged."""
        return len(self.charges())

    @property
    def distinct(self) -> int:
        """How many different requests were charged."""
        return self.submits - len(self.doubled())

    def doubled(self) -> tuple[Job, ...]:
        """Return the charges beyond the first for each distinct request: what may have been paid twice."""
        jobs = self.charges()
        first = {(job.model, job.body_sha256): job for job in reversed(jobs)}
        return tuple(job for job in jobs if job is not first[job.model, job.body_sha256])

    @property
    def peak_outstanding(self) -> int:
        """The most jobs that were accepted and not over at one moment."""
        jobs = self.charges()
        moments = [(job.accepted_at, 1) for job in jobs]
        moments += [(job.over_at, -1) for job in jobs if job.over_at is not None]
        return max(accumulate((change for _, change in sorted(moments)), initial=0))

    def close(self) -> None:
        """Close the file; what is in memory can still be read."""
        with self._lock:
            if self._out is not None:
                self._out.close()
                self._out = None

    def _keep(self, job: Job) -> None:
        self.spent += job.price
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
    # Version 0.1.0 also wrote the number of outputs, and knew more ways to fail.
    line.pop("outputs", None)
    fate = JobOutcome(line["fate"]) if line["fate"] in list(JobOutcome) else JobOutcome.FAILS
    flaw = ClipFlaw(line["flaw"]) if line.get("flaw") else None
    return Job(**{**line, "fate": fate, "flaw": flaw})
