"""Luck that repeats: a number in [0, 1) made from what is being decided, never from a shared generator.

In: a seed and the words that name the decision. Out: always the same number. Requests may come in any order and the
simulator may be restarted in between; no decision depends on how many were made before it.
"""

from __future__ import annotations

import hashlib

_SPAN = 2.0**64


def chance(seed: int, *decision: object) -> float:
    """Return a number in [0, 1) that depends on the seed and on the decision's words alone."""
    words = "\x1f".join(str(word) for word in (seed, *decision))
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / _SPAN * (1.0 - 2.0**-53)


def between(low: float, high: float, luck: float) -> float:
    """Return the point of [low, high) that `luck`, in [0, 1), stands for."""
    return low + (high - low) * luck
