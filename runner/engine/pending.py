"""The takes to submit, in order: one queue for each lane, so that a lane that must wait blocks no other.

A lane is a model, or the scouts of a model, which go before all others. It does not know what is queued in it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import count
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Lane(NamedTuple):
    """The scouts of a model, or the rest of its takes."""

    is_rest: bool
    model: str


class PendingQueue(Generic[T]):
    """Items in one order over all lanes; to find the first one of some lanes costs as much as there are lanes.

    Iterating yields them in that order: those of scouts, then the rest.
    """

    def __init__(self) -> None:
        # Each queue is sorted by numbers that are given once: falling ones in front, rising ones behind.
        self._queues: dict[Lane, deque[tuple[int, T]]] = {}
        self._before, self._behind = count(-1, -1), count()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[T]:
        for is_rest in (False, True):
            queues = [queue for lane, queue in self._queues.items() if lane.is_rest is is_rest]
            yield from (item for _, item in merge(*queues))

    @property
    def lanes(self) -> Iterable[Lane]:
        """The lanes that have any item."""
        return self._queues.keys()

    def by_model(self) -> Counter[str]:
        """Return how many items there are of each model."""
        found: Counter[str] = Counter()
        for lane, queue in self._queues.items():
            found[lane.model] += len(queue)
        return found

    def add(self, item: T, lane: Lane, *, first: bool = False) -> None:
        """Queue `item` behind all others, or with `first` before them."""
        queue = self._queues.setdefault(lane, deque())
        if first:
            queue.appendleft((next(self._before), item))
        else:
            queue.append((next(self._behind), item))

    def first(self, lanes: Iterable[Lane]) -> Lane:
        """Return which of `lanes`, of which there is one at least, has the first item."""
        return min(lanes, key=lambda lane: (lane.is_rest, self._queues[lane][0][0]))

    def head(self, lane: Lane) -> T:
        """Return the first item of a lane."""
        return self._queues[lane][0][1]

    def pop(self, lane: Lane) -> T:
        """Take the first item of a lane out."""
        queue = self._queues[lane]
        item = queue.popleft()[1]
        if not queue:
            del self._queues[lane]
        return item

    def take_out(self, which: Callable[[T], bool]) -> list[T]:
        """Take out all items for which `which` is true, and return them in order."""
        found = [item for item in self if which(item)]
        if found:
            kept = {
                lane: deque(entry for entry in queue if not which(entry[1]))
                for lane, queue in self._queues.items()
            }
            self._queues = {lane: queue for lane, queue in kept.items() if queue}
        return found

    def clear(self) -> None:
        """Take everything out."""
        self._queues.clear()
