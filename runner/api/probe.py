"""One free question to the API, asked to see whether it is there, takes the token, and has the same time.

In: an account. Out: what was seen, as a value. It submits nothing and repeats nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from runner.api.account import Account
from runner.api.classify import sort_barrier, sort_probe
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SilenceKind
from runner.api.progress import Deadlines
from runner.api.read_pool import ReadPool
from runner.api.redaction import Redactor
from runner.domain.api_answers import RequestFailure
from runner.system.clock import Clock

_PATH = "/v1/models/pika/pikaframes"
_DEADLINES = Deadlines(connect=5.0, write=5.0, read=5.0, overall=6.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a free question met: `trouble` is None if it was answered, and `silence` says why no answer came.

    `ahead_s` is by how many seconds this machine's clock is ahead of the API's; None if the answer gives no time.
    """

    trouble: RequestFailure | None
    ahead_s: float | None = None
    silence: SilenceKind | None = None


async def probe(account: Account, *, clock: Clock) -> Seen:
    """Ask the catalogue about a model, within six seconds."""
    pool = ReadPool(account.origin, account.token, calls=1, deadlines=_DEADLINES, proxies=account.proxies)
    redactor = Redactor(account.token)
    try:
        exchange = redactor.cleaned(await pool.ask(_PATH))
    finally:
        await pool.aclose()
        # A transport finishes closing in the loop's next turn, so the loop must not end before that.
        await asyncio.sleep(0)
    now = clock.wall()
    trouble = redactor.cleaned_value(sort_barrier(exchange) or sort_probe(exchange, now=now))
    silence = exchange.kind if isinstance(exchange, NoResponse) else None
    return Seen(trouble, seconds_ahead(exchange, now=now), silence)


def seconds_ahead(exchange: HttpOutcome, *, now: float) -> float | None:
    """Return by how much the wall time `now` is ahead of the header `Date` of an answer; None without such a header."""
    said = exchange.headers.get("date", "") if isinstance(exchange, Answer) else ""
    try:
        return now - parsedate_to_datetime(said).timestamp()
    except (ValueError, OverflowError):
        return None
