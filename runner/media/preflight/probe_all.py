"""Probes many links: a few at once, fewer at one host, and each within a time limit.

In: links, a way to probe one, and an executor with a thread for each simultaneous probe. Out: exactly one probe per
link. It knows no HTTP. A host that gives no answer is not asked again and again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from runner.media.preflight.probe import LinkProbe, LookAt
from runner.system.clock import Clock


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on probes.

    `deadline_s` is for one link, counted from its request. It should be longer than the probe's own limit, and ends
    what the probe cannot abort. After `patience` probes in a row without an answer, a host is not asked again.
    """

    at_once: int = 8
    per_host: int = 2
    deadline_s: float = 25.0
    patience: int = 3


Tell = Callable[[int, int], None]
"""Receives how many links are done, and how many there are."""


def look_at_all(
    urls: Iterable[str],
    *,
    look: LookAt,
    executor: Executor,
    clock: Clock,
    limits: Limits | None = None,
    tell: Tell = lambda _done, _all: None,
) -> dict[str, LinkProbe]:
    """Return what each of `urls` shows, in their order."""
    wanted = list(dict.fromkeys(urls))
    round_of_looks = _Round(look, executor, clock, limits or Limits())
    for url in wanted:
        round_of_looks.waiting.setdefault(_host(url), deque()).append(url)
    for found in round_of_looks.run():
        tell(found, len(wanted))
    return {url: round_of_looks.seen[url] for url in wanted}


@dataclass(slots=True)
class _Asked:
    url: str
    host: str
    since: float


@dataclass(slots=True)
class _Round:
    """Waiting links by host; running probes; abandoned probes that still hold a thread; results."""

    look: LookAt
    executor: Executor
    clock: Clock
    limits: Limits
    waiting: dict[str, deque[str]] = field(default_factory=dict)
    going: dict[Future[LinkProbe], _Asked] = field(default_factory=dict)
    stuck: dict[Future[LinkProbe], str] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    seen: dict[str, LinkProbe] = field(default_factory=dict)

    def run(self) -> Iterator[int]:
        """Probe until every link has a result, and yield how many have one."""
        while True:
            self._leave_hosts_that_stay_away()
            self._ask()
            yield len(self.seen)
            if not self.going:
                return
            self._gather()

    def _ask(self) -> None:
        busy = Counter([*(asked.host for asked in self.going.values()), *self.stuck.values()])
        for host, urls in self.waiting.items():
            while urls and busy[host] < self.limits.per_host and busy.total() < self.limits.at_once:
                url = urls.popleft()
                future = self.executor.submit(self.look, url)
                self.going[future] = _Asked(url, host, self.clock.monotonic())
                busy[host] += 1
        self.waiting = {host: urls for host, urls in self.waiting.items() if urls}

    def _gather(self) -> None:
        soonest = min(asked.since for asked in self.going.values()) + self.limits.deadline_s
        wait(self.going, timeout=max(0.0, soonest - self.clock.monotonic()), return_when=FIRST_COMPLETED)
        now = self.clock.monotonic()
        for future, asked in list(self.going.items()):
            if future.done():
                del self.going[future]
                self._note(asked, future.result())
            elif now >= asked.since + self.limits.deadline_s:
                # The look-up of a name cannot be aborted from outside: its thread and its place stay occupied.
                del self.going[future]
                self.stuck[future] = asked.host
                self._note(asked, self._absent(f"took longer than {self.limits.deadline_s:g} s"))
        self.stuck = {future: host for future, host in self.stuck.items() if not future.done()}

    def _note(self, asked: _Asked, look: LinkProbe) -> None:
        self.seen[asked.url] = look
        self.failures[asked.host] = self.failures[asked.host] + 1 if look.away else 0

    def _leave_hosts_that_stay_away(self) -> None:
        stuck = Counter(self.stuck.values())
        for host, urls in self.waiting.items():
            if self.failures[host] >= self.limits.patience or stuck[host] >= self.limits.per_host:
                self._leave(urls, f"not asked: {host} gave no answer {self.failures[host]} times in a row")
            elif len(self.stuck) >= self.limits.at_once:
                self._leave(urls, "not asked: too many hosts give no answer")

    def _leave(self, urls: deque[str], why: str) -> None:
        while urls:
            self.seen[urls.popleft()] = self._absent(why)

    def _absent(self, why: str) -> LinkProbe:
        return LinkProbe(self.clock.wall(), trouble=why, away=True)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
