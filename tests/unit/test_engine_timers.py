"""A spell counts from when it was first noticed, until it is over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.timers import Stopwatch

MOMENTS = st.lists(st.floats(0.0, 1e9), min_size=1, max_size=8).map(sorted)


@given(MOMENTS)
def test_it_lasts_since_it_was_first_noticed(moments: list[float]) -> None:
    spell = Stopwatch()
    assert [spell.goes_on(now) for now in moments] == [now - moments[0] for now in moments]
    assert spell.count == len(moments)


@given(MOMENTS, MOMENTS)
def test_after_its_end_it_begins_anew(before: list[float], after: list[float]) -> None:
    spell = Stopwatch()
    for now in before:
        spell.goes_on(now)
    spell.is_over()
    assert (spell.since, spell.count) == (None, 0)
    assert [spell.goes_on(now) for now in after] == [now - after[0] for now in after]


def test_a_spell_that_begins_at_moment_zero_has_begun() -> None:
    """A monotonic clock may start at zero, which must not be taken for nothing."""
    spell = Stopwatch()
    spell.goes_on(0.0)
    assert spell.since == 0.0
    assert spell.goes_on(5.0) == 5.0
