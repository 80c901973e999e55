"""When the gate in front of the API shuts: on several takes' failures, or on one take's that nobody contradicts."""

from __future__ import annotations

import asyncio

import pytest

from runner.answers import Trouble
from runner.engine.gate import ALONE_THAT_SHUT, Gate
from runner.testing import VirtualClock, run_virtual


class Nobody:
    """A queue that nothing may be asked of."""

    async def probe(self, model: str) -> Trouble | None:
        raise AssertionError(model)


async def gate() -> Gate:
    """Return an open gate that nobody keeps, so that it stays shut once it is."""
    return Gate(
        queue=Nobody(),  # type: ignore[arg-type]  # nothing but a probe could be asked, and nothing is
        clock=VirtualClock(),
        limit=3600.0,
        say=lambda _: None,
        end=lambda *_: None,
        opened=lambda: None,
    )


def fail(at: Gate, take_id: str) -> None:
    at.failed(take_id, "acme/dream", "no route", out_there=9)


@pytest.mark.parametrize("takes", [1, 2, 3])
def test_it_shuts_on_three_takes_at_once_and_not_on_fewer(takes: int) -> None:
    async def talk() -> bool:
        one = await gate()
        for number in range(takes):
            fail(one, f"s{number}")
        return one.is_open

    assert run_virtual(talk()) is (takes < 3)


@pytest.mark.parametrize(("answered", "is_open"), [(False, False), (True, True)])
def test_one_take_that_fails_for_a_minute_shuts_it_unless_another_is_answered(
    answered: bool, is_open: bool
) -> None:
    """At the end of a night few jobs are left, and no three of them are looked at within an outage."""

    async def talk() -> bool:
        one = await gate()
        for second in range(0, int(ALONE_THAT_SHUT) + 1, 20):
            assert one.is_open
            fail(one, "s010")
            if answered and second == 40:
                one.answered()
            await asyncio.sleep(20)
        return one.is_open

    assert run_virtual(talk()) is is_open
