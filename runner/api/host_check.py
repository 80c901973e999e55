"""Whether the API's host is there at all: a name that nobody knows is a wrong address until it has answered once.

In: every exchange of one run, cleaned. Out: trouble that names the host, where the network's names do not hold it and
never did in this run. It asks nobody and decides nothing: how often is too often is the engine's to say.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from runner.api.exchange import Answer, Exchange, Milestone, Silence, SilenceKind
from runner.domain.api_answers import Trouble, TroubleKind

_NOT_CONNECTED = frozenset({SilenceKind.UNREACHABLE, SilenceKind.NO_SUCH_NAME})


class Host:
    """Remembers, over one run, whether the API's host was ever reached."""

    def __init__(self, origin: str) -> None:
        self._name = urlsplit(origin).hostname or origin
        self._reached = False

    def heed(self, exchange: Exchange) -> None:
        """Take note of an exchange: whoever answered, or was sent a byte, exists.

        A milestone alone does not prove a byte: without the trace hook it is raised before the connection is made.
        """
        self._reached = self._reached or isinstance(exchange, Answer) or _was_connected(exchange)

    def absence(self, exchange: Exchange) -> Trouble | None:
        """Return `NO_HOST` trouble if `exchange` found no such host and none before it did; else None."""
        if self._reached or not _finds_no_name(exchange):
            return None
        return Trouble(TroubleKind.NO_HOST, f"the API's host {self._name} does not exist")


def _was_connected(silence: Silence) -> bool:
    return silence.milestone is not Milestone.NOTHING_SENT and silence.kind not in _NOT_CONNECTED


def _finds_no_name(exchange: Exchange) -> bool:
    return isinstance(exchange, Silence) and exchange.kind is SilenceKind.NO_SUCH_NAME
