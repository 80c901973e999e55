"""Which takes a choice means, and what is said to one that means none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.domain.errors import UsageError
from runner.domain.picks import Decision
from runner.domain.states import TakeState
from runner.plan.selection import ALL, Choice, choose
from tests.unit.output_records import pending

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
    assert set(choose(TAKES, Choice(tuple(patterns)))) == ids


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        (Choice(("picked",)), ("s010@seed=1",)),
        (Choice(("unpicked",)), ("s010@seed=2", "s020")),
        (Choice(statuses=("rejected",)), ("s010@seed=2",)),
        (Choice(("status:maybe",)), ()),
        (Choice(exclude=("rejected",)), ("s010@seed=1", "s020")),
    ],
)
def test_a_decision_chooses(choice: Choice, ids: tuple[str, ...]) -> None:
    decided = {"s010@seed=1": Decision.PICK, "s010@seed=2": Decision.REJECT}
    assert choice.needs_decisions
    assert choose(TAKES, choice, decisions=decided) == ids


def test_a_shot_that_is_called_like_a_decision_comes_first() -> None:
    takes = [*TAKES, replace(pending("picked"), shot_id="picked")]
    decided = {"s020": Decision.PICK}
    assert choose(takes, Choice(("picked",)), decisions=decided) == ("picked",)
    assert choose(takes, Choice(("status:picked",)), decisions=decided) == ("s020",)


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("s011", "did you mean s010?"),
        ("tag:day", "the tags are"),
        ("x", "the shots are s010, s020"),
        ("status:done", "the states are pending"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused_with_a_way_out(pattern: str, advice: str) -> None:
    with pytest.raises(UsageError) as refusal:
        choose(TAKES, Choice((pattern,)))
    assert advice in refusal.value.advice


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        (ALL, ("s010@seed=1", "s010@seed=2", "s020")),
        (Choice(tags=("hero",)), ("s010@seed=1", "s010@seed=2")),
        (Choice(tags=("hero",), statuses=("failed",)), ("s010@seed=2",)),
        (Choice(tags=("night", "hero")), ("s010@seed=1", "s010@seed=2")),
        (Choice(exclude=("s010",)), ("s020",)),
        (Choice(only=("s010",), exclude=("tag:night",)), ("s010@seed=1",)),
        (Choice(statuses=("pending", "succeeded")), ("s010@seed=1", "s020")),
        (Choice(statuses=("stale",)), ()),
        (Choice(limit=1), ("s010@seed=1", "s010@seed=2", "s020")),
    ],
    ids=str,
)
def test_of_one_kind_they_add_up_and_kinds_narrow_each_other(choice: Choice, ids: tuple[str, ...]) -> None:
    """The limit is left to whoever acts, since only they know what they act on."""
    assert choose(TAKES, choice) == ids


def test_a_stale_take_is_chosen_by_that_word() -> None:
    stale = replace(TAKES[0], wanted="f" * 64)
    assert choose([stale, *TAKES[1:]], Choice(statuses=("stale",))) == ("s010@seed=1",)
    kept = replace(stale, kept_for="f" * 64)
    assert choose([kept, *TAKES[1:]], Choice(statuses=("stale",))) == ()
