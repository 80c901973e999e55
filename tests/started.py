"""How a session of a run begins, for tests of what listens to it."""

from __future__ import annotations

from pathlib import Path

from runner.domain.run_events import RunStarted


def started(*, total: int, done: int = 0) -> RunStarted:
    """Return the beginning of a session about `total` takes, of which `done` need nothing more."""
    return RunStarted(at=1_780_000_000.0, run_dir=Path("reports/board"), name="board", total=total, done=done)
