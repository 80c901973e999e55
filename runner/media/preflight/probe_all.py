"""Probes many links: a few at once, fewer at one host, and each within a time limit.

A host that gives no answer is not asked again and again.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from runner.media.preflight.probe import LinkProbe
from runner.system.clock import Clock


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on probes.

    `deadline_s` is for one link, counted from its request. It should be longer than the probe's own limit, and ends
    what the probe cannot abort. After `patience` probes in a row without an answer, a host is not asked again.
    `total_s` is for all links together.
    """

    at_once: int = 8
    per_host: int = 2
    deadline_s: float = 25.0
    patience: int = 3
    total_s: float = math.inf


def look_at_all(
    urls: Iterable[str],
    *,
    look: Callable[[str], LinkProbe],
    executor: Executor,
    clock: Clock,
    limits: Limits | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, LinkProbe]:
    """Return what each of `urls` shows, in their order; `tell` receives how many are done, and how many there are."""
    wanted, limits = list(dict.fromkeys(urls)), limits or Limits()
    probes = _Probes(look, executor, clock, limits, clock.monotonic() + limits.total_s)
    for url in wanted:
        probes.waiting.setdefault((urlsplit(url).hostname or "").lower(), deque()).append(url)
    while True:
        probes.leave_hosts_that_stay_away()
        probes.ask()
        tell(len(probes.seen), len(wanted))
        if not probes.going:
            return {url: probes.seen[url] for url in wanted}
        probes.gather()


@dataclass(frozen=True, slots=True)
class _Asked:
    url: str
    host: str
    since: float


@dataclass(slots=True)
class _Probes:
    """Waiting links by host; running probes; abandoned probes that still hold a thread; results.

    At `ends`, by the monotonic clock, what has not answered is abandoned.
    """

    look: Callable[[str], LinkProbe]
    executor: Executor
    clock: Clock
    limits: Limits
    ends: float
    waiting: dict[str, deque[str]] = field(default_factory=dict)
    going: dict[Future[LinkProbe], _Asked] = field(default_factory=dict)
    stuck: dict[Future[LinkProbe], str] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    seen: dict[str, LinkProbe] = field(default_factory=dict)

    def ask(self) -> None:
        busy = Counter([*(asked.host for asked in self.going.values()), *self.stuck.values()])
        for host, urls in self.waiting.items():
            while urls and busy[host] < self.limits.per_host and busy.total() < self.limits.at_once:
                url = urls.popleft()
                future = self.executor.submit(self.look, url)
                self.going[future] = _Asked(url, host, self.clock.monotonic())
                busy[host] += 1
        self.waiting = {host: urls for host, urls in self.waiting.items() if urls}

    def gather(self) -> None:
        """Wait for the next result or deadline."""
        limit = self.limits.deadline_s
        soonest = min(self.ends, min(asked.since for asked in self.going.values()) + limit)
        wait(self.going, timeout=max(0.0, soonest - self.clock.monotonic()), return_when=FIRST_COMPLETED)
        now = self.clock.monotonic()
        for future, asked in list(self.going.items()):
            if future.done():
                look = future.result()
            elif now >= min(self.ends, asked.since + limit):
                # The look-up of a name cannot be aborted from outside: its thread and its place stay occupied.
                self.stuck[future] = asked.host
                look = self._absent(f"took longer than {now - asked.since:.0f} s")
            else:
                continue
            del self.going[future]
            self.seen[asked.url] = look
            self.failures[asked.host] = self.failures[asked.host] + 1 if look.away else 0
        self.stuck = {future: host for future, host in self.stuck.items() if not future.done()}

    def leave_hosts_that_stay_away(self) -> None:
        stuck = Counter(self.stuck.values())
        for host, urls in self.waiting.items():
            if self.clock.monotonic() >= self.ends:
                why = f"not asked: all links together took longer than {self.limits.total_s:g} s"
            elif self.failures[host] >= self.limits.patience or stuck[host] >= self.limits.per_host:
                why = f"not asked: {host} gave no answer {self.failures[host]} times in a row"
            elif len(self.stuck) >= self.limits.at_once:
                why = "not asked: too many hosts give no answer"
            else:
                continue
            self.seen.update((url, self._absent(why)) for url in urls)
            urls.clear()

    def _absent(self, why: str) -> LinkProbe:
        return LinkProbe(self.clock.wall(), trouble=why, away=True)
