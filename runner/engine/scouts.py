"""Scouts: a few takes of every model and settings must succeed before the rest is paid for.

In: the board's pending takes, and how scouts end. Out: which takes may go. It knows no API and records nothing.
"""

from __future__ import annotations

from runner.domain.run_ending import End, EndingKind, Stop
from runner.domain.states import Ended, TakeState
from runner.engine.retry_policy import scouts
from runner.engine.run_state import ActiveTake, RunState


class ScoutGate:
    """Puts the scouts at the head of the queue and holds all other takes until the scouts have succeeded."""

    def __init__(self, board: RunState, *, each: int, end: End) -> None:
        self._board = board
        self._end = end
        chosen = scouts((live.ticket for live in board.pending), each=each) if each else frozenset()
        first = [live for live in board.pending if live.id in chosen]
        self._out = {live.id: live for live in first} if len(first) < len(board.pending) else {}
        if self._out:
            rest = [live for live in board.pending if live.id not in chosen]
            board.pending.clear()
            board.pending.extend([*first, *rest])
            board.say(f"{len(first)} of {len(first) + len(rest)} takes go first as scouts")

    def lets_pass(self) -> bool:
        """Return whether the next take may be submitted: a scout, which is moved forward, or any take after the scouts.

        If the run is done with a scout that has not succeeded, the submitting ends, since that scout never will.
        """
        lost = next((live for live in self._out.values() if self._board.is_done_with(live)), None)
        if lost is not None:
            self._end(
                EndingKind.HALTED, f"the scout {lost.id} did not come back: it is {lost.state}", Stop.DRAIN
            )
            return False
        pending = self._board.pending
        scout = next((live for live in pending if live.id in self._out), None) if self._out else None
        if scout is not None:
            pending.remove(scout)
            pending.appendleft(scout)
        return scout is not None or not self._out

    def settled(self, live: ActiveTake, ended: Ended) -> None:
        """Note a scout's end; one that failed stops the submitting."""
        if live.id not in self._out:
            return
        if ended.outcome is TakeState.SUCCEEDED:
            del self._out[live.id]
            self._board.changed.set()
        else:
            self._end(EndingKind.HALTED, f"the scout {live.id} failed: {ended.reason}", Stop.DRAIN)
