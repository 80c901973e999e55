"""Selects the takes of a command by ids, globs, tags and states.

In: a choice and takes, recorded or planned. Out: ids, in the order of the takes. It knows no command and no file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias, TypeVar

from runner.domain.display import listed
from runner.domain.errors import UsageError
from runner.domain.records import Standing
from runner.domain.states import DeliveryState, TakeState

STALE = "stale"
STATUSES = (*TakeState, DeliveryState.DELIVERED.value, DeliveryState.UNDELIVERABLE.value, STALE)


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
    label: str = ""


Choosable: TypeAlias = Candidate | Standing
R = TypeVar("R", bound=Standing)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for: values of one kind add up, kinds narrow each other, and an empty choice means all.

    `only` and `exclude` take ids, globs, `tag:NAME` and `status:STATE`; `limit` keeps the first N.
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


ALL = Choice()


def choose(takes: Iterable[Choosable], choice: Choice) -> tuple[str, ...]:
    """Return the ids of the takes that `choice` means, in their order; the caller applies `limit`.

    Raises:
        UsageError: a pattern matches nothing here; the advice names the nearest id.
    """
    known = list(takes)
    chosen = _union(known, choice.only) if choice.only else frozenset(take.take_id for take in known)
    for kind, values in (("tag", choice.tags), ("status", choice.statuses)):
        if values:
            chosen &= _union(known, [f"{kind}:{value}" for value in values])
    if choice.exclude:
        chosen -= _union(known, choice.exclude)
    return tuple(take.take_id for take in known if take.take_id in chosen)


def pick(takes: Sequence[R], choice: Choice, which: Callable[[R], bool]) -> list[str]:
    """Return the ids of the chosen takes for which `which` is true, at most as many as the limit says.

    Raises:
        UsageError: a pattern matches nothing here; the advice names the nearest id.
    """
    chosen = set(choose(takes, choice))
    return [take.take_id for take in takes if take.take_id in chosen and which(take)][: choice.limit]


def _union(takes: Sequence[Choosable], patterns: Iterable[str]) -> frozenset[str]:
    """Return the ids of the takes that any of the patterns means."""
    union: set[str] = set()
    for pattern in patterns:
        kind, _, value = pattern.partition(":")
        if kind == "status" and value not in STATUSES:
            raise UsageError(f"{value!r} is not a state", advice="the states are " + ", ".join(STATUSES))
        found = {take.take_id for take in takes if _fits(take, pattern, kind, value)}
        # An id or a shot comes first: a label never makes a pattern mean more than it would mean without.
        found = found or {take.take_id for take in takes if fnmatchcase(take.label, pattern)}
        if not found and kind != "status":
            raise UsageError(f"no take matches {pattern!r}", advice=_nearest(takes, pattern))
        union |= found
    return frozenset(union)


def _fits(take: Choosable, pattern: str, kind: str, value: str) -> bool:
    if kind == "tag":
        return value in take.tags
    if kind == "status":
        return take.is_stale if value == STALE else value in {take.state, take.delivery}
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
