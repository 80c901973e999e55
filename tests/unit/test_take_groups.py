"""The takes of a run in groups, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.domain.errors import UsageError
from runner.domain.money import Charge, Spending
from runner.domain.records import TakeOutcome
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.output.take_groups import group_lines, take_groups

D = DeliveryState


def outcome(take_id: str, size: str, *tags: str) -> TakeOutcome:
    shot, point = take_id.partition("@")[0], {"resolution": size}
    return TakeOutcome(take_id, shot, "pika", tags, point, TakeState.SUCCEEDED, D.DELIVERED, None, 40.25)


TAKES = [
    outcome("s010@1", "720p", "hero"),
    outcome("s010@2", "1080p", "hero", "night"),
    TakeOutcome("s020", "s020", "other", (), {}, TakeState.FAILED, D.NONE, FailureClass.MODERATION, None),
]
SPENT = Spending((Charge("s010@1", cost=0.1), Charge("s010@1", cost=0.2), Charge("s010@2", cost=0.3)))


def table(by: str) -> list[str]:
    return group_lines(take_groups(TAKES, SPENT, by), by)


def test_states_money_of_every_submission_and_the_typical_time() -> None:
    assert table("shot") == [
        "shot  takes  billed  typical  states",
        "s010      2   $0.60     40 s  2 delivered",
        "s020      1       –        –  1 failed",
    ]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("model", ["pika", "other"]),
        ("class", ["–", "moderation"]),
        ("tag", ["hero", "night", "–"]),
        ("resolution", ["720p", "1080p", "–"]),
    ],
)
def test_groups_are_in_the_order_of_the_board(by: str, names: list[str]) -> None:
    assert [group.name for group in take_groups(TAKES, SPENT, by)] == names


def test_a_take_counts_for_each_of_its_tags() -> None:
    assert [group.takes for group in take_groups(TAKES, SPENT, "tag")] == [2, 1, 1]


def test_the_nearest_name_is_proposed() -> None:
    with pytest.raises(UsageError, match="no table by resolutoin") as caught:
        take_groups(TAKES, SPENT, "resolutoin")
    assert "did you mean resolution?" in caught.value.advice
    assert "shot, model, tag, class, resolution" in caught.value.advice


def test_no_name_steers_the_terminal() -> None:
    evil = [replace(TAKES[0], shot_id="\x1b[31m", tags=("\u202e",))]
    assert not {"\x1b", "\u202e"} & set("".join(group_lines(take_groups(evil, SPENT, "shot"), "\x1b")))
