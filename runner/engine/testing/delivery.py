"""Downloads that finish at once, or end as a script says.

In: tickets of succeeded takes. Out: futures with the outcome of each download. It knows no file and opens no link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from runner.domain.api_answers import FetchAnswer
from runner.domain.shots import Ticket
from runner.domain.states import Delivered
from runner.engine.testing.journal import done


class MemoryDelivery:
    """Delivers at once, or answers by a take's script if there is one."""

    def __init__(self, scripts: Mapping[str, Sequence[FetchAnswer]] | None = None) -> None:
        self._scripts = {take_id: list(answers) for take_id, answers in (scripts or {}).items()}
        self.fetched: list[tuple[str, str]] = []

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        """Note which link was asked for, and answer."""
        self.fetched.append((ticket.take_id, ticket.outputs[0]))
        script = self._scripts.get(ticket.take_id)
        if script:
            return done(script.pop(0))
        return done(Delivered(f"clips/{ticket.take_id}.mp4", "0" * 64, 1))
