"""The engine itself: puts submitter, watcher and collector round one board and runs them to the end.

In: tickets. Out: an `Ending`, and on the way facts through the journal. See the package for what it must not know.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from runner.engine.board import Board
from runner.engine.collect import Collector
from runner.engine.gate import Gate
from runner.engine.means import Means
from runner.engine.options import Ending, EndingKind, EngineOptions, Stop
from runner.engine.ports import Delivery, Journal, Listener, Queue
from runner.engine.submit import Submitter
from runner.engine.watch import Watcher
from runner.errors import ShotrunnerError
from runner.pacing import Chance, Clock, Durations
from runner.shots import Ticket
from runner.states import OUT_THERE


def _new_attempt() -> str:
    return uuid.uuid4().hex


class Engine:
    """Runs tickets to their ends, once; `stop` may be called from the loop's signal handlers."""

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
        durations: Durations | None = None,
        chance: Chance = random.random,
        new_attempt: Callable[[], str] = _new_attempt,
    ) -> None:
        self._options = options
        self._ending = Ending(EndingKind.FINISHED)
        self._left = asyncio.Event()
        self._board = Board(tickets, journal=journal, clock=clock, listener=listener, options=options)
        self._gate = Gate(
            queue=queue,
            clock=clock,
            limit=options.outage_limit,
            say=self._board.say,
            away=lambda reason: self._end(EndingKind.OUTAGE, reason, Stop.DETACH),
            opened=self._board.changed.set,
        )
        means = Means(self._board, queue, self._gate, clock, options, chance, self._end)
        self._collector = Collector(means, delivery=delivery)
        self._watcher = Watcher(means, durations=durations or Durations(), succeeded=self._collector.collect)
        self._submitter = Submitter(means, epoch=epoch, new_attempt=new_attempt, accepted=self._watcher.watch)

    @property
    def out_there(self) -> int:
        """How many jobs the API may be working on."""
        return self._board.slots_held

    def stop(self, how: Stop) -> None:
        """Submit no more; with `DETACH` leave as soon as the POST in the air has its answer."""
        self._end(EndingKind.INTERRUPTED, "", how)

    def _end(self, kind: EndingKind, reason: str, how: Stop) -> None:
        """Come to an end; the first reason given is the one told."""
        if self._ending.kind is EndingKind.FINISHED:
            self._ending = Ending(kind, reason)
        self._submitter.stop()
        self._board.give_up_pending()
        if how is Stop.DETACH:
            self._left.set()

    async def run(self) -> Ending:
        """Work until every take is finished or the run is told to stop.

        Raises:
            DiskFailed, IllegalTransition: the first failure to record a fact; everything recorded stays.
        """
        for live in self._board.takes:
            if live.state in OUT_THERE:
                self._watcher.watch(live)
            elif self._board.wants_fetching(live):
                self._collector.collect(live)
        with _first_error_alone():
            async with asyncio.TaskGroup() as group:
                await self._work(group)
        return self._ending

    async def _work(self, group: asyncio.TaskGroup) -> None:
        submits = [group.create_task(self._submitter.run()) for _ in range(self._options.submit_window)]
        workers = [group.create_task(work) for work in self._workers()]
        leaving = group.create_task(self._left.wait())
        finished = group.create_task(self._board.finished.wait())
        await asyncio.wait({leaving, finished}, return_when=asyncio.FIRST_COMPLETED)
        # A POST in the air is never abandoned: its answer may be the receipt for money.
        await asyncio.wait(submits)
        if not self._left.is_set():
            await self._board.finished.wait()
        for task in (*workers, leaving, finished):
            task.cancel()

    def _workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._gate.keep()
        for _ in range(self._options.looks_at_once):
            yield self._watcher.run()
        for _ in range(self._options.fetches_at_once):
            yield self._collector.run()


@contextmanager
def _first_error_alone() -> Iterator[None]:
    """Raise the first of our own errors instead of the task group's bundle."""
    try:
        yield
    except BaseExceptionGroup as bundle:
        for error in bundle.exceptions:
            if isinstance(error, ShotrunnerError):
                raise error from bundle
        raise
