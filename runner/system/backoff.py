"""When to try again: exponential back-off with jitter, and what a server asks for in `Retry-After`."""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from dataclasses import dataclass

RETRY_AFTER_CEILING = 3600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: a random wait below an exponentially growing ceiling.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    base: float = 1.0
    cap: float = 60.0

    def delay(self, failures: int, *, chance: float) -> float:
        """Return seconds to wait after the `failures`-th failure in a row; `chance` is in [0, 1)."""
        return chance * min(self.cap, self.base * 2.0 ** min(failures - 1, 30))


def retry_after(value: str | None, *, now: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, or None if it has no usable value.

    It accepts ASCII digits or an HTTP date (RFC 9110, 10.2.3) and clamps to 0…3600. `int` alone would also accept
    full-width digits and underscores, and `float` would accept `nan`.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), RETRY_AFTER_CEILING)
    try:
        wait = email.utils.parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), RETRY_AFTER_CEILING)


Chance = Callable[[], float]
"""A source of random numbers in [0, 1), such as `random.random`."""
