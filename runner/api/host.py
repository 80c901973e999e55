"""Whether the API's host is there at all: a name that nobody knows is a wrong address until it has answered once.

In: every exchange of one run, cleaned. Out: trouble that names the host, where the network's names do not hold it and
never did in this run. It asks nobody and decides nothing: how often is too often is the engine's to say.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from runner.answers import Trouble, TroubleKind
from runner.transport.exchange import Answer, Exchange, Milestone, Silence, SilenceKind

_UNKNOWN_NAME = f"[Errno {int(socket.EAI_NONAME)}]"
"""How the system's resolver says that a name does not exist; its words change with the language, its number does not.

Source: RFC 3493, 6.1 (EAI_NONAME). A resolver that is away says EAI_AGAIN, which is an outage like any other.
"""


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
        """Return `MISSING` trouble if `exchange` found no such host and none before it did; else None."""
        if self._reached or not _finds_no_name(exchange):
            return None
        return Trouble(TroubleKind.MISSING, f"the API's host {self._name} does not exist")


def _was_connected(silence: Silence) -> bool:
    return silence.milestone is not Milestone.NOTHING_SENT and silence.kind is not SilenceKind.UNREACHABLE


def _finds_no_name(exchange: Exchange) -> bool:
    if not isinstance(exchange, Silence) or exchange.kind is not SilenceKind.UNREACHABLE:
        return False
    return _UNKNOWN_NAME in exchange.reason
