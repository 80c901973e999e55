"""A gate in front of the API: shut while the service is away, resting when it asked for peace.

After a lost answer, or reads of several takes that failed in a row, one free question at a time decides when to go on,
so that an outage of any length costs one doubtful submit and about one request per half minute. A host that was never
there is no outage: it is a wrong address, and waiting does not mend it. It knows no takes but their names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner.answers import Trouble, TroubleKind
from runner.engine.options import End, EndingKind, Stop
from runner.engine.ports import Queue
from runner.engine.spell import Spell
from runner.errors import NoSuchHost
from runner.pacing import Clock, RetryQuota

FIRST_PROBE = 1.0
PROBE_EVERY = 30.0
PROBE_CEILING = 300.0
PROBE_GROWTH = 1.5
RELAPSE_GROWTH = 4.0
"""How much longer the gate stays shut each time that reads fail again soon after it opened: 1, 4, 16, 30 s. A burst of
bad gateways is soon over, and a read costs nothing; a submit that is lost again may cost money, and waits the 30 s."""

TAKES_THAT_SHUT = 3
"""One take whose reads fail may be at fault itself; three are not."""

ALONE_THAT_SHUT = 60.0
"""Seconds for which the reads of one or two takes have failed while no other was asked, so that nobody spoke for the
service: at the end of a night few jobs are left, and they are looked at in turn."""

ABSENCES_THAT_END = 5
"""A name may be unknown for a moment, while a network comes up; five times in a row it is a wrong one."""

ABSENT_EVERY = 10.0
"""Seconds between questions to a host that does not exist: they reach nobody, and somebody waits to hear of it."""

_SAME_SPELL = 900.0
_WORTH_SAYING = 10.0
_TOLD_AGAIN = 3 * 3600.0


class Gate:
    """Lets calls through while the service answers; `end` is called once an outage passes its limit."""

    def __init__(
        self,
        *,
        queue: Queue,
        clock: Clock,
        limit: float,
        say: Callable[[str], None],
        end: End,
        opened: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._limit = limit
        self._say = say
        self._end = end
        self._opened = opened
        self._open = asyncio.Event()
        self._open.set()
        self._shut = asyncio.Event()
        self._model = ""
        self._failing: set[str] = set()
        self._failing_spell = Spell()
        self._quota = RetryQuota()
        self._rest_until = 0.0
        self._opened_at = float("-inf")
        self._relapses = 0
        self._first_wait = FIRST_PROBE
        self._told_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """True while reads may go."""
        return self._open.is_set()

    def rest_left(self) -> float:
        """Return the seconds for which nothing shall be submitted."""
        return max(0.0, self._rest_until - self._clock.monotonic())

    def rest(self, seconds: float) -> None:
        """Submit nothing for `seconds`."""
        self._rest_until = max(self._rest_until, self._clock.monotonic() + seconds)

    async def passes(self) -> None:
        """Wait until reads may go."""
        await self._open.wait()

    def answered(self) -> None:
        """Note that a read was answered."""
        self._forget_failures()
        self._quota.earn()

    def failed(self, take_id: str, model: str, reason: str, *, out_there: int) -> None:
        """Note a read about `take_id` that was not answered; several takes in a row, or too many retries, shut.

        Where fewer than that are out there, all of them are several.
        """
        self._failing.add(take_id)
        enough = TAKES_THAT_SHUT if self._quota.spend() else 2
        lasted = self._failing_spell.goes_on(self._clock.monotonic())
        several = len(self._failing) >= min(enough, max(out_there, 1)) or lasted >= ALONE_THAT_SHUT
        if several and self.is_open:
            self._shut_for(min(PROBE_EVERY, FIRST_PROBE * RELAPSE_GROWTH**self._relapses), model, reason)
            self._relapses += 1

    def _forget_failures(self) -> None:
        self._failing.clear()
        self._failing_spell.is_over()

    def shut(self, model: str, reason: str) -> None:
        """Let nothing through until a free question about `model` is answered, after a submit that was lost."""
        if self.is_open:
            self._shut_for(PROBE_EVERY, model, reason)

    def _shut_for(self, wait: float, model: str, reason: str) -> None:
        """Shut, and ask in `wait` seconds for the first time, or very soon where this is the first of a spell."""
        if not self._is_same_spell():
            wait, self._relapses = FIRST_PROBE, 0
        self._first_wait = wait
        self._model = model
        self._open.clear()
        self._shut.set()
        if not self._is_same_spell():
            self._say(f"no usable answer from the API ({reason}); waiting until it gives one")

    def _is_same_spell(self) -> bool:
        return self._clock.monotonic() - self._opened_at < _SAME_SPELL

    def _tell_now_and_then(self, text: str) -> None:
        """Say `text` where it has not been said for hours: one long spell of bad weather is no news each minute."""
        now = self._clock.monotonic()
        if now - self._told_at >= _TOLD_AGAIN:
            self._told_at = now
            self._say(text)

    async def keep(self) -> None:
        """Open the gate again whenever the service is back; runs until it is cancelled.

        Raises:
            NoSuchHost: the service's host does not exist, and never did in this run.
        """
        while True:
            await self._shut.wait()
            await self._until_back()
            self._shut.clear()
            self._forget_failures()
            self._opened_at = self._clock.monotonic()
            self._open.set()
            self._opened()

    async def _until_back(self) -> None:
        began = self._clock.monotonic()
        again = self._is_same_spell()
        wait = self._first_wait
        absences = 0
        if again and wait >= _WORTH_SAYING:
            self._tell_now_and_then(f"the API failed again; asking it in {wait:.0f} s whether it answers")
        while True:
            await self._clock.sleep(wait)
            trouble = await self._queue.probe(self._model)
            away_for = self._clock.monotonic() - began
            if trouble is None:
                if not again:
                    self._say(f"the API answers again after {away_for:.0f} s")
                return
            self._judge(trouble, away_for)
            absences = absences + 1 if trouble.kind is TroubleKind.NO_HOST else 0
            if absences >= ABSENCES_THAT_END:
                raise _wrong_address(trouble.reason)
            grown = max(PROBE_EVERY, wait * PROBE_GROWTH, trouble.retry_after or 0.0)
            wait = ABSENT_EVERY if absences else min(PROBE_CEILING, grown)

    def _judge(self, trouble: Trouble, away_for: float) -> None:
        if trouble.kind is TroubleKind.ACCOUNT:
            self._end(EndingKind.ACCOUNT, trouble.reason, Stop.DETACH)
        elif away_for >= self._limit:
            self._end(EndingKind.OUTAGE, trouble.reason, Stop.DETACH)


def _wrong_address(reason: str) -> NoSuchHost:
    return NoSuchHost(
        f"{reason}; nothing was sent, and every take stands where it stood",
        advice="check the API base (--api-base, or its environment variable) and that this machine's network "
        "and DNS work",
    )
