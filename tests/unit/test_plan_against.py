"""The plan against the record: what is new, the same, renewed, changed, removed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from runner.errors import Position
from runner.plan.against import Comparison, compare
from runner.shots import Take
from runner.states import NEVER_CHARGED, FailureClass, TakeState


@dataclass(frozen=True)
class Record:
    """The least that a recorded take can be."""

    take_id: str
    fingerprint: str
    state: TakeState = TakeState.SUCCEEDED
    failure: FailureClass | None = None


def take(take_id: str, fingerprint: str = "now") -> Take:
    return Take(take_id, take_id, "acme/dream", "{}", fingerprint, None, {}, Position("board.yaml"))


def test_a_take_without_record_is_new() -> None:
    assert compare([take("a"), take("b")], []) == Comparison(new=("a", "b"))


@pytest.mark.parametrize("state", list(TakeState))
def test_the_same_fingerprint_is_the_same_take_in_every_state(state: TakeState) -> None:
    assert compare([take("a")], [Record("a", "now", state)]) == Comparison(same=("a",))


def test_what_is_on_record_only_is_removed_in_the_records_order() -> None:
    records = [Record("z", "x"), Record("a", "now"), Record("b", "x")]
    assert compare([take("a")], records) == Comparison(same=("a",), removed=("z", "b"))


@pytest.mark.parametrize("failure", [None, *FailureClass], ids=str)
@pytest.mark.parametrize("state", list(TakeState))
def test_a_changed_body_renews_only_what_was_surely_not_charged(
    state: TakeState, failure: FailureClass | None
) -> None:
    found = compare([take("a")], [Record("a", "before", state, failure)])
    free = state is TakeState.PENDING or (state is TakeState.FAILED and failure in NEVER_CHARGED)
    assert found == (Comparison(renewed=("a",)) if free else Comparison(changed=("a",)))


def test_only_a_refusal_before_the_charge_counts_as_never_charged() -> None:
    assert {FailureClass.REFUSED, FailureClass.INVALID_INPUT} == NEVER_CHARGED


def test_each_list_keeps_the_manifests_order() -> None:
    takes = [take(name) for name in ("d", "b", "c", "a")]
    records = [Record(name, "before") for name in ("a", "b")] + [Record(name, "now") for name in ("c", "d")]
    assert compare(takes, records) == Comparison(same=("d", "c"), changed=("b", "a"))
