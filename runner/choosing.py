"""Which takes a command is about: `--only` with ids, globs, tags and states.

In: patterns and records. Out: ids. It knows no command and no file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from runner.errors import UsageError
from runner.states import TakeState
from runner.store.records import TakeRecord


def choose(takes: Iterable[TakeRecord], patterns: Sequence[str]) -> frozenset[str]:
    """Return the ids of the takes that any of `patterns` means; all of them without patterns.

    A pattern is a take's or shot's id, a glob over those, `tag:NAME` or `status:STATE`.

    Raises:
        UsageError: a pattern means nothing here, with the nearest id.
    """
    known = list(takes)
    if not patterns:
        return frozenset(take.take_id for take in known)
    return frozenset().union(*(_meant(known, pattern) for pattern in patterns))


def _meant(takes: Sequence[TakeRecord], pattern: str) -> frozenset[str]:
    kind, _, value = pattern.partition(":")
    if kind == "status" and value not in set(TakeState):
        raise UsageError(f"{value!r} is no state", advice="states are " + ", ".join(TakeState))
    found = frozenset(take.take_id for take in takes if _fits(take, pattern, kind, value))
    if not found and kind != "status":
        raise UsageError(f"no take fits {pattern!r}", advice=_nearest(takes, pattern))
    return found


def _fits(take: TakeRecord, pattern: str, kind: str, value: str) -> bool:
    if kind == "tag":
        return value in take.tags
    if kind == "status":
        return take.state == value
    return fnmatchcase(take.take_id, pattern) or fnmatchcase(take.shot_id, pattern)


def _nearest(takes: Sequence[TakeRecord], pattern: str) -> str:
    names = {name: None for take in takes for name in (take.shot_id, take.take_id)}
    close = difflib.get_close_matches(pattern, names, n=1)
    return f"did you mean {close[0]}?" if close else "see the ids with shotrunner status"
