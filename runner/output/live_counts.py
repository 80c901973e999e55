"""Where the takes of a run stand while it runs: its counts at the beginning, moved on by each fact.

It knows no terminal and no clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from runner.domain import states
from runner.domain.display import standing
from runner.domain.money import micros, usd
from runner.domain.orders import Pause, Resume
from runner.domain.run_events import FactRecorded, RunStarted, Steered
from runner.domain.states import CostSeen, Ended, FoundAfterAll, TakeState
from runner.output.progress_text import standing_after
from runner.output.status_text import standings

_MOVING = frozenset({"pending", "submitting", "queued", "running"})
_DELIVERED = frozenset({"succeeded", "delivered"})


def _origins() -> Mapping[type[states.Fact], list[str]]:
    """Return where a take can stand before a fact of each kind."""
    found: defaultdict[type[states.Fact], list[str]] = defaultdict(list)
    for state, kind in states.TRANSITIONS:
        found[kind].append(state.value)
    for delivery, event in states.DELIVERIES:
        if event is not states.Dropped:
            found[event].append(standing(TakeState.SUCCEEDED, delivery))
    return found


_ORIGINS = _origins()


class LiveCounts:
    """Counts the takes of the whole run by standing, those of this session that have ended, and the money so far.

    `ended` counts a held take as ended, since the run does no more for it. `is_paused` is as people ordered.
    """

    def __init__(self, started: RunStarted) -> None:
        self.total = started.total
        self.is_paused = started.paused
        self.counts: Counter[str] = standings(started.counts, started.deliveries)
        self._at_start = started.done
        self._billed = micros(started.spending.billed)
        self._standing: dict[str, str] = {}
        self._ended: set[str] = set()

    @property
    def ended(self) -> int:
        """How many of the session's takes need nothing more."""
        return min(self.total, self._at_start + len(self._ended))

    @property
    def billed(self) -> float:
        """The sum of the costs that are known, in US dollars."""
        return usd(self._billed)

    @property
    def done(self) -> int:
        """How many takes of the whole run are rendered, and downloaded where that was asked for."""
        return sum(self.counts[word] for word in _DELIVERED)

    def follow(self, event: FactRecorded) -> None:
        """Take one more fact into the counts."""
        fact = event.fact
        if isinstance(fact, Ended | CostSeen | FoundAfterAll) and fact.cost is not None:
            self._billed += micros(fact.cost)
        after = standing_after(fact)
        if after is None:
            return
        # Each fact changes two counts. Counting all takes at each fact would be slow from a few thousand on.
        before = self._before(event)
        self.counts[before] -= self.counts[before] > 0
        self.counts[after] += 1
        if after in _DELIVERED:
            # Where such a take stands follows from its next fact. So nearly all takes of a long run are forgotten.
            self._standing.pop(event.take_id, None)
        else:
            self._standing[event.take_id] = after
        if after in _MOVING:
            self._ended.discard(event.take_id)
        elif after != "fetching":
            self._ended.add(event.take_id)

    def steer(self, event: Steered) -> None:
        """Take an order into account."""
        if event.changed and isinstance(event.order, Pause | Resume):
            self.is_paused = isinstance(event.order, Pause)

    def _before(self, event: FactRecorded) -> str:
        """Return where the take stood: of one that no fact of this session has moved, the first place that fits."""
        if known := self._standing.get(event.take_id):
            return known
        origins = _ORIGINS[type(event.fact)]
        return next((word for word in origins if self.counts[word] > 0), origins[0])
