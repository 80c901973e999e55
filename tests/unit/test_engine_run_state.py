"""The state of a run keeps what it is about, and learns from other threads in batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context

import pytest

from runner.domain.states import (
    Accepted,
    Delivered,
    Ended,
    Fact,
    FetchStarted,
    LostContact,
    NotSent,
    SubmissionStarted,
    TakeState,
)
from runner.engine.hand_over import HandOver
from runner.engine.options import EngineOptions
from runner.engine.pending import Lane
from runner.engine.run_state import RunState
from runner.engine.testing import MemoryJournal, Recorder
from tests.unit.test_engine import MODEL, ticket
from tests.virtual_time import VirtualClock, run_virtual

LANE = Lane(is_rest=True, model=MODEL)
BEGUN = SubmissionStarted("a1", "print-of-s0", 1)
WON = Ended(TakeState.SUCCEEDED, "{}", ("https://files.example/clip.mp4",))
ENDS: dict[str, list[Fact]] = {
    "delivered": [BEGUN, Accepted("a1", "r1"), WON, FetchStarted("u"), Delivered("f", "0" * 64, 1)],
    "failed": [BEGUN, Accepted("a1", "r1"), Ended(TakeState.FAILED, "{}")],
    "held": [BEGUN, LostContact("a1", "sent", "cut")],
}


@pytest.mark.parametrize("end", ENDS)
def test_a_take_is_kept_until_it_is_over_and_no_longer(end: str) -> None:
    async def main() -> None:
        state = RunState(
            [ticket("s0"), ticket("s1")],
            VirtualClock(),
            journal=MemoryJournal(["s0"]),
            listener=Recorder(),
            options=EngineOptions(),
        )
        live = state.claim(LANE)
        for fact in ENDS[end]:
            assert [*state.live] == ["s0"]
            await state.record(live, fact)
        assert not state.live
        assert state.unfinished == {"s1"}
        assert state.held == ({"s0"} if end == "held" else set())

    run_virtual(main())


def test_a_take_that_was_put_back_is_the_same_one_when_it_goes_again() -> None:
    async def main() -> None:
        journal = MemoryJournal(["s0"])
        state = RunState(
            [ticket("s0")], VirtualClock(), journal=journal, listener=Recorder(), options=EngineOptions()
        )
        live = state.claim(LANE)
        await state.record(live, BEGUN)
        await state.record(live, NotSent("a1", "no route"))
        state.put_back(live)
        assert not state.live
        assert [each.take_id for each in state.tickets] == ["s0"]
        assert state.claim(LANE) is live

    run_virtual(main())


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the calls that come from outside."""

    called = 0

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *arguments: object, context: Context | None = None
    ) -> asyncio.Handle:
        self.called += 1
        return super().call_soon_threadsafe(callback, *arguments, context=context)


def test_one_call_into_the_loop_hands_over_all_that_was_completed_by_then() -> None:
    works: list[Future[int]] = [Future() for _ in range(100)]

    async def main() -> list[int]:
        handed = HandOver()
        waiting = asyncio.gather(*(handed.result(work) for work in works))
        await asyncio.sleep(0)
        for number, work in enumerate(works):
            work.set_result(number)
        return await waiting

    loop = CountingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main()) == [*range(100)]
        assert loop.called == 1


def test_a_caller_that_was_cancelled_cancels_nothing_and_errors_are_passed_on() -> None:
    async def main() -> None:
        handed, kept, failing = HandOver(), Future[str](), Future[str]()
        waiting = asyncio.ensure_future(handed.result(kept))
        await asyncio.sleep(0)
        waiting.cancel()

        def elsewhere() -> None:
            kept.set_result("kept")
            failing.set_exception(OSError("full"))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        with pytest.raises(OSError, match="full"):
            await handed.result(failing)
        thread.join()
        assert kept.result() == "kept"
        assert waiting.cancelled()

    asyncio.run(main())
