"""Ids that lost their zeros in a spreadsheet are told before their shots are paid for again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.domain.errors import Position
from runner.domain.shots import Manifest, Plan, Take
from runner.plan.lost_zeros import lost_zeros
from tests.unit.output_records import pending


def plan(*ids: str) -> Plan:
    at = Position("m.csv", 2, 1, "A2")
    takes = [Take(each, each.partition("@")[0], "m/a", "{}", each, None, {}, at) for each in ids]
    return Plan(Manifest("m", "m.csv", "", ""), tuple(takes))


def test_shots_that_differ_from_the_record_by_zeros_alone_are_one_warning() -> None:
    recorded = [
        replace(pending(f"{shot}@seed=1", position=0), shot_id=shot, attempts=1) for shot in ("010", "020")
    ]
    warning = lost_zeros(plan("10@seed=5", "20@seed=6", "30"), {"10@seed=5", "20@seed=6", "30"}, recorded)
    assert warning is not None
    assert warning.message.startswith("10 was 010, 20 was 020: a spreadsheet drops zeros before a number")


@pytest.mark.parametrize(
    ("ids", "sent", "recorded", "attempts"),
    [
        (["10"], [], "010", 1),
        (["10"], ["10"], "010", 0),
        (["10"], ["10"], "100", 1),
        (["10", "010"], ["10"], "010", 1),
        (["010"], ["010"], "10", 1),
    ],
    ids=["nothing sent", "never sent before", "another number", "both there", "zeros written"],
)
def test_nothing_else_is_taken_for_a_lost_zero(
    ids: list[str], sent: list[str], recorded: str, attempts: int
) -> None:
    known = [replace(pending(recorded, position=0), shot_id=recorded, attempts=attempts)]
    assert lost_zeros(plan(*ids), set(sent), known) is None
