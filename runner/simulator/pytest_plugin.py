"""A fixture of pytest that serves the simulator to the tests of your own program.

Put `pytest_plugins = ["runner.simulator.pytest_plugin"]` into the uppermost `conftest.py`. Override the fixture
`simulator_settings` for other settings.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.domain.token_leaks import TOKEN_VARIABLES
from runner.simulator.server import RunningSimulator, running
from runner.simulator.settings import SimulatorSettings


@pytest.fixture
def simulator_settings() -> SimulatorSettings:
    """Return how the simulator behaves: twenty times as fast as usual, and with one ready-made clip for all jobs."""
    return SimulatorSettings(speed=20, render=False)


@pytest.fixture
def simulator(
    simulator_settings: SimulatorSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningSimulator]:
    """Yield a simulator that serves while the test runs; the environment points at it and has its token alone."""
    with running(simulator_settings) as served:
        for name in TOKEN_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in served.variables.items():
            monkeypatch.setenv(name, value)
        yield served
