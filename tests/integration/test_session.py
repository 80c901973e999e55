"""A session closes what it opened, whatever goes wrong."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from runner.commands.steps.request import RunRequest, no_progress
from runner.commands.steps.session import run_engine
from runner.domain.errors import ShotrunnerError
from runner.engine.options import EngineOptions
from runner.plan.selection import Choice
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock
from tests.integration.store_samples import make_take, new_state_file

PATIENCE = 5.0


def fetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "fetch"]


def test_a_record_that_cannot_be_read_at_the_start_leaves_no_thread_behind(tmp_path: Path) -> None:
    """Nothing has run yet, but the pool of downloads and the connections are there already."""
    home, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    environ = {"RUNCOMFY_API_TOKEN": "any"}
    request = RunRequest(
        Path("b.yaml"), EngineOptions(), None, Choice(), (), "http://127.0.0.1:9", environ, lambda _: True,
        no_progress, SystemClock(),
    )  # fmt: skip
    before = set(fetchers())
    with new_state_file(home, [make_take("a")]) as state, pytest.raises(ShotrunnerError, match="elsewhere"):
        run_engine(request, RunDir(elsewhere), state, ["a"])
    until = time.monotonic() + PATIENCE
    for thread in set(fetchers()) - before:
        thread.join(until - time.monotonic())
        assert not thread.is_alive()
