"""Signals: ask to stop, then insist; what the parent ignores stays ignored."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from runner.commands.steps.signals import Interrupts, SignalHandler, handle_signals
from runner.domain.run_ending import Stop


class Engine:
    """Notes how it was asked to stop."""

    def __init__(self, *, away: bool = False, sending: int = 0) -> None:
        self.active_jobs = 3
        self.sending = sending
        self.is_away = away
        self.asked: list[tuple[Stop, float | None]] = []

    def stop(self, how: Stop, *, patience: float | None = None) -> None:
        self.asked.append((how, patience))


@pytest.mark.parametrize(
    ("signals", "asked"),
    [
        ([signal.SIGINT], [(Stop.DRAIN, None)]),
        ([signal.SIGINT, signal.SIGINT], [(Stop.DRAIN, None), (Stop.DETACH, 8.0)]),
        ([signal.SIGTERM], [(Stop.DETACH, 8.0)]),
        ([signal.SIGHUP], [(Stop.DETACH, 8.0)]),
        ([signal.SIGINT, signal.SIGTERM], [(Stop.DRAIN, None), (Stop.DETACH, 8.0)]),
    ],
)
def test_the_first_asks_and_the_second_insists(
    signals: list[signal.Signals], asked: list[tuple[Stop, float | None]]
) -> None:
    engine, said = Engine(), list[str]()
    interruption = SignalHandler(engine, say=said.append)
    for number in signals:
        interruption.take(number)
    assert engine.asked == asked
    assert interruption.signal == signals[0]
    assert all("3 jobs" in text for text in said)


@pytest.mark.parametrize(
    ("first", "asked"),
    [(Stop.DETACH, (Stop.DETACH, 8.0)), (Stop.CANCEL_QUEUED, (Stop.CANCEL_QUEUED, None))],
)
def test_the_first_interrupt_does_what_was_wished(first: Stop, asked: tuple[Stop, float | None]) -> None:
    engine = Engine()
    SignalHandler(engine, say=lambda _: None, first=first).take(signal.SIGINT)
    assert engine.asked == [asked]


def test_a_submit_in_the_air_is_waited_for_and_is_no_job_to_be_picked_up() -> None:
    said: list[str] = []
    engine = Engine(sending=1)
    engine.active_jobs = 0
    interruption = SignalHandler(engine, say=said.append)
    interruption.take(signal.SIGINT)
    interruption.take(signal.SIGINT)
    assert said[0].startswith(
        "submitting no more; clips may be on their way; waiting for the answer to 1 submit"
    )
    assert (
        said[1]
        == "leaving; 0 jobs at the API will be picked up by the next run; waiting for the answer to 1 submit"
    )


def test_a_drain_during_an_outage_says_that_it_waits_for_the_service() -> None:
    said: list[str] = []
    SignalHandler(Engine(away=True), say=said.append).take(signal.SIGINT)
    assert "once the API answers again" in said[0]


def handle(send: Callable[[], None]) -> Engine:
    """Send signals to this process while they are heeded."""
    engine = Engine()

    async def main() -> None:
        with handle_signals(SignalHandler(engine, say=lambda _: None), Interrupts()):
            send()
            for _ in range(3):
                await asyncio.sleep(0)

    asyncio.run(main())
    return engine


def test_signals_reach_the_engine_through_the_loop_and_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    engine = handle(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert engine.asked == [(Stop.DETACH, 8.0)]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_the_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        engine = handle(lambda: os.kill(os.getpid(), signal.SIGHUP))
        assert engine.asked == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interrupts_from_elsewhere_reach_whoever_listens_and_wait_until_then() -> None:
    interrupts, taken = Interrupts(), list[int]()
    interrupts.send()
    with interrupts.taken_by(taken.append):
        interrupts.send(signal.SIGTERM)
    interrupts.send()
    assert taken == [signal.SIGINT, signal.SIGTERM]


def test_a_process_that_is_not_the_runs_own_is_not_ended() -> None:
    codes = list[int]()
    interruption = SignalHandler(Engine(), say=lambda _: None, insist=codes.append)
    for _ in range(3):
        interruption.take(signal.SIGINT)
    assert codes == [128 + signal.SIGINT]
