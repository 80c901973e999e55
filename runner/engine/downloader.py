"""Downloading: it fetches finished clips through a `Delivery`, retries what can be retried, and never submits.

In: succeeded takes with links. Out: delivered or undeliverable facts. A clip that does not come is tried for minutes,
and for as long as the run has other work. The intervals widen, and clips that were not yet tried go first. Each try
uses the link that the result names by then. A try that fetched bytes starts the count again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from runner.domain import failpoints
from runner.domain.api_answers import FailureKind, FetchTrouble, RequestFailure, folded
from runner.domain.shots import Ticket
from runner.domain.states import Delivered, DeliveryState, Ended, FetchStarted, Undeliverable
from runner.engine.context import EngineContext
from runner.engine.ports import Delivery
from runner.engine.run_state import ActiveTake
from runner.engine.timers import TimerQueue

_AHEAD = 366 * 86400.0
_FRESH_AT_ONCE = 3
"""How often a new link is tried at once; a host that signs a new link each time must not be asked without a pause."""

_SAID_AFTER = 15.0
"""Seconds without a clip after which the run says so."""

_NO_ANSWER = frozenset({FailureKind.TRANSIENT, FailureKind.THROTTLED})


class Downloader:
    """Fetches the clips of succeeded takes."""

    def __init__(self, means: EngineContext, *, delivery: Delivery) -> None:
        self._means = means
        self._board = means.board
        self._delivery = delivery
        self._agenda: TimerQueue[ActiveTake] = TimerQueue(means.clock)
        self._late: set[str] = set()
        self._whose = {link: live.id for live in means.board.takes for link in live.outputs[:1]}

    def collect(self, live: ActiveTake) -> None:
        """Put a take on the agenda if its clip is wanted."""
        if self._board.wants_fetching(live):
            # A new clip goes ahead of all that failed before, however long those have been due.
            self._agenda.add(live, after=-_AHEAD)

    async def run(self) -> None:
        """Fetch whatever is due, until cancelled; run one of these for each download allowed at once."""
        while True:
            await self._fetch(await self._agenda.next())

    async def _fetch(self, live: ActiveTake) -> None:
        if not live.outputs:
            await self._board.record(live, FetchStarted(""))
            await self._board.record(live, Undeliverable("the result names no output"))
            return
        if live.delivery is not DeliveryState.FETCHING:
            await self._board.record(live, FetchStarted(live.outputs[0]))
        answer = await asyncio.wrap_future(self._delivery.fetch(_ticket(live)))
        failpoints.hit("collect.fetched")
        if isinstance(answer, Delivered):
            await self._board.record(live, answer)
            self._compare(live, answer)
        else:
            await self._handle_failure(live, answer)

    def _compare(self, live: ActiveTake, clip: Delivered) -> None:
        """Say so if another take has the very same link or bytes: one of the two clips may be another take's."""
        link, alike = live.outputs[0], ""
        for key, what in ((link, "link"), (clip.sha256, "bytes")):
            other = self._whose.setdefault(key, live.id)
            if other != live.id and not alike:
                alike = f"{live.id} has the very same clip as {other} (by its {what}): check whose it is"
        if alike:
            self._board.say(alike)

    async def _handle_failure(self, live: ActiveTake, trouble: FetchTrouble) -> None:
        if trouble.permanent and not trouble.link_refused:
            await self._board.record(live, Undeliverable(trouble.reason))
            return
        lasting, stale = self._lasting(live, trouble), live.outputs
        failures = live.unfetched.count
        # A stale link need not fail as one: its host may be gone. So the second failure asks for a fresh link too.
        asked = await self._refresh(live) if trouble.link_refused or failures > 1 else True
        if self._is_spent(live, trouble, lasting=lasting, asked=asked):
            tries = f", after {failures} tries in {lasting:.0f} s" if failures > 1 else ""
            await self._board.record(live, Undeliverable(f"{trouble.reason}{tries}"))
            return
        self._say_late(live, trouble.reason, lasting)
        wait = self._means.options.fetch_pace.next(lasting=lasting, chance=self._means.chance())
        is_fresh = live.outputs != stale and failures <= _FRESH_AT_ONCE
        self._agenda.add(live, after=0.0 if is_fresh else wait)

    def _say_late(self, live: ActiveTake, reason: str, lasting: float) -> None:
        """Say once for each reason that a clip is late, and why; other clips that fail alike add no line."""
        if lasting >= _SAID_AFTER and folded(reason) not in self._late:
            self._late.add(folded(reason))
            self._board.say(f"{live.id}: its clip does not come yet: {reason}; still trying")

    def _lasting(self, live: ActiveTake, trouble: FetchTrouble) -> float:
        """Note a failure, and return for how many seconds there have been only failures."""
        now = self._means.clock.monotonic()
        if live.fetch_trouble_since is None:
            live.fetch_trouble_since = now
        if trouble.at_hand > live.at_hand:
            live.at_hand = trouble.at_hand
            live.unfetched.is_over()
        return live.unfetched.goes_on(now)

    def _is_spent(self, live: ActiveTake, trouble: FetchTrouble, *, lasting: float, asked: bool) -> bool:
        """Return whether to leave a clip to the next run.

        A host that is away is waited for as in an outage, unless the run wants to end. So is an API that cannot give a
        fresh link. No clip is waited for longer than an outage, however much its host sends.
        """
        now, limit = self._means.clock.monotonic(), self._means.options.outage_limit
        if live.fetch_trouble_since is not None and now - live.fetch_trouble_since >= limit:
            return True
        waits = trouble.unreachable or not asked
        if (waits and not self._board.giving_up) or self._board.is_busy:
            return False
        return self._means.options.fetch_pace.is_spent(lasting=lasting, age=self._age(live))

    def _age(self, live: ActiveTake) -> float:
        """Return how many seconds ago the job ended."""
        ended = live.finished_at if live.finished_at is not None else live.ticket.finished_at
        return math.inf if ended is None else self._means.clock.wall() - ended

    async def _refresh(self, live: ActiveTake) -> bool:
        """Read the result again for fresh links; False if the API did not answer."""
        if live.request_id is None:
            return True
        answer = await self._means.result(live)
        if isinstance(answer, Ended):
            live.outputs = renewed(live.outputs, answer.outputs)
        # Any other failure is an answer: there is no record, or it cannot be read.
        return not (isinstance(answer, RequestFailure) and answer.kind in _NO_ANSWER)


def renewed(links: Sequence[str], fresh: Sequence[str]) -> tuple[str, ...]:
    """Return `links` with the `fresh` ones of the same job in place of the stale: each output keeps its place.

    A file's name is made from the place. So a record that names the outputs in another order, or fewer of them, moves
    or removes none. The same file has the same address and the most similar query, since signatures change. A link with
    a new address replaces the first link that has no fresh one yet.
    """
    left = list(dict.fromkeys(fresh))
    places: list[str | None] = []
    for link in links:
        alike = [each for each in left if _address(each) == _address(link)]
        same = max(alike, key=lambda each: len(_query(each) & _query(link)), default=None)
        if same is not None:
            left.remove(same)
        places.append(same)
    others = iter(left)
    merged = [found or next(others, link) for found, link in zip(places, links, strict=True)]
    return (*merged, *others)


def _address(link: str) -> str:
    return urlsplit(link)._replace(query="", fragment="").geturl()


def _query(link: str) -> frozenset[str]:
    return frozenset(urlsplit(link).query.split("&"))


def _ticket(live: ActiveTake) -> Ticket:
    """Return the ticket as the downloader needs it: with the id and links of this attempt."""
    return replace(
        live.ticket,
        state=live.state,
        delivery=live.delivery,
        request_id=live.request_id,
        outputs=live.outputs,
        cost=live.cost if live.cost is not None else live.ticket.cost,
        finished_at=live.finished_at if live.finished_at is not None else live.ticket.finished_at,
    )
