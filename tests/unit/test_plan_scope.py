"""Which takes a run sends: those chosen, what was never sent before what is stale, as many as the limit says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.shots import Plan
from runner.domain.states import FailureClass, TakeState
from runner.plan.compare import compare
from runner.plan.scope import first_ones_first, scope_of, takes_in_scope
from runner.plan.selection import ALL, Choice
from tests.integration.store_samples import make_plan, make_take
from tests.unit.output_records import pending

S = TakeState


def board(*take_ids: str) -> Plan:
    return make_plan([make_take(take_id, prompt=f"new {take_id}") for take_id in take_ids])


def on_record(take_id: str, state: TakeState, *, prompt: str = "new") -> TakeRecord:
    take = make_take(take_id, prompt=f"{prompt} {take_id}")
    return replace(
        pending(take_id), state=state, model=take.model, body=take.body, fingerprint=take.fingerprint
    )


CHANGED = on_record("changed", S.SUCCEEDED, prompt="old")
RUNNING = on_record("running", S.RUNNING, prompt="old")
WAITING = on_record("waiting", S.PENDING)
REFUSED = replace(on_record("refused", S.FAILED, prompt="old"), failure=FailureClass.INVALID_INPUT)
FAILED = replace(on_record("failed", S.FAILED, prompt="old"), failure=FailureClass.PROVIDER_FAILED)
HELD = on_record("held", S.HELD, prompt="old")
DONE = on_record("done", S.SUCCEEDED)
GONE = on_record("gone", S.PENDING, prompt="other")
RECORDED = [CHANGED, RUNNING, WAITING, REFUSED, FAILED, HELD, DONE, GONE]
PLAN = board("changed", "running", "new", "waiting", "refused", "failed", "held", "done")
UNASKED = ["new", "waiting", "refused", "failed"]


@pytest.mark.parametrize("limit", [None, 0, 1, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("stale", [False, True])
def test_a_limit_takes_what_was_never_sent_first_and_then_what_is_stale(
    limit: int | None, stale: bool
) -> None:
    found = scope_of(PLAN, RECORDED, Choice(limit=limit), stale=stale)
    in_turn = [*UNASKED, *(["changed", "running"] if stale else [])]
    assert found.sends == set(in_turn[:limit])
    assert list(found.rerendered) == in_turn[:limit][len(UNASKED) :]


@pytest.mark.parametrize(
    ("choice", "sends"),
    [
        (Choice(only=("changed", "new", "waiting"), limit=2), {"new", "waiting"}),
        (Choice(only=("changed", "new"), limit=2), {"new", "changed"}),
        (Choice(exclude=("new", "waiting", "refused"), limit=2), {"failed", "changed"}),
        (Choice(statuses=("stale",), limit=1), {"changed"}),
        (Choice(statuses=("failed",)), {"refused", "failed"}),
        (Choice(statuses=("held",)), set()),
    ],
    ids=["limited", "stale after new", "excluded", "stale", "failed", "none"],
)
def test_the_limit_counts_what_was_chosen_alone(choice: Choice, sends: set[str]) -> None:
    assert scope_of(PLAN, RECORDED, choice, stale=True).sends == sends


def test_what_goes_first_is_in_the_order_of_the_patterns_and_each_take_once() -> None:
    found = scope_of(PLAN, RECORDED, Choice(exclude=("new",)), first=("failed", "*e*", "status:dropped"))
    assert found.first == ("failed", "changed", "new", "refused", "held", "done", "gone")
    ids = [take.id for take in PLAN.takes]
    assert first_ones_first(ids, found.first, key=str) == [*found.first[:-1], "running", "waiting"]
    with pytest.raises(UsageError, match="no take matches 'heldd'"):
        scope_of(PLAN, RECORDED, ALL, first=("heldd",))


def test_what_a_person_keeps_is_not_sent_anew() -> None:
    kept = replace(CHANGED, kept_for=make_take("changed", prompt="new changed").fingerprint)
    assert scope_of(board("changed"), [kept], ALL, stale=True).sends == frozenset()


def test_what_is_sent_anew_makes_room_only_in_the_outcome() -> None:
    """Whoever says no keeps the record as it is."""
    found = scope_of(PLAN, RECORDED, ALL, stale=True)
    assert found.comparison.changed == ("changed", "running", "held")
    assert compare(PLAN.takes, RECORDED, replace=found.rerendered).renames == {
        "changed": "changed~1",
        "running": "running~1",
        "failed": "failed~1",
    }


@pytest.mark.parametrize("choice", [ALL, Choice(only=("changed",)), Choice(statuses=("stale",), limit=1)])
def test_a_paid_clip_that_makes_room_for_a_chosen_take_is_still_brought_home(choice: Choice) -> None:
    found = scope_of(PLAN, RECORDED, choice, stale=True)
    before, after = replace(CHANGED, take_id="changed~1"), on_record("changed", S.PENDING)
    assert takes_in_scope([before, after], found) == [before, after]


def test_what_makes_room_is_no_concern_where_its_take_was_not_chosen_or_it_has_no_clip() -> None:
    kept = [replace(CHANGED, take_id="changed~1"), replace(FAILED, take_id="failed~1")]
    assert takes_in_scope(kept, scope_of(PLAN, RECORDED, Choice(exclude=("changed",)), stale=True)) == []
    assert takes_in_scope(kept, scope_of(PLAN, RECORDED, ALL)) == []


def test_a_paid_clip_makes_room_for_an_edit_that_was_taken_back() -> None:
    """Nothing is stale there: the older render comes back, and the newer one keeps its clip."""
    older, newer = on_record("s~1", S.SUCCEEDED), on_record("s", S.SUCCEEDED, prompt="old")
    older = replace(older, fingerprint=make_take("s", prompt="new s").fingerprint)
    found = scope_of(board("s"), [older, newer], Choice(only=("s",)))
    assert found.comparison.renames == {"s~1": "s", "s": "s~2"}
    assert takes_in_scope([replace(newer, take_id="s~2")], found)


def test_a_run_is_about_what_was_chosen_and_what_is_out_there_and_sends_nothing_else() -> None:
    """What waits beyond the limit is left out, and so is what nobody wants any more."""
    choice = Choice(exclude=("running", "done"), limit=1)
    found = scope_of(PLAN, [*RECORDED, on_record("given-up", S.DROPPED)], choice)
    later = [*RECORDED, on_record("new", S.PENDING), on_record("given-up", S.DROPPED)]
    assert [take.take_id for take in takes_in_scope(later, found)] == [
        "changed",
        "running",
        "refused",
        "failed",
        "held",
        "new",
    ]
