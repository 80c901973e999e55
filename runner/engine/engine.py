"""The engine itself: it runs submitter, poller and downloader over one board until the run ends.

In: tickets. Out: an `Ending`, and on the way facts through the journal. The package says what it must not know.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

from runner.domain.errors import ShotrunnerError
from runner.domain.run_ending import Ending, EndingKind, Stop
from runner.domain.run_events import Listener
from runner.domain.shots import Ticket
from runner.domain.states import OUT_THERE, TakeState
from runner.engine.account_check import AccountCheck
from runner.engine.circuit_breaker import CircuitBreaker
from runner.engine.context import EngineContext
from runner.engine.downloader import Downloader
from runner.engine.history import NO_PAST, RunHistory
from runner.engine.late_costs import GRACE, LateCosts, without_cost
from runner.engine.options import EngineOptions
from runner.engine.poll_pace import Durations
from runner.engine.poller import Poller
from runner.engine.ports import Delivery, FreeSpace, Journal, Queue
from runner.engine.refusals import Refusals
from runner.engine.run_state import RunState
from runner.engine.scouts import ScoutGate
from runner.engine.submit_results import SubmitResultHandler
from runner.engine.submitter import Submitter
from runner.engine.timers import notice_sleep
from runner.system.backoff import Chance
from runner.system.clock import Clock


def _new_attempt() -> str:
    return uuid.uuid4().hex


class Engine:
    """Runs tickets to their ends, once; `stop` may be called from the loop's signal handlers.

    `past` is what earlier runs left, and `deadline` the wall time at which submitting stops. Before each submit `room`
    says how many bytes there are for clips; None means that it is not known.
    """

    def __init__(
        self,
        tickets: Iterable[Ticket],
        *,
        queue: Queue,
        journal: Journal,
        delivery: Delivery,
        clock: Clock,
        listener: Listener,
        options: EngineOptions,
        epoch: int,
        past: RunHistory = NO_PAST,
        deadline: float | None = None,
        room: FreeSpace | None = None,
        chance: Chance = random.random,
        new_attempt: Callable[[], str] = _new_attempt,
    ) -> None:
        tickets = tuple(tickets)
        self._ending = Ending(EndingKind.FINISHED)
        self._left = asyncio.Event()
        self._board = RunState(
            tickets,
            journal=journal,
            clock=clock,
            listener=listener,
            options=options,
            past=past,
            deadline=deadline,
        )
        self._means = means = self._shared(queue, clock, options, chance)
        lacking = without_cost({*tickets, *past.ended}, now=clock.wall())
        self._costs = LateCosts(lacking, queue=queue, note=self._board.note_late)
        self._downloader = Downloader(means, delivery=delivery)
        durations = Durations(past.durations)
        self._poller = Poller(means, durations=durations, succeeded=self._downloader.collect)
        settler = SubmitResultHandler(means, accepted=self._poller.watch, extra_paid=past.extra_paid)
        self._submitter = Submitter(
            means, epoch=epoch, new_attempt=new_attempt, settle=settler.settle, room=room
        )

    def _shared(self, queue: Queue, clock: Clock, options: EngineOptions, chance: Chance) -> EngineContext:
        """Return what all parts work with; each of them may end the run."""
        board, end = self._board, self._end
        account = AccountCheck(board, queue=queue, clock=clock, limit=options.refusal_limit, end=end)
        breaker = CircuitBreaker(
            queue=queue,
            clock=clock,
            limit=options.outage_limit,
            say=board.say,
            end=end,
            closed=board.changed.set,
        )
        refusals = Refusals(board, breaker=breaker, clock=clock, options=options, end=end)
        vanguard = ScoutGate(board, each=options.scout, end=end)
        return EngineContext(board, queue, breaker, clock, options, chance, end, vanguard, account, refusals)

    @property
    def out_there(self) -> int:
        """How many jobs the API may be working on."""
        return sum(1 for live in self._board.takes if live.holds_slot and live.state in OUT_THERE)

    @property
    def sending(self) -> int:
        """How many submits have begun but have no answer yet."""
        return sum(1 for live in self._board.takes if live.state is TakeState.SUBMITTING)

    @property
    def is_away(self) -> bool:
        """True while the API does not answer."""
        return not self._means.breaker.is_closed

    def stop(self, how: Stop, *, patience: float | None = None) -> None:
        """Submit no more; with `DETACH` leave as soon as the POST being sent has its answer.

        `patience` is how many seconds that answer may take before its take is held; None waits until its deadline.
        """
        self._end(EndingKind.INTERRUPTED, "", how)
        if patience is not None:
            asyncio.get_running_loop().call_later(patience, self._submitter.abandon)

    def _end(self, kind: EndingKind, reason: str, how: Stop) -> None:
        """End the run; the first reason given is the one reported."""
        if self._ending.kind is EndingKind.FINISHED:
            self._ending = Ending(kind, reason)
        self._submitter.stop()
        self._board.give_up_pending()
        if how is Stop.DETACH:
            self._left.set()
        elif how is Stop.CANCEL_QUEUED:
            self._poller.want_cancel("--cutoff" if kind is EndingKind.LIMIT else "--on-interrupt")

    async def run(self) -> Ending:
        """Work until every take is finished or the run is asked to stop.

        Raises:
            ShotrunnerError: the first failure of a part; everything recorded stays, and no POST was abandoned.
        """
        self._board.warn_of_cost()
        # Oldest first, since the API does not keep results forever.
        for live in sorted(self._board.takes, key=lambda live: live.born):
            if live.state in OUT_THERE:
                self._poller.watch(live)
            elif self._board.wants_fetching(live):
                self._downloader.collect(live)
        await self._work()
        if self._ending.kind is EndingKind.FINISHED and self._board.left_behind:
            return Ending(EndingKind.OUTAGE, "some takes could not be followed to their end")
        if self._ending.kind is EndingKind.FINISHED and self._board.too_old:
            left = f"jobs older than --job-limit: {self._board.too_old}; the next run looks at them again"
            return Ending(EndingKind.FINISHED, left)
        return self._ending

    async def _work(self) -> None:
        """Run every part; the first failure of one ends the rest, but never a POST that is being sent."""
        submits = [
            asyncio.create_task(self._submitter.run()) for _ in range(self._means.options.submit_window)
        ]
        workers = [asyncio.create_task(work) for work in self._workers()]
        over = asyncio.create_task(self._over())
        try:
            await _until_done_or_failed(over, {*submits, *workers})
        finally:
            self._submitter.stop()
            # The answer to a POST that is being sent may be the receipt for money.
            await asyncio.wait(submits)
            for task in (*workers, over):
                task.cancel()
            await asyncio.wait({*workers, over})
        _raise_first_failure([*submits, *workers, over])

    async def _over(self) -> None:
        """Wait until nothing is left to do, or the run is asked to leave."""
        await _first_of(self._left, self._board.finished)
        await _first_of(self._left, self._costs.done, within=GRACE)

    def _workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._means.breaker.keep()
        yield self._means.account.keep()
        yield self._means.refusals.keep()
        yield self._poller.cancel_queued()
        yield self._poller.overdue.run()
        yield self._submitter.watch_the_time()
        yield self._costs.run()
        yield notice_sleep(self._means.clock, self._after_sleep)
        for _ in range(self._means.options.looks_at_once):
            yield self._poller.run()
        for _ in range(self._means.options.fetches_at_once):
            yield self._downloader.run()

    def _after_sleep(self, seconds: float) -> None:
        self._board.say(f"this machine slept for {seconds:.0f} s; looking at everything now")
        self._poller.poll_now()


async def _first_of(*events: asyncio.Event, within: float | None = None) -> None:
    """Wait until one of `events` is set, or `within` seconds have passed."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=within)
    finally:
        for wait in waits:
            wait.cancel()


async def _until_done_or_failed(over: asyncio.Task[None], parts: set[asyncio.Task[None]]) -> None:
    waiting = {over, *parts}
    while not over.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(task.exception() for task in done if not task.cancelled()):
            return


def _raise_first_failure(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raise the first failure, a `ShotrunnerError` if there is one, with the others in its notes."""
    failures = [failure for task in tasks if not task.cancelled() and (failure := task.exception())]
    failures.sort(key=lambda failure: not isinstance(failure, ShotrunnerError))
    for other in failures[1:]:
        failures[0].add_note(f"besides: {type(other).__name__}: {other}")
    if failures:
        raise failures[0]
