"""When the gate in front of the API shuts: on several takes' failures, or on one take's that nobody contradicts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from runner.answers import Trouble
from runner.engine.gate import ALONE_THAT_SHUT, FIRST_PROBE, PROBE_EVERY, Gate
from runner.testing import VirtualClock, run_virtual


class Nobody:
    """A queue that nothing may be asked of."""

    async def probe(self, model: str) -> Trouble | None:
        raise AssertionError(model)


class Answering:
    """A queue that answers every probe."""

    async def probe(self, model: str) -> Trouble | None:
        assert model == "acme/dream"
        return None


async def gate(queue: Nobody | Answering | None = None) -> Gate:
    """Return an open gate that nobody keeps, so that it stays shut once it is."""
    return Gate(
        queue=queue or Nobody(),  # type: ignore[arg-type]  # nothing but a probe could be asked, and nothing else is
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


async def waits(shut: Callable[[Gate, int], None], *, times: int, apart: float = 1.0) -> list[float]:
    """Shut a gate `times` times, each `apart` seconds after it opened, and return how long it stayed shut."""
    clock = VirtualClock()
    one = await gate(Answering())
    keeper = asyncio.ensure_future(one.keep())
    lasted = []
    for number in range(times):
        began = clock.monotonic()
        shut(one, number)
        await one.passes()
        lasted.append(clock.monotonic() - began)
        await asyncio.sleep(apart)
    keeper.cancel()
    return lasted


def lose_reads(at: Gate, number: int) -> None:
    for take in range(5):
        fail(at, f"s{number}-{take}")


def lose_a_submit(at: Gate, number: int) -> None:
    at.shut("acme/dream", f"connection {number} reset")


def test_reads_that_fail_again_and_again_shut_it_for_longer_and_longer_up_to_half_a_minute() -> None:
    """A burst of bad gateways must not cost a night half a minute for each three looks."""
    assert run_virtual(waits(lose_reads, times=5)) == [1.0, 4.0, 16.0, 30.0, 30.0]


def test_a_submit_that_is_lost_again_waits_half_a_minute_at_once() -> None:
    """It may have been paid for: a service that loses submits and answers looks must not be fed quickly."""
    assert run_virtual(waits(lose_a_submit, times=3)) == [FIRST_PROBE, PROBE_EVERY, PROBE_EVERY]


def test_reads_that_fail_after_a_lost_submit_begin_with_a_short_wait() -> None:
    def shut(at: Gate, number: int) -> None:
        (lose_reads if number else lose_a_submit)(at, number)

    assert run_virtual(waits(shut, times=3)) == [1.0, 1.0, 4.0]


@pytest.mark.parametrize("shut", [lose_reads, lose_a_submit])
def test_a_spell_is_forgotten_after_a_quarter_of_an_hour(shut: Callable[[Gate, int], None]) -> None:
    assert run_virtual(waits(shut, times=3, apart=901.0)) == [FIRST_PROBE] * 3
