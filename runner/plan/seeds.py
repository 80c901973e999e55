"""A seed for a shot that names none, where its model has no default either.

In: a shot's id. Out: a number that depends on nothing else, so that editing other shots never moves it.
"""

from __future__ import annotations

import hashlib
import math

from runner.models.inputs import Input

LARGEST = 2**31 - 1


def derived_seed(shot_id: str, *, lowest: int = 0, highest: int = LARGEST) -> int:
    """Return the shot's own seed, `lowest` … `highest` both included: from the SHA-256 of its id."""
    number = int.from_bytes(hashlib.sha256(shot_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return lowest + number % (highest - lowest + 1)


def seed_for(shot_id: str, wanted: Input) -> int:
    """Return a derived seed that the model's own bounds allow; of a list of allowed seeds, one of them.

    A model whose bounds leave out all of 0 … 2^31-1 gets its lowest seed, or 0.
    """
    # Sorted: the order in which a page lists its values must not decide what is rendered.
    listed = sorted(seed for seed in wanted.allowed if type(seed) is int and _within(seed, wanted))
    if listed:
        return listed[derived_seed(shot_id, highest=len(listed) - 1)]
    lowest = max(0, math.ceil(wanted.minimum or 0))
    highest = LARGEST if wanted.maximum is None else min(LARGEST, math.floor(wanted.maximum))
    return derived_seed(shot_id, lowest=lowest, highest=max(lowest, highest))


def _within(seed: int, wanted: Input) -> bool:
    return (wanted.minimum is None or wanted.minimum <= seed) and (
        wanted.maximum is None or seed <= wanted.maximum
    )
