"""Numbers of takes: each take of a shot has its own, keeps it, and shares it with its older renders alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.labels import Numbered, new_numbers, take_label

TAKES = st.lists(
    st.builds(
        Numbered, st.sampled_from(["a", "b", "c", "d", "a~1", "a~2", "b~1"]), st.just("s"), st.integers(0, 3)
    ),
    unique_by=lambda take: take.take_id,
)


def test_a_label_is_the_shot_and_the_number_and_an_older_render_has_its_mark() -> None:
    assert take_label("s010", 2, "s010@seed=7") == "s010_t02"
    assert take_label("s010", 12, "s010@seed=7~1") == "s010_t12~1"


@pytest.mark.parametrize(
    ("takes", "moved", "changed"),
    [
        ([("a", "s", 0), ("b", "s", 0), ("c", "z", 0)], (), {"a": 1, "b": 2, "c": 1}),
        ([("new", "s", 0), ("a", "s", 1), ("gone", "s", 4)], (), {"new": 5}),
        ([("a", "s", 0), ("a~1", "s", 2)], (), {"a": 2}),
        ([("a", "s", 1), ("b", "s", 1)], ("a",), {"a": 2}),
        ([("a", "s", 1), ("a~1", "s", 1), ("b", "s", 1)], ("a", "a~1"), {"a": 2, "a~1": 2}),
        ([("a", "s", 3)], ("a",), {}),
    ],
    ids=[
        "in board order",
        "after the last",
        "a newer render",
        "moved",
        "moved with its renders",
        "moved alone",
    ],
)
def test_only_what_has_no_number_of_its_own_gets_one(
    takes: list[tuple[str, str, int]], moved: tuple[str, ...], changed: dict[str, int]
) -> None:
    assert new_numbers((Numbered(*take) for take in takes), moved=moved) == changed


@given(takes=TAKES, moved=st.sets(st.sampled_from("abcd")))
def test_no_two_takes_of_a_shot_have_one_number_and_a_second_look_changes_nothing(
    takes: list[Numbered], moved: set[str]
) -> None:
    changed = new_numbers(takes, moved=moved)
    after = [take._replace(number=changed.get(take.take_id, take.number)) for take in takes]
    numbers = {take.take_id.partition("~")[0]: take.number for take in after}
    assert all(take.number == numbers[take.take_id.partition("~")[0]] > 0 for take in after)
    assert len(set(numbers.values())) == len(numbers)
    assert new_numbers(after) == {}
