"""The engine itself: it runs submitter, poller and downloader over one run state until the run ends.

In: tickets. Out: facts through the journal, and then an `Ending`.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from typing import Any

from runner.domain.orders import OrderOutcome, Tune
from runner.domain.records import CostsUntold
from runner.domain.run_ending import Ending, EndingKind, Stop
from runner.domain.run_events import Listener
from runner.domain.shots import Ticket
from runner.domain.states import ACTIVE, TakeState
from runner.engine import orders
from runner.engine.context import EngineContext
from runner.engine.downloader import Downloader
from runner.engine.late_costs import GRACE, ask_costs
from runner.engine.options import NO_PAST, EngineOptions, RunHistory
from runner.engine.poller import Poller
from runner.engine.ports import Announce, Delivery, FreeSpace, Journal, Queue, unannounced
from runner.engine.run_state import ActiveTake, RunState
from runner.engine.submit_results import SubmitResultHandler
from runner.engine.submit_window import SubmitWindow
from runner.engine.submitter import Submitter
from runner.engine.task_failures import raise_first_failure
from runner.system.backoff import Chance
from runner.system.clock import Clock

_LOOK_EVERY = 5.0
_GAP_THAT_COUNTS = 30.0


class Engine:
    """Runs tickets to their ends, once; all other methods are called in its event loop while it runs.

    `past` is what earlier runs left, and `deadline` the wall time at which submitting stops. Before each submit `room`
    says how many bytes there are for clips; None means that it is not known. `announce` is entered round each submit.
    `stand_ins` are hashes of clips that any
    number of jobs may have. `costs_untold` is what the run learnt if the API named no late cost.
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
        announce: Announce = unannounced,
        stand_ins: Collection[str] = (),
        chance: Chance = random.random,
        new_attempt: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._state = state = RunState(
            tickets, clock, journal=journal, listener=listener, options=options, past=past, deadline=deadline
        )
        self._context = context = EngineContext(state, queue, chance)
        self._lacking_cost = past.ended
        self._costs_asked = asyncio.Event()
        self.costs_untold: CostsUntold | None = None
        self._downloader = Downloader(context, delivery, stand_ins=stand_ins)
        self._poller = Poller(context, durations=past.durations, succeeded=self._succeeded)
        self._begun = state.now
        took = [job.seconds for job in past.durations]
        self._window = SubmitWindow(
            least=options.submit_window or 1,
            most=options.widest_window,
            job_seconds=sum(took) / len(took) if took else None,
        )
        results = SubmitResultHandler(
            context, window=self._window, accepted=self._poller.watch, extra_paid=past.extra_paid
        )
        self._submitter = Submitter(
            context,
            epoch=epoch,
            new_attempt=new_attempt,
            window=self._window,
            settle=results.settle,
            announce=announce,
            room=room,
        )

    @property
    def active_jobs(self) -> int:
        """How many jobs the API may be working on."""
        return sum(1 for live in self._state.live.values() if live.holds_slot and live.state in ACTIVE)

    @property
    def sending(self) -> int:
        """How many submits have begun but have no answer yet."""
        return sum(1 for live in self._state.live.values() if live.state is TakeState.SUBMITTING)

    @property
    def is_away(self) -> bool:
        """True while the API does not answer."""
        return not self._context.breaker.is_closed

    def stop(self, how: Stop, *, patience: float | None = None) -> None:
        """Submit no more; with `DETACH` leave as soon as the POSTs in flight have their answers.

        `patience` is how many seconds these may take before their takes are held; None waits until their deadlines.
        """
        self._state.end(EndingKind.INTERRUPTED, "", how)
        if patience is not None:
            asyncio.get_running_loop().call_later(patience, self._submitter.abandoned.set)

    @property
    def submits_no_more(self) -> bool:
        """True once the run is ending."""
        return self._state.submits_no_more

    def leave_for_reload(self) -> bool:
        """Leave as `DETACH` does, to go on with another plan; return False if the run is ending already."""
        is_leaving = not self._state.submits_no_more
        if is_leaving:
            self._state.end(EndingKind.RELOAD, "the manifest is read again", Stop.DETACH)
        return is_leaving

    @property
    def options(self) -> EngineOptions:
        """The numbers that hold now."""
        return self._state.options

    def pause(self) -> bool:
        """Begin no further POST until `resume`, and return whether that is new; jobs are watched and clips fetched."""
        return self._state.pause(is_on=True)

    def resume(self) -> bool:
        """Submit again, and return whether that is new."""
        return self._state.pause(is_on=False)

    def tune(self, order: Tune) -> OrderOutcome:
        """Put other numbers in force for the rest of the session: all of the order, or none of it."""
        return orders.tune(order, state=self._state, window=self._window)

    async def cancel(self, take_ids: Iterable[str], *, by: str) -> OrderOutcome:
        """Ask the API to cancel the jobs of takes, and leave those that are not sent yet to the next run.

        The record has `by` as the one who asked. A job is asked about once. There is one sentence a take.

        Raises:
            ShotrunnerError: an answer of the API could not be recorded.
        """
        return await orders.cancel(take_ids, by=by, state=self._state, poller=self._poller)

    async def run(self) -> Ending:
        """Work until every take is finished or the run is asked to stop.

        Raises:
            ShotrunnerError: the first failure of a part; everything recorded stays, and no POST was abandoned.
        """
        state = self._state
        state.warn_of_cost()
        # Oldest first, since the API does not keep results forever.
        for live in sorted(state.live.values(), key=lambda live: live.born):
            if live.state in ACTIVE:
                self._poller.watch(live)
            elif state.wants_fetching(live):
                self._downloader.collect(live)
        await self._work()
        if state.ending.kind is EndingKind.FINISHED and state.left_behind:
            return Ending(EndingKind.OUTAGE, "some takes could not be followed to their end")
        if state.ending.kind is EndingKind.FINISHED and state.too_old:
            left = f"jobs older than --job-limit: {state.too_old}; the next run looks at them again"
            return Ending(EndingKind.FINISHED, left)
        return state.ending

    async def _work(self) -> None:
        """Run every part; the first failure of one ends the rest, but never a POST that is being sent."""
        submits = asyncio.create_task(self._submitter.run())
        workers = [asyncio.create_task(work) for work in self._workers()]
        over = asyncio.create_task(self._over())
        waiting, has_failed = {over, submits, *workers}, False
        try:
            while not (over.done() or has_failed):
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                has_failed = any(task.exception() for task in done if not task.cancelled())
        finally:
            self._state.stop_submitting()
            await asyncio.wait({submits})
            for task in (*workers, over):
                task.cancel()
            await asyncio.wait({*workers, over})
        raise_first_failure([submits, *workers, over])

    def _succeeded(self, live: ActiveTake) -> None:
        # An earlier run's job may have ended long ago.
        if live.born >= self._begun:
            self._window.job_ended(self._state.now - live.born)
        self._downloader.collect(live)

    async def _over(self) -> None:
        """Wait until nothing is left to do, or the run is asked to leave."""
        await _first_of(self._state.left, self._state.finished)
        await _first_of(self._state.left, self._costs_asked, within=GRACE)

    def _workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._context.breaker.run()
        yield self._context.account.run()
        yield self._context.refusals.run()
        yield self._poller.run()
        yield self._poller.cancel_queued()
        yield self._poller.overdue.run()
        yield self._submitter.watch_the_time()
        yield self._ask_costs()
        yield self._notice_sleep()
        for _ in range(self._state.options.fetches_at_once):
            yield self._downloader.run()

    async def _ask_costs(self) -> None:
        state = self._state
        self.costs_untold = await ask_costs(
            self._lacking_cost, queue=self._context.queue, note=state.note_late, wall=state.clock.wall
        )
        self._costs_asked.set()

    async def _notice_sleep(self) -> None:
        """Look at everything after each sleep of the machine; runs until it is cancelled."""
        clock = self._state.clock
        wall, monotonic = clock.wall(), clock.monotonic()
        while True:
            await clock.sleep(_LOOK_EVERY)
            gap = (clock.wall() - wall) - (clock.monotonic() - monotonic)
            wall, monotonic = clock.wall(), clock.monotonic()
            if gap >= _GAP_THAT_COUNTS:
                self._state.say(f"this machine slept for {gap:.0f} s; checking every job now")
                self._poller.poll_now()


async def _first_of(*events: asyncio.Event, within: float | None = None) -> None:
    """Wait until one of `events` is set, or `within` seconds have passed."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=within)
    finally:
        for wait in waits:
            wait.cancel()
