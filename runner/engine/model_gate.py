"""Which model may go: the caps on active jobs of a model, and the rates at which takes are submitted.

In: the run's state and when POSTs begin. Out: the lane of the next take, or how long none may go. It sends nothing.
"""

from __future__ import annotations

from math import inf

from runner.domain.orders import ALL_MODELS
from runner.domain.shots import Ticket
from runner.engine.pending import Lane
from runner.engine.run_state import RunState


class ModelGate:
    """Chooses the first pending take whose model may go, so that a model that waits blocks no other.

    After a POST of a model begins, the next one of that model waits for the spacing of its rate. So no more than its
    number begin in any length of time of its unit.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._starting: set[str] = set()
        # A run that is started again goes on at the same pace; a clock that was set back makes no wait longer.
        wall = state.clock.wall()
        self._began = {model: state.now - max(0.0, wall - at) for model, at in state.last_sent.items()}
        self._began[ALL_MODELS] = max(self._began.values(), default=-inf)

    def claimed(self, ticket: Ticket) -> None:
        """Note that a take was claimed; what has a rate waits until its POST begins."""
        self._starting.add(ticket.take_id)
        self._began[ticket.model] = self._began[ALL_MODELS] = inf

    def begun(self, ticket: Ticket) -> None:
        """Note that the POST of a claimed take begins, or that it could not; only the first call counts."""
        if ticket.take_id in self._starting:
            self._starting.discard(ticket.take_id)
            self._began[ticket.model] = self._began[ALL_MODELS] = self._state.now
            self._state.changed.set()

    def ready(self) -> int:
        """Return how many pending takes might go at once; of what has a rate, one at most."""
        rates = self._state.options.rates
        found = 0
        for model, many in self._state.pending.by_model().items():
            room = min(many, self._free(model))
            paced = model in rates or ALL_MODELS in rates
            found += min(room, 1 if self._wait(model) == 0.0 else 0) if paced else room
        return min(found, 1) if ALL_MODELS in rates else found

    def turn(self, *, scouts_only: bool) -> Lane | float | None:
        """Return the lane whose first take is next, or in how many seconds one may go, or None if none may by itself.

        With `scouts_only` only scouts may go.
        """
        waits = {
            lane: wait
            for lane in self._state.pending.lanes
            if not (scouts_only and lane.is_rest) and self._free(lane.model) > 0
            if (wait := self._wait(lane.model)) < inf
        }
        ready = [lane for lane, wait in waits.items() if wait == 0.0]
        return self._state.pending.first(ready) if ready else min(waits.values(), default=None)

    def _free(self, model: str) -> int:
        """Return how many more jobs of a model the API may have."""
        options = self._state.options
        return max(0, options.model_jobs.get(model, options.jobs) - self._state.slots_of[model])

    def _wait(self, model: str) -> float:
        """Return the seconds until the rates let a take go; infinite while the POST before it has not begun."""
        rates, now = self._state.options.rates, self._state.now
        keys = rates.keys() & {model, ALL_MODELS}
        return max([0.0, *(self._began.get(key, -inf) + rates[key].spacing - now for key in keys)])
