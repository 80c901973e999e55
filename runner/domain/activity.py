"""Whether a process works on a run, and when something was last recorded there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """Who works on a run; times are unix seconds.

    `running` is None where that cannot be found out. `pid`, `host` and `since` are of the process that works on it,
    as far as its note can be read. `is_session` says that it submits and watches jobs, as `run` and `retry` do; other
    commands hold a run as well. `last_event` is None before the first fact.
    """

    running: bool | None = False
    pid: int | None = None
    host: str = ""
    since: float | None = None
    is_session: bool = False
    last_event: float | None = None

    @property
    def goes_on(self) -> bool | None:
        """True during a session, False while no process works on the run, None for anything else."""
        return self.is_session or (False if self.running is False else None)
