"""Keeps the time window of a run across restarts: when it began, and until when the run may submit.

In: the limits asked for and the sessions on record. Out: a `Window` with its deadline. A killed or interrupted run
continues its window; after a run that reached its limit or was complete, a new window begins. It knows no engine.

Setting the clock back during a run lengthens nothing (`engine.limits`). Between a kill and the next start only the wall
clock runs, and no record shows that it was set back. Then the window is longer by that much, and a window that would
begin in the future is replaced by a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.domain.limits import Limits
from runner.domain.records import SessionRecord
from runner.domain.run_ending import EndingKind

_CLOSING = frozenset({EndingKind.FINISHED, EndingKind.LIMIT})


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a run may submit: `seconds` from wall time `began_at`, or without end if that is None."""

    began_at: float
    seconds: float | None

    @property
    def deadline(self) -> float | None:
        """The wall time at which submitting stops."""
        return None if self.seconds is None else self.began_at + self.seconds


def window(limits: Limits, sessions: Sequence[SessionRecord], *, now: float) -> Window:
    """Return the window of a run begun `now`: that of an unfinished session with the same limit, or a new one.

    A window that began in the future was set by a wrong clock, and is not continued.
    """
    left = _left_open(sessions)
    if left is not None and left.window_began_at is not None and left.window_began_at <= now:
        seconds = limits.seconds_from(left.window_began_at)
        if seconds is not None and seconds == left.limit_s:
            return Window(left.window_began_at, seconds)
    return Window(now, limits.seconds_from(now))


def _left_open(sessions: Sequence[SessionRecord]) -> SessionRecord | None:
    """Return the latest session with a limit, unless it or a later one ended its window."""
    for session in reversed(sessions):
        if session.ending in _CLOSING:
            return None
        if session.limit_s is not None:
            return session
    return None
