"""`--only`: which takes a pattern means, and what is said to one that means none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.choosing import choose
from runner.errors import UsageError
from runner.states import TakeState
from tests.unit.reporting_records import pending

TAKES = [
    replace(pending("s010@seed=1"), shot_id="s010", tags=("hero",), state=TakeState.SUCCEEDED),
    replace(pending("s010@seed=2"), shot_id="s010", tags=("hero", "night"), state=TakeState.FAILED),
    replace(pending("s020"), shot_id="s020", tags=(), state=TakeState.PENDING),
]


@pytest.mark.parametrize(
    ("patterns", "ids"),
    [
        ([], {"s010@seed=1", "s010@seed=2", "s020"}),
        (["s020"], {"s020"}),
        (["s010"], {"s010@seed=1", "s010@seed=2"}),
        (["s010@seed=2"], {"s010@seed=2"}),
        (["s0*"], {"s010@seed=1", "s010@seed=2", "s020"}),
        (["*seed=1"], {"s010@seed=1"}),
        (["tag:night"], {"s010@seed=2"}),
        (["status:failed"], {"s010@seed=2"}),
        (["status:held"], set()),
        (["s020", "tag:night"], {"s010@seed=2", "s020"}),
    ],
)
def test_a_pattern_means_what_it_says(patterns: list[str], ids: set[str]) -> None:
    assert choose(TAKES, patterns) == ids


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [("s011", "did you mean s010?"), ("tag:day", "shotrunner status"), ("status:done", "states are pending")],
)
def test_a_pattern_that_means_nothing_is_refused_with_a_way_out(pattern: str, advice: str) -> None:
    with pytest.raises(UsageError) as refusal:
        choose(TAKES, [pattern])
    assert advice in refusal.value.advice
