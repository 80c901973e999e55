"""The log of a run is a help and no condition: whatever becomes of it, the run ends as it would have."""

from __future__ import annotations

import os
from pathlib import Path

from runner.commands.steps.run_log import run_log
from runner.domain.run_events import Message
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock


def test_what_is_heard_is_in_the_file(tmp_path: Path) -> None:
    with run_log(RunDir(tmp_path), SystemClock()) as log:
        log.on_event(Message("hello"))
        assert "hello" in RunDir(tmp_path).log.read_text("utf-8")


def test_a_log_that_cannot_be_opened_stops_nothing(tmp_path: Path) -> None:
    RunDir(tmp_path).log.mkdir()
    with run_log(RunDir(tmp_path), SystemClock()) as log:
        log.on_event(Message("hello"))
    assert RunDir(tmp_path).log.is_dir()


def test_a_log_that_cannot_be_closed_changes_no_ending(tmp_path: Path) -> None:
    """Some disks say only at the close that they have not taken what was written."""
    descriptor = os.dup(0)
    os.close(descriptor)
    with run_log(RunDir(tmp_path), SystemClock()) as log:
        log.on_event(Message("hello"))
        # The lowest free number is the one that the log got.
        assert os.fstat(descriptor).st_ino == RunDir(tmp_path).log.stat().st_ino
        os.close(descriptor)
    assert "hello" in RunDir(tmp_path).log.read_text("utf-8")
