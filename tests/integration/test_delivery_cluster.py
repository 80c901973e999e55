"""A cluster that goes away loses nothing, and a run that is killed leaves no worker behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from runner.delivery.dask_executor import call_key, open_cluster
from runner.delivery.fallback import FallbackExecutor
from runner.delivery.ports import ClusterLost
from runner.system.daemon_executor import DaemonExecutor

pytestmark = pytest.mark.slow

PATIENCE = 60.0
_RUNNER = """
import os, time
from runner.delivery.dask_executor import call_key, open_cluster
if __name__ == "__main__":
    cluster = open_cluster("", key_of=lambda number: call_key([str(number)]))
    print(*cluster.ask_workers(os.getpid).values(), flush=True)
    time.sleep(600)
"""


def key_of(*parts: object) -> str:
    return call_key([repr(part) for part in parts])


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    ends_at = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program of the library, which the end of the block kills."""
    command = [sys.executable, "-m", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(flag: Path, started_at: Path) -> str:
    """Say that it has begun, and wait for the flag, unless it is there."""
    started_at.touch()
    ends_at = time.monotonic() + PATIENCE
    while not flag.exists() and time.monotonic() < ends_at:
        time.sleep(0.05)
    return "done"


def test_what_a_lost_scheduler_had_is_done_here_with_one_word_about_it(tmp_path: Path) -> None:
    where, flag, begun = tmp_path / "scheduler.json", tmp_path / "flag", tmp_path / "begun"
    common = ("--scheduler-file", str(where), "--no-dashboard")
    said: list[str] = []
    local = DaemonExecutor(4, name="local")
    with started(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common
    ) as scheduler:
        until(where.exists)
        with started("distributed.cli.dask_worker", "--nthreads", "2", "--no-nanny", *common):
            cluster = open_cluster(json.loads(where.read_bytes())["address"], key_of=key_of)
            executor = FallbackExecutor(cluster, local, say=said.append)
            calls = [
                executor.submit(wait_for, flag, begun.with_name(f"begun-{number}")) for number in range(4)
            ]
            until(begun.with_name("begun-0").exists)
            scheduler.kill()
            flag.touch()
            assert [call.result(timeout=PATIENCE) for call in calls] == ["done"] * 4
            assert executor.submit(abs, -1).result(timeout=PATIENCE) == 1
            executor.shutdown(wait=False)
    assert said == ["the Dask scheduler is lost; clips are delivered by this machine instead"]


def test_a_scheduler_that_is_not_there_is_lost_from_the_start() -> None:
    with pytest.raises(ClusterLost, match="cannot be reached"):
        open_cluster("tcp://127.0.0.1:9", key_of=key_of, connect_s=0.5)


def test_a_run_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    script = tmp_path / "runner_of_a_cluster.py"
    script.write_text(_RUNNER)
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout is not None
        workers = [int(word) for word in run.stdout.readline().split()]
        run.send_signal(signal.SIGKILL)
    assert len(workers) == 2
    for worker in workers:
        until(partial(is_gone, worker))


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
