"""What can go wrong with one answer, as data: where the server stops, what it sends, how the connection ends.

In: a route and how often it was called. Out: a `Fault`, or None to answer truthfully. It knows nothing of
sockets or of what the routes mean. `changes` has the ways to bend a true answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias


class At(StrEnum):
    """How much of the request has been read when the fault strikes."""

    CONNECT = "connect"
    HEADERS = "headers"
    BODY = "body"
    REQUEST = "request"


class End(StrEnum):
    """What becomes of the connection: `CLOSE` ends with FIN, `RESET` with RST, `STALL` is silence."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `headers` win over the ones the server would add, so that a length can be a lie."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Change: TypeAlias = Callable[[Reply, Any], Reply]
"""Bends a true answer, given the request too, which is a `wire.Request`; see `changes`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request is treated; the defaults change nothing.

    `effect`: whether a fully read request is carried out (a submit is charged) before its answer is spoilt.
    `reply` stands in for the true answer; plain bytes go out as they are. `change` bends the true answer.
    `cut` keeps `answer[:cut]`.
    `delay` (seconds) comes before the first byte, `linger` (seconds) after the last; `drip` sends pieces of
    so many bytes every so many seconds.
    """

    at: At = At.REQUEST
    effect: bool = True
    reply: Reply | bytes | None = None
    change: Change | None = None
    cut: int | None = None
    delay: float = 0.0
    drip: tuple[int, float] | None = None
    linger: float = 0.0
    end: End = End.KEEP


class Faults(Protocol):
    """Consulted once per connection (route `connect`) and once per request, as soon as its head is read."""

    def __call__(self, route: str, nth: int) -> Fault | None:
        """Return what to do with the `nth` call of `route`, counting from 1."""
        ...


def truthful(route: str, nth: int) -> Fault | None:  # noqa: ARG001 - the signature of Faults
    """Answer everything as it is."""
    return None


class FarAway:
    """Every answer begins `delay` seconds late, as over a long way."""

    def __init__(self, delay: float) -> None:
        self._fault = Fault(delay=delay) if delay else None

    def __call__(self, route: str, nth: int) -> Fault | None:  # noqa: ARG002 - the signature of Faults
        return None if route == "connect" else self._fault


class Script:
    """Faults by route and call number; number 0 stands for every call that is not named."""

    def __init__(self, faults: Mapping[tuple[str, int], Fault]) -> None:
        self._faults = dict(faults)

    def __call__(self, route: str, nth: int) -> Fault | None:
        return self._faults.get((route, nth)) or self._faults.get((route, 0))


class Shares:
    """Faults by chance: by route, shares of the calls and what happens to them. The same seed gives the same luck.

    The luck of a call depends on its route and number alone, so calls of other routes do not change it.
    """

    def __init__(self, shares: Mapping[str, Sequence[tuple[float, Fault]]], *, seed: int = 0) -> None:
        self._shares, self._seed = shares, seed

    def __call__(self, route: str, nth: int) -> Fault | None:
        left = random.Random(f"{self._seed} {route} {nth}").random()
        for share, fault in self._shares.get(route, ()):
            left -= share
            if left < 0:
                return fault
        return None


class FirstOf:
    """Several `Faults` in one: the first that has a fault for a call decides."""

    def __init__(self, *several: Faults) -> None:
        self._several = several

    def __call__(self, route: str, nth: int) -> Fault | None:
        found = [faults(route, nth) for faults in self._several]
        return next(filter(None, found), None)


_BUSY = Reply(503, b'{"error_message": "try later"}')
_HTML = Reply(200, b"<html>gateway</html>", {"Content-Type": "text/html"})

BASIC: Mapping[str, Fault] = {
    "closed on connect": Fault(at=At.CONNECT, end=End.CLOSE),
    "reset on connect": Fault(at=At.CONNECT, end=End.RESET),
    "closed after headers": Fault(at=At.HEADERS, end=End.CLOSE),
    "reset in mid-body": Fault(at=At.BODY, end=End.RESET),
    "413 in mid-body": Fault(at=At.BODY, reply=Reply(413), end=End.CLOSE),
    "closed before effect": Fault(effect=False, cut=0, end=End.CLOSE),
    "reset before effect": Fault(effect=False, cut=0, end=End.RESET),
    "closed after effect": Fault(cut=0, end=End.CLOSE),
    "reset after effect": Fault(cut=0, end=End.RESET),
    "silent after effect": Fault(cut=0, end=End.STALL),
    "half a status line": Fault(cut=7, end=End.CLOSE),
    "junk": Fault(reply=b"\x00\xff junk\r\n\r\n", end=End.CLOSE),
    "body cut by FIN": Fault(cut=-5, end=End.CLOSE),
    "body cut by RST": Fault(cut=-5, end=End.RESET),
    "body stalls": Fault(cut=-5, end=End.STALL),
    "late": Fault(delay=0.2),
    "dripping": Fault(drip=(40, 0.01)),
    "closed while idle": Fault(end=End.CLOSE),
    "503 before effect": Fault(effect=False, reply=_BUSY),
    "503 after effect": Fault(reply=_BUSY),
    "429 with Retry-After": Fault(effect=False, reply=Reply(429, b"{}", {"Retry-After": "7"})),
    "HTML with 200": Fault(reply=_HTML),
    "empty 200": Fault(reply=Reply(200)),
}
"""The basic faults by name: each is data, so a matrix can add its own."""
