"""The end of the process: nothing that was said is lost, and threads that nobody waits for cannot spoil it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import NoReturn

import pytest

from runner.cli.main import leave
from runner.system.daemon_executor import DaemonExecutor


class Cut(Exception):
    """Stands in for the end of the process."""


def cut(code: int) -> NoReturn:
    raise Cut(code)


def test_a_process_with_a_download_in_the_air_is_cut_short() -> None:
    gate = threading.Event()
    pool = DaemonExecutor(1, name="fetch")
    pool.submit(gate.wait, 10)
    try:
        with pytest.raises(Cut, match="74"):
            leave(74, cut=cut)
    finally:
        gate.set()
        pool.shutdown()


LEAVING = """
import atexit, sys, threading
from runner.cli.main import leave
from runner.system.daemon_executor import DaemonExecutor
atexit.register(print, "the interpreter's own end")
if sys.argv[1] == "busy":
    DaemonExecutor(1, name="fetch").submit(threading.Event().wait)
sys.stdout.write("said")
sys.stderr.write("told")
leave(74)
"""


@pytest.mark.parametrize(("how", "said"), [("busy", "said"), ("idle", "saidthe interpreter's own end\n")])
def test_what_was_said_is_written_and_the_code_is_kept_either_way(how: str, said: str) -> None:
    """Into pipes, which are not flushed line by line; only without such threads does the interpreter end by itself."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, how],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=environ,
    )
    assert (done.returncode, done.stdout, done.stderr) == (74, said, "told")
