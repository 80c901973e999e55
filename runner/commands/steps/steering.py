"""Obeys what people ask of a session from outside: it looks for orders, lets the engine obey, and records the outcome.

In: an engine that can be steered, and the open record. An order is taken before it is obeyed, and recorded before it is
reported. So a kill at any moment repeats none: the next session has another epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.commands.steps.tuned_settings import tuned
from runner.domain.errors import ShotrunnerError
from runner.domain.orders import CancelTakes, GivenOrder, OrderOutcome, Pause, Reload, Resume, Tune
from runner.domain.run_events import Listener, Message, Steered
from runner.store.order_box import OrderBox
from runner.system.canonical_json import JsonValue
from runner.system.clock import Clock

LOOK_S = 0.5
PATIENCE_S = 5.0
"""Seconds that a session waits at its end for an order that is being obeyed."""


class Steerable(Protocol):
    """What obeys orders: an engine. Each answer says what is different from now on."""

    def pause(self) -> OrderOutcome:
        """Submit no more until `resume`."""
        ...

    def resume(self) -> OrderOutcome:
        """Submit again."""
        ...

    def tune(self, tune: Tune) -> OrderOutcome:
        """Go on with other numbers."""
        ...

    async def cancel(self, take_ids: Sequence[str], *, by: str) -> OrderOutcome:
        """Ask the API to cancel jobs, and do not send those takes that wait."""
        ...

    def reload(self, given: GivenOrder) -> OrderOutcome | None:
        """End, to go on with the manifest as it is now; None if the answer comes with the new plan."""
        ...


class OrderJournal(Protocol):
    """What records orders: the state file."""

    @property
    def epoch(self) -> int:
        """The epoch of this session."""
        ...

    def note_order(
        self,
        given: GivenOrder,
        outcome: OrderOutcome,
        *,
        at: float,
        settings: Mapping[str, JsonValue] | None = None,
    ) -> Future[None]:
        """Record an outcome, and the settings that are different now."""
        ...


@dataclass(slots=True)
class Steering:
    """Watches the orders of one session, every `interval` seconds; `listener` hears of each that was answered."""

    run_dir: Path
    engine: Steerable
    journal: OrderJournal
    listener: Listener
    clock: Clock
    interval: float = LOOK_S
    _at_work: asyncio.Lock = field(default_factory=asyncio.Lock)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Look again and again, until it is cancelled or the engine leaves for another plan."""
        box = OrderBox(self.run_dir)
        box.forget_taken()
        while not self._leaving.is_set():
            async with self._at_work:
                for given in box.waiting(epoch=self.journal.epoch, now=self.clock.wall()):
                    # If it cannot be taken, it was withdrawn a moment ago. The next engine obeys what comes now.
                    if not self._leaving.is_set() and box.take(given.id) and await self._answer(given):
                        box.forget(given.id)
            await self.clock.sleep(self.interval)

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Watch as long as the block lasts; at its end an order that is being obeyed is given five seconds."""
        watching = asyncio.create_task(self.watch())
        try:
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._at_work.acquire()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _answer(self, given: GivenOrder) -> bool:
        """Obey and record one order; return False if it is not on record yet."""
        try:
            outcome = await self._obeyed(given)
            if outcome is None:
                self._leaving.set()
                return False
        except ShotrunnerError as error:
            outcome = OrderOutcome(changed=False, says=tuple(filter(None, (error.message, error.advice))))
        except Exception as error:  # noqa: BLE001 - no order may end a run that has paid for jobs, not even by a bug
            outcome = OrderOutcome(changed=False, says=(f"a bug in Shotrunner: {type(error).__name__}",))
        settings = tuned(given.order) if isinstance(given.order, Tune) and outcome.changed else {}
        at = self.clock.wall()
        try:
            await asyncio.wrap_future(self.journal.note_order(given, outcome, at=at, settings=settings))
        except Exception as error:  # noqa: BLE001 - as above; a failing disk meets the engine at its next fact
            why = error.message if isinstance(error, ShotrunnerError) else type(error).__name__
            self.listener.on_event(Message(f"an order of {given.by} could not be recorded: {why}"))
            return False
        self.listener.on_event(Steered(given.order, given.by, at, outcome.changed, outcome.says))
        return True

    async def _obeyed(self, given: GivenOrder) -> OrderOutcome | None:
        match given.order:
            case Pause():
                return self.engine.pause()
            case Resume():
                return self.engine.resume()
            case Tune():
                return self.engine.tune(given.order)
            case CancelTakes(take_ids):
                return await self.engine.cancel(take_ids, by=given.by)
            case Reload():
                return self.engine.reload(given)
