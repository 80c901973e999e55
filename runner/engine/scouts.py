"""Scouts: a few takes of every model and settings must succeed before the rest is paid for.

It decides which takes may go. It knows no API and records nothing.
"""

from __future__ import annotations

from collections import Counter

from runner.domain.job_settings import settings_of
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.shots import Ticket
from runner.domain.states import ACTIVE, Ended, TakeState
from runner.engine.run_state import ActiveTake, RunState


class ScoutGate:
    """Puts the scouts at the head of the queue and holds all other takes until the scouts have succeeded."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        seen: Counter[tuple[str, str]] = Counter()
        # What an earlier engine has sent is paid for, so it is a scout before any other.
        sent = [
            live for live in state.live.values() if live.state in ACTIVE and self._is_scout(live.ticket, seen)
        ]
        first: list[ActiveTake] = []
        rest: list[Ticket] = []
        for ticket in state.tickets if state.options.scout else ():
            if self._is_scout(ticket, seen):
                first.append(state.active(ticket))
            else:
                rest.append(ticket)
        self._out = {live.id: live for live in (*sent, *first)} if rest else {}
        for live in self._out.values():
            live.is_scout = True
        if self._out:
            state.pending.clear()
            for live in first:
                state.queue(live)
            for ticket in rest:
                state.queue(ticket)
            state.say(f"{len(first)} of {len(first) + len(rest)} takes go first as scouts")

    def _is_scout(self, ticket: Ticket, seen: Counter[tuple[str, str]]) -> bool:
        """Count a take, and return whether it is among the first of its model and settings."""
        settings = ticket.model, settings_of(ticket.body)
        seen[settings] += 1
        return seen[settings] <= self._state.options.scout

    @property
    def are_out(self) -> bool:
        """True while only scouts may be submitted."""
        return bool(self._out)

    def halt_if_lost(self) -> None:
        """End the submitting if the run is done with a scout that has not succeeded, since that scout never will."""
        lost = next((live for live in self._out.values() if live.id not in self._state.unfinished), None)
        if lost is not None:
            why = (
                "was cancelled" if lost.state is TakeState.PENDING else f"did not succeed: it is {lost.state}"
            )
            self._halt(f"the scout {lost.id} {why}")

    def settled(self, live: ActiveTake, ended: Ended) -> None:
        """Note a scout's end; one that failed stops the submitting."""
        if live.id not in self._out:
            return
        if ended.outcome is TakeState.SUCCEEDED:
            del self._out[live.id]
            self._state.changed.set()
        else:
            self._halt(f"the scout {live.id} failed: {ended.reason}")

    def _halt(self, reason: str) -> None:
        self._state.end(EndingKind.HALTED, reason, Stop.DRAIN)
