"""A request on its way, by any library: how far it has got, how long its next step may take, and its answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass

from runner.api.decompress import unpack
from runner.api.exchange import Answer, SendStage
from runner.api.process_time import LivedDeadline
from runner.api.silence import chain_of

BODY_CAP = 1 << 20
RECORD_CAP = 16 << 20
"""How many bytes of a result record are read: it may hold any text of a model, but is parsed in memory.

The answer to a submit has the same cap. It is the receipt for money, and may echo the picture that was sent."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How many seconds of running time a request may take: to connect, to write, to read once, and in all."""

    connect: float = 10.0
    write: float = 30.0
    read: float = 60.0
    overall: float = 120.0


class Progress:
    """Follows one request: `milestone` is how far it has got, and `limit` ends it in lived time."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.milestone = SendStage.NOTHING_SENT
        self.limit = LivedDeadline(deadlines.overall)
        self.limit.allow(deadlines.connect, "not connected")
        self._read_time = deadlines.read

    def goes_on(self, milestone: SendStage) -> None:
        """Note how far the request has got, and give the server its reading time again, since something has come."""
        self.milestone = milestone
        self.limit.allow(self._read_time, "no answer came")

    async def answer(
        self,
        status: int,
        headers: Mapping[str, str],
        parts: AsyncIterable[bytes],
        *,
        coding: str,
        cap: int,
        broken: type[Exception],
    ) -> Answer:
        """Return the answer with its body up to the cap; the status line counts even if the body is incomplete.

        `coding` is the value of Content-Encoding. `parts` raises `broken` if the body breaks off.
        """
        raw, complete = bytearray(), False
        try:
            async for part in parts:
                self.goes_on(SendStage.ANSWERING)
                raw += part
                if len(raw) > cap:
                    break
            complete = len(raw) <= cap
        except broken:
            pass
        except asyncio.CancelledError:
            # The deadline passed within the body. A real cancellation would not have set it off.
            if not self.limit.expired():
                raise
        inner = unpack(bytes(raw), coding, cap=cap)
        return Answer(
            status,
            inner.body[:cap],
            headers,
            complete=complete and inner.whole,
            passed=cap if max(len(raw), len(inner.body)) > cap else None,
            packed=inner.packed,
        )


def finds_no_name(error: BaseException) -> bool:
    """Return whether the resolver's error number says that the name does not exist; its words depend on the language.

    Source: RFC 3493, 6.1 (EAI_NONAME). A resolver that is away says EAI_AGAIN, which is an outage like any other.
    """
    return any(
        isinstance(link, socket.gaierror) and link.errno == socket.EAI_NONAME for link in chain_of(error)
    )
