"""What a person has changed about a session while it goes on. It outlasts the engine, which a reload replaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.domain.orders import GivenOrder, OrderOutcome, Tune
from runner.domain.run_events import Steered
from runner.domain.states import TakeState
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions


@dataclass(slots=True)
class Controls:
    """How a session goes on: by which numbers, whether it is paused, and without which takes that were not sent.

    `reload` is the order for which the engine ended, and `answered` what its successor's followers hear first.
    """

    options: EngineOptions
    tunes: list[Tune] = field(default_factory=list)
    is_paused: bool = False
    left_out: set[str] = field(default_factory=set)
    reload: GivenOrder | None = None
    answered: Steered | None = None

    def wants(self, take_id: str, state: TakeState) -> bool:
        """Return whether the session still wants a take."""
        return state is not TakeState.PENDING or take_id not in self.left_out


_TOO_LATE = OrderOutcome(changed=False, says=("this run submits nothing more: it is ending",))


class SteeredEngine:
    """An engine that obeys orders, and notes in `controls` what holds for the next one."""

    def __init__(self, engine: Engine, controls: Controls) -> None:
        self._engine, self._controls = engine, controls
        if controls.is_paused:
            engine.pause()

    def pause(self) -> OrderOutcome:
        """Submit no more until `resume`."""
        if self._engine.submits_no_more:
            return _TOO_LATE
        self._controls.is_paused = True
        if self._engine.pause():
            return OrderOutcome(changed=True, says=("it submits no more; its jobs go on",))
        return OrderOutcome(changed=False, says=("it was paused already",))

    def resume(self) -> OrderOutcome:
        """Submit again."""
        if self._engine.submits_no_more:
            return _TOO_LATE
        self._controls.is_paused = False
        if self._engine.resume():
            return OrderOutcome(changed=True, says=("it submits again",))
        return OrderOutcome(changed=False, says=("it was not paused",))

    def tune(self, tune: Tune) -> OrderOutcome:
        """Go on with other numbers."""
        outcome = self._engine.tune(tune)
        self._controls.options = self._engine.options
        if outcome.changed:
            self._controls.tunes.append(tune)
        return outcome

    async def cancel(self, take_ids: Sequence[str], *, by: str) -> OrderOutcome:
        """Ask the API to cancel jobs, and do not send those takes that wait."""
        self._controls.left_out.update(take_ids)
        return await self._engine.cancel(take_ids, by=by)

    def reload(self, given: GivenOrder) -> OrderOutcome | None:
        """End for another plan; the outcome is known when that is made, or at once if the run is ending already."""
        if not self._engine.leave_for_reload():
            return _TOO_LATE
        self._controls.reload = given
        return None
