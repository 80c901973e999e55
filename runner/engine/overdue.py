"""Overdue jobs: those that take longer than usual, and those that are too old for this run to wait for.

It reports them at fixed times, even if nothing else happens. It asks nothing and ends nothing.
"""

from __future__ import annotations

from runner.engine.poll_pace import Durations
from runner.engine.run_state import ActiveTake, RunState

PATIENCE = 600.0
"""Seconds from the time in which nine in ten such jobs ended to the first line about one."""
EVERY = 3600.0
"""Seconds between two lines about one job; a run is never silent for longer."""
LEAST_WATCHED = 600.0
"""Seconds for which each run watches even the oldest job."""

_ROUND = 60.0
_MOST_NAMED = 5


class Overdue:
    """Collects the lines that are due about waiting jobs."""

    def __init__(self, state: RunState, durations: Durations) -> None:
        self._state = state
        self._durations = durations
        self._next: dict[str, float] = {}
        self._gathered: dict[str, str] = {}

    def notice(self, live: ActiveTake, word: str) -> bool:
        """Note that a job, which the API calls `word`, has not ended; return whether it is time to say so."""
        now = self._state.now
        usual = self._durations.of(live.ticket.model, live.settings).quantile(0.9)
        # The key is the request id, since another attempt of the take is another job.
        job = live.request_id or live.id
        if now < self._next.get(job, live.born + (usual or 0.0) + PATIENCE):
            return False
        self._next[job] = now + EVERY
        took = "" if usual is None else f" (such jobs took {_minutes(usual)})"
        waited = f"for {_minutes(now - live.born)}{took}"
        self._gathered[job] = f"{live.id}, request {live.request_id}, is {word!r} {waited}"
        return True

    def is_too_old(self, live: ActiveTake) -> bool:
        """Return whether a job is older than the limit, and this run has watched it for long enough."""
        now, limit = self._state.now, self._state.options.job_limit
        watched = 0.0 if live.watched.since is None else now - live.watched.since
        return now - live.born > limit and watched >= min(LEAST_WATCHED, limit)

    async def run(self) -> None:
        """Report once a minute what is due, and after an hour of silence that the run continues, until cancelled."""
        state = self._state
        while True:
            await state.clock.sleep(_ROUND)
            if self._gathered:
                lines = list(self._gathered.values())
                self._gathered.clear()
                more = f"; and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
                state.say(
                    f"long overdue: {'; '.join(lines[:_MOST_NAMED])}{more}; still looking. To give one up, end this "
                    "run and use shotrunner reconcile RUN drop TAKE"
                )
            elif state.now - state.reported_at >= EVERY:
                what = "paused" if state.is_paused else "still at work"
                state.say(
                    f"{what}: {state.slots_held} at the API, {len(state.pending)} to be sent,"
                    f" {len(state.unfinished)} unfinished"
                )


def _minutes(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"
