"""Starts things and measures them: the manifest, the server in a process of its own, one contender's process.

In: a load and a command. Out: a `Usage` and the server's counts. It imports nothing heavy, because a child
inherits the harness's peak memory as its floor.
"""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Load, Usage, usable_cpus

ROOT = Path(__file__).parents[2]
COLUMNS = ("id", "model", "keyFramesFirst", "keyFramesLast", "promptText", "seed", "resolution", "duration")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def write_manifest(path: Path, takes: int) -> None:
    """Write a CSV manifest of so many one-take shots, each with a body of its own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(takes):
            frames = (f"https://example.com/{number}-{side}.jpg" for side in "ab")
            writer.writerow(
                [f"s{number:05}", "pika/pikaframes", *frames, f"shot {number}", number, "720p", 5]
            )


@dataclass(frozen=True, slots=True)
class Server:
    """A running counting server."""

    port: int

    @property
    def base(self) -> str:
        """Its origin, without /v1."""
        return f"http://127.0.0.1:{self.port}"

    def stats(self) -> dict[str, Any]:
        """Ask for its counts."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/__stats")
            counts: dict[str, Any] = json.loads(connection.getresponse().read())
        return counts


@contextlib.contextmanager
def server(load: Load) -> Iterator[Server]:
    """Run a fresh counting server in a process of its own."""
    flags = {"slots": load.slots, "service": load.service * 1000, "jitter": load.jitter, "seed": load.seed}
    flags["delay"] = load.delay * 1000
    options = [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "tests.outside.server", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Server(json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()


def measure(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, limit: float, cwd: Path
) -> Usage:
    """Run one command to its end and return what it and its descendants used.

    Its output goes to `log`. After `limit` seconds its whole process group is killed.
    """
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    with log.open("wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        alarm = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            # wait4 alone tells one child's usage; getrusage would add up all contenders so far.
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            alarm.cancel()
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return Usage(process.returncode, wall, cpu, used.ru_maxrss * _RSS_UNIT, floor)


def processors() -> float:
    """Return how many processors this process may use, by its affinity and its cgroup's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    return usable_cpus(allowed, quota.read_text() if quota.is_file() else None)
