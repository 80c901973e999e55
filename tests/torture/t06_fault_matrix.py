"""T6: every fault against every kind of request, over http and https, each sorted as the table says.

In: the rows of `fault_table`. Out: verdicts. Beside the table's word each case holds: the take's next state follows
from the word; a text is there for the person, without the token; a submit is on the wire once at most and never
before its intent is on record; what was charged is never called unsent or refused; no file is named before it is whole.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.torture.fault_rows import Row
from tests.torture.fault_stage import TOKEN, Seen, Verb, play
from tests.torture.fault_table import TABLE, TRUTH
from tests.torture.registry import Verdict

NAME = "T6 fault matrix"
PR = 0.06
"""The scale of the small tier: some 160 cases, every fault but the plain statuses at least once."""

_AT_ONCE = 24
_STATES = {
    "accepted": "queued",
    "not-sent": "pending",
    "hopeless": "pending",
    "later": "pending",
    "account": "pending",
    "refused": "failed",
    "lost": "held",
}
_NO_CHARGE = frozenset({"not-sent", "hopeless", "later", "refused", "account"})
_SILENT = frozenset(
    {"accepted", "delivered", "succeeded", "cancelled", "not yet", "not_cancellable", "perhaps"}
)
_TEXT = 8_000


@dataclass(frozen=True, slots=True)
class One:
    """One fault, one kind of request, one scheme: `row` is its place in the table."""

    row: int
    verb: Verb
    https: bool

    @property
    def fault(self) -> Row:
        """The row itself."""
        return TABLE[self.row]

    def __str__(self) -> str:
        return f"{self.fault.name}, {self.verb} over {'https' if self.https else 'http'}"


@dataclass(frozen=True, slots=True)
class Together:
    """Cases that are played at the same time, since most of their time is spent waiting."""

    name: str
    ones: tuple[One, ...]


def every() -> Iterator[One]:
    """Yield all cases in the order of the table."""
    for number, row in enumerate(TABLE):
        for verb in row.outcomes:
            for https in row.schemes:
                yield One(number, verb, https)


def cases(seed: int, scale: float) -> Iterable[Together]:
    """Return the cases in groups; below full scale, a sample that has every special fault and some statuses."""
    chosen = list(every())
    if scale < 1:
        chosen = _sample(chosen, round(len(chosen) * scale), random.Random(seed))
    for start in range(0, len(chosen), _AT_ONCE):
        yield Together(f"faults-{start:04}", tuple(chosen[start : start + _AT_ONCE]))


def _sample(ones: list[One], wanted: int, chance: random.Random) -> list[One]:
    special = [one for one in ones if not one.fault.name.startswith("status ")]
    by_row: dict[int, list[One]] = {}
    for one in special:
        by_row.setdefault(one.row, []).append(one)
    # Of every fault the paid request where it has one: that is where a mistake costs money.
    first = [next((one for one in row if one.verb is Verb.SUBMIT), row[0]) for row in by_row.values()]
    rest = [one for one in ones if one not in set(first)]
    extra = chance.sample(rest, max(0, min(len(rest), wanted - len(first))))
    return sorted([*first, *extra], key=lambda one: (one.row, one.verb, one.https))


def run(case: Together, workdir: Path) -> Verdict:
    """Play a group and hold each against the table."""
    seen = asyncio.run(_play(case.ones, workdir))
    failures: list[str] = []
    doubled = lost = 0
    for one, what in zip(case.ones, seen, strict=True):
        failures += [f"{one}: {objection}" for objection in objections(one, what)]
        doubled += max(0, what.charged - 1)
        lost += bool(what.charged and what.outcome in _NO_CHARGE)
    return Verdict(cases=len(seen), doubled=doubled, lost=lost, failures=tuple(failures))


async def _play(ones: Iterable[One], workdir: Path) -> list[Seen]:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(
            await asyncio.gather(
                *(
                    play(
                        one.verb,
                        one.fault.act,
                        https=one.https,
                        workdir=workdir / f"{one.row}-{one.verb}-{one.https:d}",
                        threads=threads,
                    )
                    for one in ones
                )
            )
        )


def objections(one: One, seen: Seen) -> Iterator[str]:
    """Yield everything that is wrong with what was seen."""
    yield from seen.objections
    words = [
        TRUTH.get(one.verb, word) if word == "=" else word for word in one.fault.outcomes[one.verb].split("|")
    ]
    if seen.outcome not in words:
        yield f"called {seen.outcome!r}, should be {' or '.join(words)} ({seen.reason[:120]!r})"
    if one.verb is Verb.SUBMIT:
        yield from _paid(seen)
    least, most = one.fault.requests
    if not least <= seen.requests <= most:
        yield f"seen {seen.requests} times by the server, should be {least} to {most}"
    yield from _told(seen)
    if not seen.whole:
        yield "a file that is not the clip has the clip's name, or the other way round"


def _paid(seen: Seen) -> Iterator[str]:
    if _STATES.get(seen.outcome) != seen.state:
        yield f"{seen.outcome} led to {seen.state}"
    if seen.charged and seen.outcome in _NO_CHARGE:
        yield f"charged {seen.charged} times and called {seen.outcome}"
    if seen.requests and seen.outcome in {"not-sent", "hopeless"}:
        yield "called unsent, but the server has seen it"
    if seen.early:
        yield "the server saw it before the intent was on record"
    if seen.charged > 1 or seen.requests > 1 or seen.connections > 1:
        yield f"sent {seen.requests} times over {seen.connections} connections, charged {seen.charged} times"


def _told(seen: Seen) -> Iterator[str]:
    if not seen.reason and not (
        seen.outcome in _SILENT or seen.outcome.startswith("seen ") or seen.outcome == "unknown"
    ):
        yield f"{seen.outcome}, and not a word to say why"
    if TOKEN in seen.reason + seen.evidence:
        yield "the text holds the token"
    if len(seen.reason) > _TEXT:
        yield f"a text of {len(seen.reason)} characters"
