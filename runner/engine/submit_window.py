"""The submit window: how many POSTs may be in flight at once, so that a wide run is filled over a long way too.

In: when POSTs begin and end, how many free slots wait, how long jobs hold a slot. Out: a number. Nothing here waits.
`docs/performance.md` derives the rule, and `python -m tests.benchmarks.submit_window` simulates it.
"""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_JOB = 60.0
"""How many seconds a job is taken to hold its slot before the first one has ended."""

_WASTE = 0.01
"""The share of a job's length for which a free slot may wait for its POST. Below that a wider window gains nothing."""

_SMOOTHING = 0.125
"""The weight of the newest sample, as for TCP's round-trip time (RFC 6298)."""


def widest(jobs: int) -> int:
    """Return how wide the window may become by itself where `jobs` may be at the API: an eighth, and never above 32."""
    return min(32, max(1, jobs // 8))


@dataclass(frozen=True, slots=True)
class Post:
    """A POST in flight: when it began, and whether none was in flight then."""

    began: float
    alone: bool


class SubmitWindow:
    """Holds `size` between `least` and `most` POSTs; all times are monotonic seconds.

    An accepted POST widens it by one if it was full meanwhile and the free slots would wait too long for their POSTs.
    So it doubles with each round trip, as in TCP's slow start (RFC 5681), and goes from 1 to 32 in five. An answer
    after which no slot waits narrows it to what is in flight. Trouble sets it back to `least`.
    """

    def __init__(self, *, least: int, most: int, job_seconds: float | None = None) -> None:
        self.size = self._least = least
        self._most = most
        self.in_flight = 0
        self._job_seconds = job_seconds
        self._post_seconds: float | None = None
        self._full_at = self._troubled_at = float("-inf")

    def resize(self, *, most: int) -> None:
        """Let it become as wide as `most`, and no wider."""
        self._most = max(self._least, most)
        self.size = min(self.size, self._most)

    @property
    def has_room(self) -> bool:
        """True while another POST may begin."""
        return self.in_flight < self.size

    def begin(self, now: float) -> Post:
        """Count a POST that begins."""
        self.in_flight += 1
        if not self.has_room:
            self._full_at = now
        return Post(now, alone=self.in_flight == 1)

    def accepted(self, post: Post, *, now: float, waiting: int) -> None:
        """Note that a POST was accepted while `waiting` free slots have no POST yet."""
        # With others beside it, a POST also waits for this machine or the server, which more of them would not shorten.
        if post.alone:
            self._post_seconds = _smoothed(self._post_seconds, now - post.began)
        was_full = post.began <= self._full_at and not self.is_echo(post)
        time_to_fill = waiting * (self._post_seconds or 0.0) / self.size
        if was_full and time_to_fill > _WASTE * (self._job_seconds or UNKNOWN_JOB):
            self.size = min(self.size + 1, self._most)

    def troubled(self, *, now: float, throttled: bool = False) -> None:
        """Note an answer that was lost or speaks of the service; `throttled` says that it asked for fewer POSTs."""
        if throttled and self.size > self._least:
            # So wide is too wide for this service, and trying it again would cost another pause.
            self._most = max(self._least, self.size // 2)
        self.size, self._troubled_at = self._least, now

    def is_echo(self, post: Post) -> bool:
        """Return whether a POST began before the last trouble, so that its own trouble is the same one."""
        return post.began < self._troubled_at

    def end(self, *, waiting: int) -> None:
        """Count a POST as answered, with its answer on record."""
        self.in_flight -= 1
        if waiting <= 0:
            self.size = max(self._least, min(self.size, self.in_flight))

    def job_ended(self, seconds: float) -> None:
        """Note for how long a job held its slot."""
        self._job_seconds = _smoothed(self._job_seconds, seconds)


def _smoothed(mean: float | None, sample: float) -> float:
    return sample if mean is None else mean + _SMOOTHING * (sample - mean)
