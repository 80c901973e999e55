"""The time a run is given, kept across restarts: when its window began, and until when it may submit.

In: the limits asked for and the sessions on record. Out: a deadline, and a session on record. A window goes on where
its runner was killed or interrupted, and a new one opens after a run that came to its limit or was complete. It knows
no engine at work.

A clock that is set back while a run goes on lengthens nothing (`engine.limits`). Between a kill and the next start only
the wall clock goes on, and no record tells that it was set back: then the window is longer by as much, and one that
would begin in the future is opened anew.
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
    """The time in which a run may submit: `seconds` from wall time `began_at`, or for as long as it takes."""

    began_at: float
    seconds: float | None

    @property
    def deadline(self) -> float | None:
        """The wall time at which submitting stops."""
        return None if self.seconds is None else self.began_at + self.seconds


def window(limits: Limits, sessions: Sequence[SessionRecord], *, now: float) -> Window:
    """Return the window of a run begun `now`: the one that an earlier session of the same limit left, or a new one.

    A window that began in the future, by a clock that has been put right since, is not gone on with.
    """
    left = _left_open(sessions)
    if left is not None and left.window_began_at is not None and left.window_began_at <= now:
        seconds = limits.seconds_from(left.window_began_at)
        if seconds is not None and seconds == left.limit_s:
            return Window(left.window_began_at, seconds)
    return Window(now, limits.seconds_from(now))


def _left_open(sessions: Sequence[SessionRecord]) -> SessionRecord | None:
    """Return the latest session with a limit, unless a later one or itself came to its end."""
    for session in reversed(sessions):
        if session.ending in _CLOSING:
            return None
        if session.limit_s is not None:
            return session
    return None
