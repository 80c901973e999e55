"""The plan against the record: what is new, the same, renewed, changed, removed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.errors import Position
from runner.domain.records import TakeRecord
from runner.domain.shots import Take
from runner.domain.states import ACTIVE, NEVER_CHARGED, FailureClass, TakeState
from runner.plan.compare import Comparison, compare
from tests.unit.output_records import pending


def on_record(
    take_id: str,
    fingerprint: str,
    state: TakeState = TakeState.SUCCEEDED,
    failure: FailureClass | None = None,
    *,
    attempts: int = 1,
    wanted: str | None = None,
    kept_for: str | None = None,
    body: str = "{}",
) -> TakeRecord:
    """Return a recorded take of the same model as all takes here."""
    found = replace(pending(take_id), model="acme/dream", body=body, fingerprint=fingerprint, state=state)
    return replace(found, failure=failure, attempts=attempts, wanted=wanted, kept_for=kept_for)


def take(take_id: str, fingerprint: str = "now") -> Take:
    return Take(take_id, take_id, "acme/dream", "{}", fingerprint, None, {}, Position("board.yaml"))


def test_a_take_without_record_is_new() -> None:
    assert compare([take("a"), take("b")], []) == Comparison(new=("a", "b"))


@pytest.mark.parametrize("state", list(TakeState))
def test_the_same_fingerprint_is_the_same_take_in_every_state(state: TakeState) -> None:
    assert compare([take("a")], [on_record("a", "now", state)]) == Comparison(same=("a",))


def test_what_is_on_record_only_is_removed_in_the_records_order() -> None:
    records = [on_record("z", "x"), on_record("a", "now"), on_record("b", "x")]
    assert compare([take("a")], records) == Comparison(same=("a",), removed=("z", "b"))


@pytest.mark.parametrize("failure", [None, *FailureClass], ids=str)
@pytest.mark.parametrize("state", list(TakeState))
def test_a_changed_body_renews_only_what_was_surely_not_charged(
    state: TakeState, failure: FailureClass | None
) -> None:
    found = compare([take("a")], [on_record("a", "before", state, failure)])
    free = state is TakeState.PENDING or (state is TakeState.FAILED and failure in NEVER_CHARGED)
    over = state in {TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED}
    if free:
        assert found == Comparison(renewed=("a",))
    elif over:
        assert found == Comparison(replaced=("a",), renames={"a": "a~1"})
    else:
        assert found == Comparison(changed=("a",))


@pytest.mark.parametrize("state", list(TakeState))
def test_a_wish_replaces_what_was_paid_for_but_nothing_that_is_in_doubt(state: TakeState) -> None:
    found = compare([take("a")], [on_record("a", "before", state)], replace={"a"})
    doubtful = state in {TakeState.HELD, TakeState.SUBMITTING}
    assert (found.changed == ("a",)) is doubtful
    assert (found.renames == {"a": "a~1"}) is (not doubtful and state is not TakeState.PENDING)


@pytest.mark.parametrize("state", list(TakeState))
def test_a_renamed_take_takes_over_what_may_have_been_paid_for(state: TakeState) -> None:
    found = compare([take("b", "same")], [on_record("a", "same", state)])
    if state is not TakeState.PENDING:
        assert found == Comparison(renamed=("b",), renames={"a": "b"})
        assert found.came_from == {"b": "a"}
    else:
        assert found == Comparison(new=("b",), withdrawn=("a",))


def test_renumbered_shots_change_places_and_none_is_new() -> None:
    """A shot was put in front, and all others moved up by one."""
    records = [on_record("s010", "A"), on_record("s020", "B")]
    found = compare([take("s010", "new"), take("s020", "A"), take("s030", "B")], records)
    assert (found.new, found.renamed) == (("s010",), ("s020", "s030"))
    assert found.renames == {"s010": "s020", "s020": "s030"}
    assert not found.removed


def test_two_takes_that_changed_names_change_names() -> None:
    found = compare([take("a", "B"), take("b", "A")], [on_record("a", "A"), on_record("b", "B")])
    assert found == Comparison(renamed=("a", "b"), renames={"a": "b", "b": "a"})


def test_an_edit_taken_back_brings_the_first_render_back_and_keeps_the_second() -> None:
    records = [on_record("a", "second"), on_record("a~1", "first")]
    found = compare([take("a", "first")], records)
    assert found == Comparison(renamed=("a",), renames={"a~1": "a", "a": "a~2"})


def test_a_record_is_taken_over_once() -> None:
    found = compare([take("b", "A"), take("c", "A")], [on_record("a", "A")])
    assert found == Comparison(renamed=("b",), new=("c",), renames={"a": "b"})


def test_a_copy_of_a_row_is_new_since_its_own_row_still_asks_for_the_record() -> None:
    found = compare([take("b", "A"), take("a", "A")], [on_record("a", "A")])
    assert found == Comparison(new=("b",), same=("a",))


def test_a_record_whose_row_is_gone_is_preferred_to_one_whose_row_changed() -> None:
    records = [on_record("a", "X"), on_record("z", "X")]
    found = compare([take("b", "X"), take("a", "Y")], records)
    assert found == Comparison(renamed=("b",), changed=("a",), renames={"z": "b"})


def test_an_older_render_is_not_counted_as_removed() -> None:
    assert compare([take("a", "B")], [on_record("a", "B"), on_record("a~1", "A")]) == Comparison(same=("a",))


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("UVWXYZ")), unique_by=lambda row: row[0]),
    st.lists(
        st.tuples(
            st.sampled_from([*"abcdef", "a~1", "b~3"]),
            st.sampled_from("UVWXYZ"),
            st.sampled_from(list(TakeState)),
            st.none() | st.sampled_from("UVWXYZ"),
            st.none() | st.sampled_from("UVWXYZ"),
        ),
        unique_by=lambda row: row[0],
    ),
    st.sets(st.sampled_from("abcdef")),
)
def test_renames_never_lose_or_merge_a_record_and_every_take_has_one_place(
    rows: list[tuple[str, str]],
    records: list[tuple[str, str, TakeState, str | None, str | None]],
    anew: set[str],
) -> None:
    known = [
        on_record(take_id, body, state, wanted=wanted, kept_for=kept)
        for take_id, body, state, wanted, kept in records
    ]
    found = compare([take(*row) for row in rows], known, replace=anew)
    after = [found.renames.get(record.take_id, record.take_id) for record in known]
    assert len(set(after)) == len(records)
    told = [*found.new, *found.same, *found.renamed, *found.renewed, *found.changed, *found.replaced]
    assert sorted(told) == sorted(row[0] for row in rows)
    # What is sent anew must find its id free.
    assert not {*found.new, *found.replaced} & set(after)
    bodies = {found.renames.get(record.take_id, record.take_id): record.fingerprint for record in known}
    wanted = dict(rows)
    assert all(bodies[take_id] == wanted[take_id] for take_id in (*found.same, *found.renamed))


def test_only_a_refusal_before_the_charge_counts_as_never_charged() -> None:
    assert {FailureClass.REFUSED, FailureClass.INVALID_INPUT} == NEVER_CHARGED


def test_each_list_keeps_the_manifests_order() -> None:
    takes = [take(name) for name in ("d", "b", "c", "a")]
    records = [on_record(name, "before") for name in ("a", "b")] + [
        on_record(name, "now") for name in ("c", "d")
    ]
    assert compare(takes, records) == Comparison(same=("d", "c"), changed=("b", "a"))


def test_a_take_that_waits_takes_over_a_render_of_its_body_that_no_row_asks_for_any_more() -> None:
    records = [on_record("a", "A"), on_record("b", "A", TakeState.PENDING)]
    found = compare([take("b", "A")], records)
    assert found == Comparison(renamed=("b",), renames={"a": "b", "b": "b~1"})
    assert compare([take("a", "A"), take("b", "A")], records) == Comparison(same=("a", "b"))


@pytest.mark.parametrize("state", [TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED])
def test_what_ended_without_a_clip_is_not_sent_again_for_being_renumbered(state: TakeState) -> None:
    """Under its own id it is skipped, and a new number is no wish to pay for it once more."""
    assert compare([take("b", "A")], [on_record("a", "A", state)]).renamed == ("b",)
    # A board that moved up by one, and two rows that changed places.
    records = [on_record("a", "A", state), on_record("b", "B")]
    moved = compare([take("a", "new"), take("b", "A"), take("c", "B")], records)
    assert (moved.new, moved.renamed) == (("a",), ("b", "c"))
    swapped = compare([take("a", "B"), take("b", "A")], records)
    assert (swapped.renamed, swapped.renames) == (("a", "b"), {"b": "a", "a": "b"})
    # But a second row with what the first still asks for is somebody's wish, and so is one to be rendered anew.
    assert compare([take("a", "A"), take("b", "A")], [on_record("a", "A", state)]).new == ("b",)
    assert compare([take("a", "new"), take("b", "A")], records, replace={"b"}).replaced == ("a", "b")
    refused = on_record("a", "A", TakeState.FAILED, FailureClass.REFUSED)
    assert compare([take("b", "A")], [refused]).new == ("b",)


@pytest.mark.parametrize("state", [TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED])
def test_what_ended_without_a_clip_is_known_on_a_rename_also_after_an_edit_and_back(state: TakeState) -> None:
    """It made room for the edit's render; that row is gone, and the row of another id asks for the first body."""
    records = [on_record("a", "B"), on_record("a~1", "A", state)]
    found = compare([take("b", "A")], records)
    assert found == Comparison(renamed=("b",), removed=("a",), renames={"a~1": "b"})
    # While its row is there, or the older render is a row of its own, another row is a wish.
    assert compare([take("a", "B"), take("b", "A")], records).new == ("b",)
    assert compare([take("a~1", "A"), take("b", "A")], records).new == ("b",)
    refused = on_record("a~1", "A", TakeState.FAILED, FailureClass.REFUSED)
    assert compare([take("b", "A")], [on_record("a", "B"), refused]).new == ("b",)


@pytest.mark.parametrize(
    ("newer", "is_taken_back"),
    [
        (on_record("a", "B", TakeState.PENDING, attempts=0), True),
        (on_record("a", "B", TakeState.PENDING), False),
        (on_record("a", "B", TakeState.FAILED), True),
        (on_record("a", "A", TakeState.PENDING, attempts=0), False),
    ],
    ids=["never sent", "a retry was asked for", "failed too", "rendered anew by wish"],
)
def test_an_edit_taken_back_to_what_was_given_up_is_sent_only_by_wish(
    newer: TakeRecord, is_taken_back: bool
) -> None:
    found = compare([take("a", "A")], [newer, on_record("a~1", "A", TakeState.DROPPED)])
    assert (found.renames == {"a~1": "a", "a": "a~2"}) is is_taken_back
    assert (found.renamed == ("a",)) is is_taken_back


@pytest.mark.parametrize("state", list(TakeState))
@pytest.mark.parametrize("known", ["wanted", "kept_for"])
def test_a_stale_or_kept_take_keeps_its_standing_when_it_is_renumbered(known: str, state: TakeState) -> None:
    sent = on_record("a", "A", state)
    record = replace(sent, wanted="B") if known == "wanted" else replace(sent, kept_for="B")
    found = compare([take("b", "B")], [record])
    may_be_paid = state in ACTIVE | {TakeState.SUCCEEDED, TakeState.HELD, TakeState.SUBMITTING}
    assert (found.changed == ("b",)) is may_be_paid
    assert (found.came_from == {"b": "a"}) is may_be_paid
    # A new row was put in front: the old id asks for something else.
    found = compare([take("a", "new"), take("b", "B")], [record])
    assert (found.changed == ("b",) and found.new == ("a",)) is may_be_paid
    # Its own row still asks for it, so another one is a copy.
    assert compare([take("a", "B"), take("b", "B")], [record]).new == ("b",)


def test_a_stale_take_that_is_renumbered_and_rendered_anew_makes_room_under_its_new_id() -> None:
    records = [on_record("a", "A", wanted="B"), on_record("b", "C")]
    found = compare([take("b", "B"), take("c", "C")], records, replace={"b"})
    assert found == Comparison(renamed=("c",), replaced=("b",), renames={"b": "c", "a": "b~1"})
    assert found.came_from == {"b": "a", "c": "b"}


def test_stale_takes_that_are_renumbered_follow_one_another() -> None:
    records = [on_record("a", "A", wanted="X"), on_record("b", "B", kept_for="Y"), on_record("c", "C")]
    found = compare([take("a", "new"), take("b", "X"), take("c", "Y"), take("d", "C")], records)
    assert (found.new, found.changed, found.renamed) == (("a",), ("b", "c"), ("d",))
    assert found.renames == {"a": "b", "b": "c", "c": "d"}


def test_the_very_body_comes_before_one_that_stands_for_it() -> None:
    records = [on_record("a", "A", kept_for="B"), on_record("c", "B")]
    assert compare([take("b", "B")], records).came_from == {"b": "c"}


@pytest.mark.parametrize(
    ("state", "failure", "may_be_paid"),
    [
        (TakeState.PENDING, None, False),
        (TakeState.FAILED, FailureClass.REFUSED, False),
        (TakeState.FAILED, FailureClass.MODERATION, True),
        (TakeState.DROPPED, None, True),
        (TakeState.SUCCEEDED, None, True),
    ],
)
def test_of_what_left_the_manifest_only_what_may_be_paid_is_said_to_be_kept(
    state: TakeState, failure: FailureClass | None, may_be_paid: bool
) -> None:
    found = compare([take("b")], [on_record("a", "A", state, failure)])
    assert found == Comparison(
        new=("b",), removed=("a",) if may_be_paid else (), withdrawn=() if may_be_paid else ("a",)
    )


def seeded(take_id: str, prompt: str, *, given: bool = False) -> Take:
    """Return a take whose seed is its id's last number, made from it unless it was `given`."""
    body = f'{{"prompt":"{prompt}","seed":{take_id[1:]}}}'
    made = replace(take(take_id, f"{prompt} {take_id}"), body=body)
    return made if given else replace(made, seed_from_id="seed")


def sent(made: Take, state: TakeState = TakeState.SUCCEEDED) -> TakeRecord:
    return on_record(made.id, made.fingerprint, state, body=made.body)


def test_a_renamed_take_whose_seed_is_made_from_its_id_is_stale_and_not_new() -> None:
    """Its row says nothing of a seed and has not changed, so nothing may be paid for without a wish."""
    old, now = seeded("s10", "A"), seeded("s20", "A")
    found = compare([now], [sent(old)])
    assert found == Comparison(changed=("s20",), renames={"s10": "s20"})
    assert found.came_from == {"s20": "s10"}
    anew = compare([now], [sent(old)], replace={"s20"})
    assert anew == Comparison(replaced=("s20",), renames={"s10": "s20~1"})


def test_renumbered_takes_whose_seeds_are_made_from_their_ids_keep_to_their_rows() -> None:
    records = [sent(seeded("s10", "A")), sent(seeded("s20", "B"))]
    found = compare([seeded("s10", "new"), seeded("s20", "A"), seeded("s30", "B")], records)
    assert (found.new, found.changed) == (("s10",), ("s20", "s30"))
    assert found.renames == {"s10": "s20", "s20": "s30"}


@pytest.mark.parametrize("state", [TakeState.PENDING, TakeState.FAILED, TakeState.DROPPED])
def test_of_takes_with_such_a_seed_only_what_may_be_paid_for_follows(state: TakeState) -> None:
    assert compare([seeded("s20", "A")], [sent(seeded("s10", "A"), state)]).new == ("s20",)


def test_a_seed_that_was_given_makes_another_take() -> None:
    assert compare([seeded("s20", "A", given=True)], [sent(seeded("s10", "A"))]).new == ("s20",)


def test_a_take_with_a_row_of_its_own_is_left_to_it() -> None:
    records = [sent(seeded("s10", "A"))]
    found = compare([seeded("s10", "A"), seeded("s20", "A")], records)
    assert (found.same, found.new) == (("s10",), ("s20",))
