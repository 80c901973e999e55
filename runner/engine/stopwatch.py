"""A spell: how long something has gone on without a break, such as the silence about one job.

In: moments of the monotonic clock. Out: seconds, and how often. What is too long is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stopwatch:
    """Something that may be going on; `since` is the monotonic time it was first noticed at, None if it is not.

    `count` is how often it was noticed since then.
    """

    since: float | None = None
    count: int = 0

    def goes_on(self, now: float) -> float:
        """Note that it goes on at `now`, or begins, and return for how many seconds it has."""
        self.count += 1
        if self.since is None:
            self.since = now
        return now - self.since

    def is_over(self) -> None:
        """Note that it has ended: it may begin anew."""
        self.since, self.count = None, 0
