"""Downloading: it fetches finished clips through a `Delivery`, retries what can be retried, and never submits.

A clip that does not come is tried for minutes, and for as long as the run has other work. The intervals widen, and
clips that were not yet tried go first. Each try uses the link that the result names by then. A try that fetched bytes
starts the count again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from runner.domain import failpoints
from runner.domain.api_answers import FailureKind, FetchTrouble, RequestFailure, folded
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
    """Fetches the clips of succeeded takes; `stand_ins` are hashes of clips that any number of them may have."""

    def __init__(
        self, context: EngineContext, delivery: Delivery, *, stand_ins: Collection[str] = ()
    ) -> None:
        self._context = context
        self._state = context.state
        self._delivery = delivery
        self._stand_ins = stand_ins
        self._agenda: TimerQueue[ActiveTake] = TimerQueue(context.state.clock)

    def collect(self, live: ActiveTake) -> None:
        """Put a take on the agenda if its clip is wanted."""
        if self._state.wants_fetching(live):
            # A new clip goes ahead of all that failed before, however long those have been due.
            self._agenda.add(live, after=-_AHEAD)

    async def run(self) -> None:
        """Fetch whatever is due, until cancelled; run one of these for each download allowed at once."""
        while True:
            await self._fetch(await self._agenda.next())

    async def _fetch(self, live: ActiveTake) -> None:
        if not live.outputs:
            await self._state.record(live, FetchStarted(""))
            await self._state.record(live, Undeliverable("the result names no output"))
            return
        if live.delivery is not DeliveryState.FETCHING:
            await self._state.record(live, FetchStarted(live.outputs[0]))
        # The downloader needs the id and links of this attempt.
        ticket = replace(
            live.ticket,
            state=live.state,
            delivery=live.delivery,
            request_id=live.request_id,
            outputs=live.outputs,
            cost=live.cost,
            finished_at=live.finished_at,
        )
        answer = await asyncio.wrap_future(self._delivery.fetch(ticket))
        failpoints.hit("collect.fetched")
        if isinstance(answer, Delivered):
            await self._state.record(live, answer)
            self._compare(live, answer)
        else:
            await self._handle_failure(live, answer)

    def _compare(self, live: ActiveTake, clip: Delivered) -> None:
        """Report another take with the same link or bytes: one of the two clips may be another take's."""
        by_link = self._state.whose.setdefault(live.outputs[0], live.id)
        by_bytes = live.id
        if clip.sha256 not in self._stand_ins:
            by_bytes = self._state.whose.setdefault(clip.sha256, live.id)
        other, what = (by_link, "link") if by_link != live.id else (by_bytes, "bytes")
        if other != live.id:
            self._state.say(f"{live.id} has the very same clip as {other} (by its {what}): check whose it is")

    async def _handle_failure(self, live: ActiveTake, trouble: FetchTrouble) -> None:
        if trouble.permanent and not trouble.link_refused:
            await self._state.record(live, Undeliverable(trouble.reason))
            return
        live.undelivered.goes_on(self._state.now)
        if trouble.at_hand > live.at_hand:
            live.at_hand = trouble.at_hand
            live.unfetched.is_over()
        lasting, stale = live.unfetched.goes_on(self._state.now), live.outputs
        failures = live.unfetched.count
        # A stale link need not fail as one: its host may be gone. So the second failure asks for a fresh link too.
        asked = await self._refresh(live) if trouble.link_refused or failures > 1 else True
        if self._is_spent(live, lasting=lasting, waits=trouble.unreachable or not asked):
            tries = f", after {failures} tries in {lasting:.0f} s" if failures > 1 else ""
            await self._state.record(live, Undeliverable(f"{trouble.reason}{tries}"))
            return
        if lasting >= _SAID_AFTER:
            # Other clips that fail alike add no line.
            text = f"{live.id}: its clip has not arrived yet: {trouble.reason}; still trying"
            self._state.say_once(f"late: {folded(trouble.reason)}", text)
        wait = self._state.options.fetch_pace.next(lasting=lasting, chance=self._context.chance())
        is_fresh = live.outputs != stale and failures <= _FRESH_AT_ONCE
        self._agenda.add(live, after=0.0 if is_fresh else wait)

    def _is_spent(self, live: ActiveTake, *, lasting: float, waits: bool) -> bool:
        """Return whether to leave a clip to the next run, after only failures for `lasting` seconds.

        A host that is away is waited for as in an outage, unless the run wants to end. So is an API that cannot give a
        fresh link. No clip is waited for longer than an outage, however much its host sends.
        """
        options = self._state.options
        if live.undelivered.goes_on(self._state.now) >= options.outage_limit:
            return True
        if (waits and not self._state.giving_up) or self._state.is_busy:
            return False
        age = math.inf if live.finished_at is None else self._state.clock.wall() - live.finished_at
        return options.fetch_pace.is_spent(lasting=lasting, age=age)

    async def _refresh(self, live: ActiveTake) -> bool:
        """Read the result again for fresh links; False if the API did not answer."""
        if live.request_id is None:
            return True
        answer = await self._context.result(live)
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
