"""Defines what a fault is, and decides which rule of a script applies to a request. It knows no fault by name.

The faults of scripts are in `faults`. Tests add others by giving a table of their own to `read_script`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from runner.simulator.jobs import ClipFlaw, JobOutcome, chance

if TYPE_CHECKING:
    # These are slow to import, and settings without a script need none of them.
    from starlette.requests import Request
    from starlette.responses import Response


class Route(StrEnum):
    """The kinds of request that a rule can apply to."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"
    FILE = "file"
    CATALOGUE = "catalogue"
    BALANCE = "balance"


Setting: TypeAlias = tuple[Callable[[str], object], object]
"""How the text of a setting is read, and its value unless it is given."""


@dataclass(frozen=True, slots=True)
class FaultContext:
    """One answer to spoil; `right` is the answer without the fault, with its body in memory."""

    right: Response
    rule: Rule
    request: Request
    clock: Callable[[], float]

    @property
    def body(self) -> bytes:
        """Return the body of the right answer."""
        return bytes(self.right.body)

    @property
    def kind(self) -> str:
        """Return the media type of the right answer."""
        return self.right.headers.get("content-type", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour: its name, a line for the documentation, and what a client sees in place of the right answer.

    Without `answer` the client sees the right answer. `fate` is how the job of a faulty submit ends, and `flaw` is what
    is wrong with its clip. `accepted` says whether a faulty submit is accepted and charged before the fault shows,
    unless its rule changes that. A faulty cancel is carried out if it is true.
    """

    name: str
    says: str
    answer: Callable[[FaultContext], Response] | None = None
    routes: frozenset[Route] = frozenset(Route)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    accepted: bool = True
    fate: JobOutcome | None = None
    flaw: ClipFlaw | None = None

    @property
    def decides_the_job(self) -> bool:
        """Whether the fault is in the job itself, which is then always accepted."""
        return self.fate is not None or self.flaw is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a fault script: which fault, where, and how often.

    The first `after` hits pass, then `count` hits fail (None: all), each with `probability`. The rule stops `for_s`
    seconds after the first failure. If `per` is `job`, each job is counted by itself, and a submit by its body. Only
    hits of the first `jobs` jobs count (None: of all jobs). `model` is a glob. `accepted` matters for submits alone.
    `values` holds the settings of the fault itself.
    """

    fault: Fault
    routes: frozenset[Route]
    after: int = 0
    count: int | None = None
    probability: float = 1.0
    per: str = "all"
    jobs: int | None = None
    for_s: float | None = None
    model: str = "*"
    accepted: bool = True
    delay_s: float = 0.0
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """The rules of a fault script, in the order of the file; an empty script never misbehaves."""

    rules: tuple[Rule, ...] = ()


@dataclass(slots=True)
class _Tally:
    hits: int = 0
    struck: int = 0
    since: float | None = None


@dataclass(slots=True)
class FaultPlan:
    """Counts hits and says which rule applies; with the same seed, the same hits fail the same way.

    It is for one thread. Every rule that concerns a hit counts it; the first in the script that applies wins.
    """

    rules: Sequence[Rule]
    seed: int
    clock: Callable[[], float]
    _tallies: dict[tuple[int, str], _Tally] = field(default_factory=dict)
    _jobs: dict[int, set[str]] = field(default_factory=dict)

    def strike(self, route: Route, *, model: str = "", key: str = "") -> Rule | None:
        """Return the rule that applies to this hit, or None; `key` names the job, body or file."""
        winner = None
        for number, rule in enumerate(self.rules):
            if route not in rule.routes or not fnmatchcase(model, rule.model):
                continue
            met = self._jobs.setdefault(number, set())
            if rule.jobs is not None and len(met) < rule.jobs:
                met.add(key)
            if rule.jobs is not None and key not in met:
                continue
            who = (number, key if rule.per == "job" else "")
            tally = self._tallies.setdefault(who, _Tally())
            tally.hits += 1
            if winner is None and self._strikes(rule, tally, who):
                tally.struck += 1
                winner = rule
        return winner

    def _strikes(self, rule: Rule, tally: _Tally, who: tuple[int, str]) -> bool:
        if tally.hits <= rule.after or (rule.count is not None and tally.struck >= rule.count):
            return False
        if tally.since is not None and rule.for_s is not None and self.clock() > tally.since + rule.for_s:
            return False
        if chance(self.seed, "fault", *who, tally.hits) >= rule.probability:
            return False
        tally.since = self.clock() if tally.since is None else tally.since
        return True


# How the text of a setting is read; the error says what is needed.


def whole(text: str) -> int:
    """Read a whole number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError("a whole number, 0 or more")
    return int(text)


def number(text: str) -> float:
    """Read a number of seconds or the like."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e9:
        raise ValueError("a number, 0 or more")
    return value


def share(text: str) -> float:
    """Read a probability."""
    if number(text) > 1:
        raise ValueError("a number from 0 to 1")
    return number(text)


def http_status(text: str) -> int:
    """Read the HTTP status of an error."""
    if not 400 <= whole(text) <= 599:
        raise ValueError("an HTTP status from 400 to 599")
    return int(text)


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader of one of these words."""
    return matching("|".join(words), " or ".join(words))


def matching(pattern: str, says: str) -> Callable[[str], str]:
    """Return a reader of texts of a pattern."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII | re.DOTALL):
            raise ValueError(says)
        return text

    return read


some_text = matching(".+", "some text")
