"""Selects the takes of a command by ids, globs, tags, states and decisions.

In: a choice, takes, recorded or planned, and what people decided about them. Out: ids, in the order of the takes. It
knows no command and no file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from runner.domain.clip_checks import Flag
from runner.domain.display import listed
from runner.domain.errors import UsageError
from runner.domain.picks import Decision
from runner.domain.records import Standing
from runner.domain.states import DeliveryState, TakeState

STALE, FLAGGED = "stale", "flagged"
PICKED, UNPICKED, REJECTED, MAYBE = "picked", "unpicked", "rejected", "maybe"
DECIDED: Final[Mapping[str, Decision]] = {
    PICKED: Decision.PICK,
    REJECTED: Decision.REJECT,
    MAYBE: Decision.MAYBE,
}
"""The words that choose takes by what was decided about them; `unpicked` are all that have no pick."""

CHOSEN = (PICKED, UNPICKED, REJECTED, MAYBE)
BARE = frozenset({FLAGGED, *CHOSEN})
"""Words that may stand without `status:`, unless a shot or a take has that name."""

STATUSES = (
    *TakeState,
    DeliveryState.DELIVERED.value,
    DeliveryState.UNDELIVERABLE.value,
    STALE,
    FLAGGED,
    *CHOSEN,
)
Decisions: TypeAlias = Mapping[str, Decision]
"""What was decided, by the takes' ids."""

UNDECIDED: Final[Decisions] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A take that can be chosen, with its future id and its state, whether it is on record yet or not.

    `waits` is true for a take that a run sends by itself.
    """

    take_id: str
    shot_id: str
    tags: tuple[str, ...]
    state: TakeState
    delivery: DeliveryState
    is_stale: bool = False
    waits: bool = False
    flags: tuple[Flag, ...] = ()
    label: str = ""


Choosable: TypeAlias = Candidate | Standing
R = TypeVar("R", bound=Standing)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for: values of one kind add up, kinds narrow each other, and an empty choice means all.

    `only` and `exclude` take ids, globs, `tag:NAME`, `status:STATE`, and `flagged`, `picked`, `unpicked`, `rejected`
    and `maybe`; `limit` keeps the first N.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def is_all(self) -> bool:
        """True if nothing narrows it."""
        return self == Choice()

    @property
    def needs_decisions(self) -> bool:
        """True if it may depend on what people decided about takes."""
        words = (*self.only, *self.exclude, *self.statuses)
        return any(word.removeprefix("status:") in CHOSEN for word in words)


ALL = Choice()


def choose(
    takes: Iterable[Choosable], choice: Choice, *, decisions: Decisions = UNDECIDED
) -> tuple[str, ...]:
    """Return the ids of the takes that `choice` means, in their order; the caller applies `limit`.

    `decisions` are what people decided, by the ids of these takes.

    Raises:
        UsageError: a pattern matches nothing here; the advice names the nearest id.
    """
    known = _Known(list(takes), decisions)
    chosen = known.union(choice.only) if choice.only else frozenset(take.take_id for take in known.takes)
    for kind, values in (("tag", choice.tags), ("status", choice.statuses)):
        if values:
            chosen &= known.union([f"{kind}:{value}" for value in values])
    if choice.exclude:
        chosen -= known.union(choice.exclude)
    return tuple(take.take_id for take in known.takes if take.take_id in chosen)


def pick(
    takes: Sequence[R], choice: Choice, which: Callable[[R], bool], *, decisions: Decisions = UNDECIDED
) -> list[str]:
    """Return the ids of the chosen takes for which `which` is true, at most as many as the limit says.

    Raises:
        UsageError: a pattern matches nothing here; the advice names the nearest id.
    """
    chosen = set(choose(takes, choice, decisions=decisions))
    return [take.take_id for take in takes if take.take_id in chosen and which(take)][: choice.limit]


@dataclass(frozen=True, slots=True)
class _Known:
    """The takes to choose from, and what was decided about them."""

    takes: Sequence[Choosable]
    decisions: Decisions

    def union(self, patterns: Iterable[str]) -> frozenset[str]:
        """Return the ids of the takes that any of the patterns means."""
        union: set[str] = set()
        for pattern in patterns:
            kind, _, value = self._spelled_out(pattern).partition(":")
            if kind == "status" and value not in STATUSES:
                raise UsageError(f"{value!r} is not a state", advice="the states are " + ", ".join(STATUSES))
            found = {take.take_id for take in self.takes if self._fits(take, pattern, kind, value)}
            # An id or a shot comes first: a label never makes a pattern mean more than it would mean without.
            found = found or {take.take_id for take in self.takes if fnmatchcase(take.label, pattern)}
            if not found and kind != "status":
                raise UsageError(f"no take matches {pattern!r}", advice=_nearest(self.takes, pattern))
            union |= found
        return frozenset(union)

    def _spelled_out(self, pattern: str) -> str:
        """Return `status:picked` for `picked`, unless a shot or a take has that name."""
        if pattern not in BARE or any(pattern in {take.take_id, take.shot_id} for take in self.takes):
            return pattern
        return f"status:{pattern}"

    def _fits(self, take: Choosable, pattern: str, kind: str, value: str) -> bool:
        if kind == "tag":
            return value in take.tags
        if kind == "status" and value in CHOSEN:
            decision = self.decisions.get(take.take_id)
            return decision is not Decision.PICK if value == UNPICKED else decision is DECIDED[value]
        if kind == "status":
            marks = {STALE: take.is_stale, FLAGGED: bool(take.flags)}
            return marks.get(value, value in {take.state, take.delivery})
        return fnmatchcase(take.take_id, pattern) or fnmatchcase(take.shot_id, pattern)


def _nearest(takes: Sequence[Choosable], pattern: str) -> str:
    names = {name: None for take in takes for name in (take.shot_id, take.take_id)}
    close = difflib.get_close_matches(pattern, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    if pattern.startswith("tag:"):
        tags = sorted({tag for take in takes for tag in take.tags})
        return f"the tags are {listed(tags)}" if tags else "no take has a tag"
    shots = tuple(dict.fromkeys(take.shot_id for take in takes))
    return f"the shots are {listed(shots)}" if shots else "there are no takes yet"
