"""What a run would do with each take, and why: every standing has its action, its reason and its price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.body_diff import ABSENT, Difference, differences
from runner.domain.errors import Position
from runner.domain.orders import ALL_MODELS
from runner.domain.rates import Rate
from runner.domain.records import TakeRecord
from runner.domain.shots import Price, PriceUnit, Take
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.plan.actions import Action, Step, steps
from runner.plan.blocked import blocked
from runner.plan.compare import compare
from runner.plan.identity import fingerprint
from runner.plan.timing import forecast
from runner.system.canonical_json import JsonValue, canonical_json
from tests.unit.output_records import pending

S, D = TakeState, DeliveryState
MODEL = "acme/dream"


def on_record(
    take_id: str,
    state: TakeState = S.SUCCEEDED,
    delivery: DeliveryState = D.NONE,
    *,
    prompt: str = "a boat",
    failure: FailureClass | None = None,
    reason: str = "",
    kept_for: str | None = None,
    wanted: str | None = None,
    attempts: int = 1,
) -> TakeRecord:
    """Return a recorded take of the same model as all takes here."""
    body = canonical_json({"prompt": prompt})
    found = replace(pending(take_id), shot_id=take_id, model=MODEL, request_id="req-1", attempts=attempts)
    found = replace(found, body=body, fingerprint=fingerprint(MODEL, body), state=state, delivery=delivery)
    return replace(found, failure=failure, reason=reason, kept_for=kept_for, wanted=wanted)


def take(take_id: str, prompt: str = "a boat", *, price: float | None = 0.25) -> Take:
    body = canonical_json({"prompt": prompt})
    cost = None if price is None else Price(price)
    at = Position("board.yaml")
    return Take(take_id, take_id, MODEL, body, fingerprint(MODEL, body), None, {}, at, price=cost)


def planned(
    takes: list[Take], records: list[TakeRecord], *, replace: set[str] | None = None
) -> tuple[Step, ...]:
    comparison = compare(takes, records, replace=replace or ())
    return steps(takes, {record.take_id: record for record in records}, comparison)


def only(takes: list[Take], records: list[TakeRecord], **more: set[str]) -> Step:
    (step,) = planned(takes, records, **more)
    return step


def test_a_new_take_is_submitted_at_its_price() -> None:
    step = only([take("a")], [])
    assert (step.action, step.reason, step.estimate) == (Action.SUBMIT, "new", 0.25)
    assert only([take("a", price=None)], []).estimate is None


@pytest.mark.parametrize(
    ("record", "action", "reason"),
    [
        (on_record("a", S.PENDING, attempts=0), Action.SUBMIT, "new"),
        (on_record("a", S.PENDING), Action.SUBMIT, "not submitted yet"),
        (on_record("a", S.SUBMITTING), Action.HELD, "submitted without an answer; perhaps paid for"),
        (on_record("a", S.HELD, reason="read timed out"), Action.HELD, "read timed out"),
        (on_record("a", S.QUEUED), Action.WATCH, "queued as req-1"),
        (on_record("a", S.RUNNING), Action.WATCH, "running as req-1"),
        (on_record("a", S.SUCCEEDED), Action.DOWNLOAD, "rendered, not fetched yet"),
        (on_record("a", S.SUCCEEDED, D.FETCHING), Action.DOWNLOAD, "rendered, not fetched yet"),
        (on_record("a", S.SUCCEEDED, D.DELIVERED), Action.SKIP, "complete"),
        (
            on_record("a", S.SUCCEEDED, D.UNDELIVERABLE, reason="403"),
            Action.DOWNLOAD,
            "could not be fetched before: 403",
        ),
        (
            on_record("a", S.FAILED, failure=FailureClass.MODERATION, reason="hat"),
            Action.SKIP,
            "failed before: moderation: hat",
        ),
        (on_record("a", S.FAILED), Action.SKIP, "failed before: unknown"),
        (on_record("a", S.CANCELLED), Action.SKIP, "cancelled before"),
        (on_record("a", S.DROPPED), Action.SKIP, "dropped before"),
    ],
    ids=lambda given: f"{given.state}-{given.delivery}" if isinstance(given, TakeRecord) else None,
)
def test_every_standing_has_its_action(record: TakeRecord, action: Action, reason: str) -> None:
    step = only([take("a")], [record])
    assert (step.action, step.reason) == (action, reason)
    assert (step.estimate is not None) is (action is Action.SUBMIT)


def test_a_missing_file_is_fetched_and_not_rendered_again() -> None:
    record = on_record("a", S.SUCCEEDED, D.DELIVERED)
    takes = [take("a")]
    (step,) = steps(takes, {"a": record}, compare(takes, [record]), files_missing={"a"})
    assert (step.action, step.reason) == (Action.DOWNLOAD, "file missing")


def test_without_downloads_nothing_is_fetched() -> None:
    record, takes = on_record("a"), [take("a")]
    (step,) = steps(takes, {"a": record}, compare(takes, [record]), download=False)
    assert step.action is Action.SKIP


def test_a_changed_row_is_stale_with_the_field_that_changed() -> None:
    step = only([take("a", "a ship")], [on_record("a", S.SUCCEEDED, D.DELIVERED)])
    assert (step.action, step.estimate) == (Action.STALE, None)
    assert step.changes == (Difference("inputs.prompt", "a boat", "a ship"),)


def test_a_stale_take_that_is_wished_anew_is_submitted_with_its_reason() -> None:
    step = only([take("a", "a ship")], [on_record("a", S.SUCCEEDED, D.DELIVERED)], replace={"a"})
    assert (step.action, step.reason) == (Action.SUBMIT, "changed after it was paid for")
    assert step.changes == (Difference("inputs.prompt", "a boat", "a ship"),)


def test_a_stale_take_that_was_kept_is_skipped_until_its_row_changes_again() -> None:
    ship = take("a", "a ship")
    kept = on_record("a", S.SUCCEEDED, D.DELIVERED, kept_for=ship.fingerprint)
    assert only([ship], [kept]).action is Action.SKIP
    assert only([take("a", "a raft")], [kept]).action is Action.STALE


def test_a_held_take_stays_held_whatever_its_row_says_now() -> None:
    assert only([take("a", "a ship")], [on_record("a", S.HELD)], replace={"a"}).action is Action.HELD


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELLED, S.DROPPED])
def test_what_ended_without_a_clip_and_changed_since_is_submitted(state: TakeState) -> None:
    step = only([take("a", "a ship")], [on_record("a", state)])
    assert (step.action, step.reason) == (Action.SUBMIT, f"{state} before, and its row changed")


def test_what_was_refused_at_the_door_is_submitted_with_its_correction() -> None:
    record = on_record("a", S.FAILED, failure=FailureClass.INVALID_INPUT, reason="too long")
    step = only([take("a", "a ship")], [record])
    assert (step.action, step.reason) == (Action.SUBMIT, "failed before: invalid-input: too long")


def test_a_renamed_take_is_adopted_and_costs_nothing() -> None:
    step = only([take("b")], [on_record("a", S.SUCCEEDED, D.DELIVERED)])
    assert (step.action, step.was, step.estimate) == (Action.ADOPT, "a", None)
    assert step.reason == "was a; complete"


@pytest.mark.parametrize(
    ("state", "action"), [(S.HELD, Action.HELD), (S.RUNNING, Action.WATCH), (S.SUCCEEDED, Action.DOWNLOAD)]
)
def test_a_renamed_take_that_is_not_done_says_what_is_left(state: TakeState, action: Action) -> None:
    step = only([take("b")], [on_record("a", state)])
    assert (step.action, step.was) == (action, "a")


def test_a_new_take_under_an_id_whose_record_went_elsewhere_is_just_new() -> None:
    first, second = planned([take("a", "a ship"), take("b")], [on_record("a", S.SUCCEEDED, D.DELIVERED)])
    assert (first.action, first.reason, first.changes) == (Action.SUBMIT, "new", ())
    assert second.action is Action.ADOPT


def test_what_left_the_manifest_is_listed_unless_it_was_never_sent() -> None:
    records = [
        on_record("x", S.RUNNING),
        on_record("y", S.PENDING, attempts=0),
        on_record("z", S.SUCCEEDED, D.DELIVERED),
    ]
    found = {step.take_id: step for step in planned([], records)}
    assert {take_id: step.action for take_id, step in found.items()} == {"x": Action.WATCH, "z": Action.SKIP}
    assert all(step.is_removed for step in found.values())


def test_only_submits_can_be_blocked() -> None:
    found = planned([take("a"), take("b")], [on_record("b", S.SUCCEEDED, D.DELIVERED)])
    first, second = blocked(found, {"a": "past --max-cost", "b": "past --max-cost"})
    assert (first.action, first.reason, first.estimate) == (Action.BLOCKED, "past --max-cost; new", 0.25)
    assert second.action is Action.SKIP


BODIES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "1", "true", "x"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
        max_leaves=4,
    ),
)


@given(BODIES, BODIES)
def test_two_bodies_differ_in_no_field_exactly_if_they_are_the_same(
    old: dict[str, JsonValue], new: dict[str, JsonValue]
) -> None:
    found = differences(MODEL, canonical_json(old), MODEL, canonical_json(new))
    assert (found == ()) is (canonical_json(old) == canonical_json(new))
    assert all(change.old != change.new for change in found)


def test_a_changed_model_and_missing_inputs_are_told() -> None:
    assert differences("a/b", '{"x":1}', "a/c", '{"y":{"z":"t"}}') == (
        Difference("model", "a/b", "a/c"),
        Difference("inputs.x", "1", ABSENT),
        Difference("inputs.y", ABSENT, '{"z": "t"}'),
    )


def test_without_history_there_is_no_forecast() -> None:
    assert forecast({"a/b": 3}, {}, at_once=4) is None
    assert forecast({}, {"a/b": [1.0]}, at_once=4) is None


def test_a_forecast_fills_the_places_and_names_what_it_does_not_know() -> None:
    found = forecast({"a/b": 5, "c/d": 2}, {"a/b": [10.0] * 20}, at_once=2)
    assert found is not None
    assert (found.low, found.high, found.unknown) == (30.0, 30.0, ("c/d",))


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({"model_jobs": {"a/b": 1}}, 50.0),
        ({"rates": {"a/b": Rate(1, "min")}}, 250.0),
        ({"rates": {ALL_MODELS: Rate(1, "min")}}, 370.0),
        ({"model_jobs": {"a/b": 9}, "rates": {"a/b": Rate(9, "s")}}, 40.0),
    ],
    ids=str,
)
def test_a_forecast_knows_caps_and_rates(limits: dict[str, Any], seconds: float) -> None:
    known = {"a/b": [10.0] * 20, "c/d": [10.0] * 20}
    found = forecast({"a/b": 5, "c/d": 2}, known, at_once=2, **limits)
    assert found is not None
    assert (found.low, found.high) == (seconds, seconds)


@given(st.lists(st.floats(0.1, 1e4), min_size=1), st.integers(1, 50), st.integers(1, 9))
def test_a_forecast_is_never_below_its_shortest_job_and_grows_with_the_work(
    seconds: list[float], jobs: int, at_once: int
) -> None:
    found = forecast({"a/b": jobs}, {"a/b": seconds}, at_once=at_once)
    more = forecast({"a/b": jobs + 1}, {"a/b": seconds}, at_once=at_once)
    assert found is not None
    assert more is not None
    assert min(seconds) <= found.low <= found.high
    assert (found.low, found.high) <= (more.low, more.high)


def test_a_price_by_the_second_asks_the_body_for_its_duration() -> None:
    price = Price(0.06, PriceUnit.SECOND)
    body = canonical_json({"duration": 5})
    one = Take("a", "a", MODEL, body, fingerprint(MODEL, body), None, {}, Position("b.yaml"), price=price)
    (step,) = steps([one], {}, compare([one], []))
    assert step.estimate == 0.3


@pytest.mark.parametrize(
    ("record", "action", "reason"),
    [
        (on_record("a", S.QUEUED, kept_for="now"), Action.WATCH, "; queued as req-1"),
        (on_record("a", kept_for="now"), Action.DOWNLOAD, "; rendered, not fetched yet"),
        (on_record("a", delivery=D.DELIVERED, kept_for="now"), Action.SKIP, ""),
    ],
    ids=["out there", "not fetched", "complete"],
)
def test_a_kept_take_is_watched_and_fetched_like_any_other(
    record: TakeRecord, action: Action, reason: str
) -> None:
    now = take("a", "a ship")
    step = only([now], [replace(record, kept_for=now.fingerprint)])
    assert (step.action, step.reason) == (action, f"kept as it is, though its row changed{reason}")


def test_a_kept_or_stale_take_that_is_renumbered_is_told_with_its_old_id() -> None:
    now = take("b", "a ship")
    record = on_record("a", delivery=D.DELIVERED, wanted=now.fingerprint)
    stale = only([now], [record])
    assert (stale.action, stale.was) == (Action.STALE, "a")
    assert stale.reason == "was a; changed after it was paid for; complete"
    kept = only([now], [replace(record, kept_for=now.fingerprint)])
    assert (kept.action, kept.was) == (Action.ADOPT, "a")
    assert kept.reason == "was a; kept as it is, though its row changed"
    anew = only([now], [record], replace={"b"})
    assert (anew.action, anew.was, anew.estimate) == (Action.SUBMIT, "a", 0.25)
    assert [change.field for change in anew.changes] == ["inputs.prompt"]


@pytest.mark.parametrize(("state", "said"), [(S.FAILED, "failed"), (S.DROPPED, "was dropped")])
def test_a_request_that_ended_in_vain_is_told_before_it_is_paid_for_again(
    state: TakeState, said: str
) -> None:
    records = [on_record("a", delivery=D.DELIVERED, prompt="a ship"), on_record("a~1", state)]
    for wish in (set[str](), {"a"}):
        step = only([take("a")], records, replace=wish)
        assert step.reason.endswith(f"; the same request {said} before, as a~1")
