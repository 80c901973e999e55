"""What a piece of work costs, in units that any machine has.

One unit is how often a fixed piece of work could be done instead. The other is a call of a function: it shows, without
any noise, whether twice the work costs twice as much. It does not see loops that call nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def at_most(units: float) -> Iterator[None]:
    """Let the block cost this thread so many units of processor time, each some 0.05 s on a quiet machine."""
    before, began = _unit(), time.thread_time()
    yield
    cost = time.thread_time() - began
    assert cost < units * max(before, _unit())


def calls(work: Callable[[], object]) -> int:
    """Return how often `work` enters a function or resumes a generator, in this thread."""
    entered = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal entered
        entered += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return entered


def _unit() -> float:
    """Return what the fixed piece of work costs now: a busy machine takes longer for it as well."""
    began = time.thread_time()
    sum(number * number for number in range(1_000_000))
    return time.thread_time() - began
