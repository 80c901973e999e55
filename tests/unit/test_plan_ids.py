"""A take's id is short, readable, a safe file name, and depends on its own point alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.identity import LONGEST, take_id
from runner.system.canonical_json import JsonValue


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({}, "s010"),
        ({"seed": 1001, "resolution": "720p"}, "s010@resolution=720p,seed=1001"),
        ({"loop": True}, "s010@loop=true"),
        ({"scale": -0.5}, "s010@scale=-0.5"),
        ({"end": None}, "s010@end=null"),
        ({"style": "Warm_v1.2"}, "s010@style=Warm_v1.2"),
        ({"style": "x" * 24}, "s010@style=" + "x" * 24),
        ({"camera.zoom": 2}, "s010@camera.zoom=2"),
    ],
)
def test_short_and_plain_values_stand_as_they_are(point: dict[str, JsonValue], expected: str) -> None:
    assert take_id("s010", point) == expected


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("35 mm, soft morning light", "35"),
        ("https://example.com/a.jpg", "https"),
        ("x" * 25, "x" * 16),
        ("../../etc", "etc"),
        ("16:9", "16"),
        ("日本", "value"),
        ("", "value"),
        ([720, 1080], "720"),
    ],
)
def test_any_other_value_is_its_first_word_and_a_piece_of_its_hash(value: JsonValue, word: str) -> None:
    assert re.fullmatch(f"s010@style={word}-[0-9a-f]{{6}}", take_id("s010", {"style": value}))


def test_values_with_the_same_first_word_differ() -> None:
    assert take_id("s", {"a": "soft light"}) != take_id("s", {"a": "soft rain"})


def test_a_very_long_id_is_cut_and_still_tells_points_apart() -> None:
    first, second = (take_id("s" * 80, {f"axis{i:02}": i + last for i in range(40)}) for last in (0, 1))
    assert len(first) == len(second) == LONGEST
    assert first != second
    assert first.startswith("s" * 80 + "@axis00=0,")


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
)
points = st.dictionaries(st.text(min_size=1, max_size=30), values, max_size=8)


@given(points)
def test_an_id_is_always_a_safe_file_name(point: dict[str, JsonValue]) -> None:
    made = take_id("s010", point)
    assert len(made.encode()) <= LONGEST
    assert re.fullmatch(r"[A-Za-z0-9._@=,-]+", made)
    assert made.startswith("s010")


@given(points)
def test_the_order_of_the_axes_does_not_matter(point: dict[str, JsonValue]) -> None:
    assert take_id("s010", dict(reversed(point.items()))) == take_id("s010", point)
