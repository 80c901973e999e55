"""A class of options names the field that is wrong, and what it wants there."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from runner.domain.errors import UsageError
from runner.domain.limits import Limits
from runner.engine.options import EngineOptions
from runner.simulator.settings import SimulatorSettings


@pytest.mark.parametrize(
    ("make", "given", "told"),
    [
        (EngineOptions, {"jobs": "8"}, "jobs: expected a whole number from 1 to 1000, not '8'"),
        (EngineOptions, {"jobs": True}, "jobs: expected a whole number from 1 to 1000, not True"),
        (
            EngineOptions,
            {"submit_window": 0},
            "submit_window: expected a whole number of 1 or more, or None, not 0",
        ),
        (
            EngineOptions,
            {"outage_limit": math.nan},
            "outage_limit: expected a number of 0 or more, not nan",
        ),
        (EngineOptions, {"limits": 20.0}, "limits: expected a value of the class Limits, not 20.0"),
        (EngineOptions, {"download": "no"}, "download: expected True or False, not 'no'"),
        (Limits, {"max_cost": 0}, "max_cost: expected a number above 0, or None, not 0"),
        (Limits, {"until": "07:00"}, "until: expected a datetime.time or unix seconds, or None, not '07:00'"),
        (SimulatorSettings, {"fail_rate": 2}, "fail_rate: expected a number from 0 to 1, not 2"),
        (SimulatorSettings, {"clips": "a"}, "clips: expected a value of the class Path, or None, not 'a'"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_its_field(
    make: Callable[..., object], given: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make(**given)
    assert str(caught.value) == told
