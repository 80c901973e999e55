"""When a run will probably be over: a range, from how fast takes ended in the last part of the session.

In: how many takes have ended, at times that a caller reads. Out: seconds, or words with clock times. It reads no clock.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta, tzinfo

PAUSE_SECONDS = 10.0
"""A longer time without a tick is one in which the process did not run: it was stopped, or the machine slept."""

_FEWEST = 3
_WINDOW = 40
_NARROWEST, _WIDEST = 0.08, 0.5
_WEEKDAY_AFTER = timedelta(hours=20)


class FinishEstimate:
    """Learns how fast takes end; `observe` must be called every few seconds, with times that never go back.

    Only the last ends count, of some four rounds of `jobs`, so that a slow beginning is forgotten.
    """

    def __init__(self, *, jobs: int, now: float) -> None:
        self._jobs = jobs
        self._last = now
        self._lived = 0.0
        self._ends: deque[tuple[float, int]] = deque(maxlen=max(_WINDOW, 4 * jobs) + 1)

    def observe(self, now: float, *, ended: int) -> None:
        """Note how many takes have ended at the monotonic time `now`."""
        self._lived += min(now - self._last, PAUSE_SECONDS)
        self._last = now
        if not self._ends or ended != self._ends[-1][1]:
            self._ends.append((self._lived, ended))

    def seconds_left(self, remaining: int) -> tuple[float, float] | None:
        """Return the least and the most seconds that `remaining` takes will probably need; None if it is too early.

        The first round of jobs ends late and together. So nothing can be said before a whole round has ended.
        """
        if not self._ends:
            return None
        began, before = self._ends[0]
        gained = self._ends[-1][1] - before
        if remaining <= 0 or gained < max(_FEWEST, self._jobs):
            return None
        middle = remaining * (self._lived - began) / gained
        # The ends are counted events, whose number varies by about its root.
        spread = min(max(1 / math.sqrt(gained), _NARROWEST), _WIDEST)
        return middle * (1 - spread), middle * (1 + spread)


def finish_words(now: float, left: tuple[float, float], zone: tzinfo | None = None) -> str:
    """Return the range `left` after the unix time `now` as `about 06:40–07:10`, in `zone` or the machine's own.

    The wider the range, the rounder the times. A weekday is named where the time of day would not be enough.
    """
    minutes = (left[1] - left[0]) / 60
    step = next((size for size, below in ((1, 10), (5, 60), (15, 240)) if minutes < below), 30) * 60
    start = datetime.fromtimestamp(now, zone)
    ends = [datetime.fromtimestamp(round((now + seconds) / step) * step, zone) for seconds in left]
    said = [f"{end:%a %H:%M}" if end - start > _WEEKDAY_AFTER else f"{end:%H:%M}" for end in ends]
    return f"about {'–'.join(dict.fromkeys(said))}"
