"""A spell counts from when it was first noticed, until it is over; a queue wakes its worker for what is due first."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.timers import Stopwatch, TimerQueue
from tests.virtual_time import VirtualClock, run_virtual

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


class CountedClock(VirtualClock):
    """A clock that counts how often it is read."""

    reads = 0

    def monotonic(self) -> float:
        self.reads += 1
        return super().monotonic()


def test_what_is_due_later_wakes_nobody() -> None:
    async def main() -> int:
        clock = CountedClock()
        agenda: TimerQueue[str] = TimerQueue(clock)
        agenda.add("first", after=10.0)
        waiting = asyncio.create_task(agenda.next())
        await asyncio.sleep(1.0)
        before = clock.reads
        for _ in range(1000):
            agenda.add("later", after=20.0)
            await asyncio.sleep(0.001)
        assert await waiting == "first"
        return clock.reads - before - 1000

    assert run_virtual(main()) <= 2


def test_what_is_due_sooner_than_all_is_handed_out_first() -> None:
    async def main() -> list[str]:
        agenda: TimerQueue[str] = TimerQueue(VirtualClock())
        agenda.add("late", after=10.0)
        waiting = asyncio.create_task(agenda.next())
        await asyncio.sleep(1.0)
        agenda.add("soon", after=2.0)
        return [await waiting, await agenda.next()]

    assert run_virtual(main()) == ["soon", "late"]
