"""What a piece of work costs, in a unit that any machine has: how often a fixed piece of work could be done instead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(units: float) -> Iterator[None]:
    """Let the block cost so many units of processor time, each some 0.05 s on a quiet machine."""
    before, began = _unit(), time.process_time()
    yield
    cost = time.process_time() - began
    assert cost < units * max(before, _unit())


def _unit() -> float:
    """Return what the fixed piece of work costs now: a busy machine takes longer for it as well."""
    began = time.process_time()
    sum(number * number for number in range(1_000_000))
    return time.process_time() - began
