"""Weather: faults by chance, from a seed, for the counting server; it counts what it spoilt and can be calmed.

In: a table of chances by route. Out: a `Faults` for the server. It runs on the server's thread; other threads may read
its counts, calm it, and ask it to strike when a route is next called. It knows no product.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.outside.faults import BASIC, At, End, Fault, Reply, Shares

Chances: TypeAlias = Mapping[str, Sequence[tuple[float, Fault]]]
"""By route: probabilities, which may add up to less than one, and what happens then."""

RETRY_SOON = Reply(429, b'{"error_message": "too many"}', {"Retry-After": "1"})

LOST: Sequence[Fault] = (
    BASIC["closed after headers"],
    BASIC["reset in mid-body"],
    BASIC["closed before effect"],
    BASIC["closed after effect"],
    BASIC["reset after effect"],
    BASIC["half a status line"],
    BASIC["body cut by FIN"],
    BASIC["body cut by RST"],
    BASIC["503 after effect"],
    BASIC["503 before effect"],
    BASIC["HTML with 200"],
    BASIC["empty 200"],
    Fault(reply=Reply(500, b'{"error_message": "internal"}')),
    Fault(reply=Reply(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})),
)
"""Ways to lose the answer to a submit, with and without a charge."""

_BROKEN_READS: Sequence[Fault] = (
    BASIC["closed before effect"],
    BASIC["reset after effect"],
    BASIC["body cut by FIN"],
    BASIC["503 before effect"],
    BASIC["HTML with 200"],
)
UNKNOWN_ID = Fault(effect=False, reply=Reply(404, b'{"error_code": 404001, "error_message": "unknown"}'))
"""What a replica says that has not heard of a job yet."""

_BROKEN_FILES: Sequence[Fault] = (
    BASIC["closed before effect"],
    BASIC["body cut by RST"],
    BASIC["body cut by FIN"],
    Fault(cut=3000, end=End.CLOSE),
    Fault(drip=(4000, 0.01)),
)


def spread(share: float, faults: Sequence[Fault]) -> list[tuple[float, Fault]]:
    """Return the faults with equal chances that add up to `share`."""
    return [(share / len(faults), fault) for fault in faults]


def storm(lost: float = 0.05) -> Chances:
    """Return the usual weather: slow, lost and refused submits, broken reads, cut downloads."""
    slow = [(0.15, Fault(delay=0.02)), (0.10, Fault(delay=0.08))]
    reads = [*spread(0.06, _BROKEN_READS), (0.01, Fault(effect=False, reply=RETRY_SOON)), (0.03, UNKNOWN_ID)]
    return {
        "submit": [*spread(lost, LOST), (0.02, Fault(effect=False, reply=RETRY_SOON)), *slow],
        "status": reads,
        "result": reads,
        "file": [*spread(0.08, _BROKEN_FILES), (0.1, Fault(delay=0.03))],
    }


@dataclass(slots=True)
class _Strike:
    route: str
    after: float
    blow: Callable[[], None]
    skip: int


@dataclass(slots=True)
class Weather:
    """Faults by chance.

    `losses` counts the submits whose answer it took away, `rests` are the spans of peace it asked for, in monotonic
    seconds, `calls` counts requests for a route of the API.
    """

    seed: int
    chances: Chances = field(default_factory=dict)
    losses: int = 0
    rests: list[tuple[float, float]] = field(default_factory=list)
    calls: int = 0
    _calm: bool = False
    _strike: _Strike | None = None
    _shares: Shares = field(init=False)

    def __post_init__(self) -> None:
        self._shares = Shares(self.chances, seed=self.seed)

    def calm(self) -> None:
        """From now on answer everything as it is."""
        self._calm = True

    def strike_at(self, route: str, *, after: float, blow: Callable[[], None], skip: int = 0) -> None:
        """Call `blow` once, `after` seconds after the next call of `route` but `skip` has begun to arrive."""
        self._strike = _Strike(route, after, blow, skip)

    def forget_strike(self) -> None:
        """Strike no more."""
        self._strike = None

    def __call__(self, route: str, nth: int) -> Fault | None:
        # Whether it is a simulator is asked long before anything else.
        if route not in {"connect", "nowhere"}:
            self.calls += 1
        strike = self._strike
        if strike is not None and strike.route == route and strike.skip:
            strike.skip -= 1
        elif strike is not None and strike.route == route:
            self._strike = None
            asyncio.get_running_loop().call_later(strike.after, strike.blow)
        fault = None if self._calm else self._shares(route, nth)
        if fault is not None and route == "submit":
            self._note(fault)
        return fault

    def _note(self, fault: Fault) -> None:
        reply = fault.reply
        if isinstance(reply, Reply) and reply.status == 429:
            wish = float(reply.headers.get("Retry-After", "0"))
            # A little slack at both ends: what is sent and what is read are not the same moment.
            self.rests.append((time.monotonic() + 0.02, time.monotonic() + wish - 0.1))
        elif (
            reply is not None
            or fault.end is not End.KEEP
            or fault.cut is not None
            or fault.at is not At.REQUEST
        ):
            self.losses += 1
