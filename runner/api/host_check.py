"""Whether the API's host is there at all: a name that nobody knows is a wrong address until it has answered once.

In: every exchange of one run, cleaned. Out: trouble that names the host, where the network's names do not hold it and
never did in this run. It asks nobody and decides nothing: how often is too often is the engine's to say.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.domain.api_answers import FailureKind, RequestFailure

_NOT_CONNECTED = frozenset({SilenceKind.UNREACHABLE, SilenceKind.NO_SUCH_NAME})


class Host:
    """Remembers, over one run, whether the API's host was ever reached."""

    def __init__(self, origin: str) -> None:
        self._name = urlsplit(origin).hostname or origin
        self._reached = False

    def heed(self, exchange: HttpOutcome) -> None:
        """Take note of an exchange: whoever answered, or was sent a byte, exists.

        A milestone alone does not prove a byte: without the trace hook it is raised before the connection is made.
        """
        self._reached = self._reached or isinstance(exchange, Answer) or _was_connected(exchange)

    def absence(self, exchange: HttpOutcome) -> RequestFailure | None:
        """Return `NO_HOST` trouble if `exchange` found no such host and none before it did; else None."""
        if self._reached or not _finds_no_name(exchange):
            return None
        return RequestFailure(FailureKind.NO_HOST, f"the API's host {self._name} does not exist")


def _was_connected(silence: NoResponse) -> bool:
    return silence.milestone is not SendStage.NOTHING_SENT and silence.kind not in _NOT_CONNECTED


def _finds_no_name(exchange: HttpOutcome) -> bool:
    return isinstance(exchange, NoResponse) and exchange.kind is SilenceKind.NO_SUCH_NAME
