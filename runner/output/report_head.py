"""What the page says of the whole run: counts, money, times by model and by failure, and what waits for a person.

All words are made here and hold no hidden character. It knows no HTML.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypedDict

from runner.domain import display
from runner.domain.money import Spending, micros, usd
from runner.domain.records import RunHeader, TakeFigures, TakeRecord
from runner.domain.states import IN_DOUBT, DeliveryState, TakeState
from runner.output.status_text import Causes, standings
from runner.output.take_advice import run_command
from runner.system.escapes import visible

_GOES_ON = ("pending", "submitting", "queued", "running", "fetching")
_STALE = "stale"
_FLAGGED = "flagged"
_NOTHING = "nothing spent"
_MOST_ROWS = 40


class Head(TypedDict):
    """What the page says of the whole run; `data.js` declares the same.

    `mode` is `run`, or `runs` for a page of several runs, which takes no decisions. It is `share` or `decide` for one
    without money, ids and errors. `key` names the run in the browser's own store. `facts` begin with the number of
    takes, `totals` are counts by state. `models` and `classes` are tables, the first row their heads. Each of `needs`
    is a kind, a sentence and a command. `importCommand` takes over `picks.csv`.
    """

    mode: str
    key: str
    name: str
    simulated: bool
    version: str
    made: str
    facts: list[str]
    totals: list[tuple[str, int]]
    causes: list[str]
    models: list[list[str]]
    classes: list[list[str]]
    needs: list[tuple[str, str, str]]
    importCommand: str


@dataclass(slots=True)
class _Jobs:
    """The jobs of one model or class: how many, how long they took (seconds), what they cost (millionths of a USD)."""

    count: int = 0
    seconds: array[float] = field(default_factory=lambda: array("d"))
    micros: int = 0
    priced: int = 0

    def note(self, take: TakeRecord | TakeFigures) -> None:
        self.count += 1
        if take.seconds is not None and math.isfinite(take.seconds):
            self.seconds.append(take.seconds)
        if take.cost is not None:
            self.micros += micros(take.cost)
            self.priced += 1

    def cells(self) -> list[str]:
        times = sorted(self.seconds)
        typical = display.duration(median(times)) if times else "–"
        longest = display.duration(times[-1]) if times else "–"
        return [f"{self.count:,}", typical, longest, display.money(usd(self.micros)) if self.priced else "–"]


@dataclass(slots=True)
class Summary:
    """What the page says of the whole run, from all its takes, each noted once."""

    takes: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    causes: Causes = field(default_factory=Causes)
    needs: Counter[str] = field(default_factory=Counter)
    models: dict[str, _Jobs] = field(default_factory=lambda: defaultdict(_Jobs))
    classes: dict[str, _Jobs] = field(default_factory=lambda: defaultdict(_Jobs))
    began: float = math.inf
    ended: float = -math.inf

    def note(self, take: TakeRecord | TakeFigures, *, mark: str = "") -> None:
        """Count one take; `mark` keeps its money apart in the tables, as behind the model's name."""
        self.takes += 1
        self.standings[display.standing(take.state, take.delivery)] += 1
        self.standings[_STALE] += take.is_stale
        self.standings[_FLAGGED] += bool(take.flags)
        self.causes.note(take)
        if need := waits_for(take):
            self.needs[need] += 1
        if take.attempts:
            self.models[f"{take.model}{mark}"].note(take)
        if take.failure:
            self.classes[f"{take.failure.value}{mark}"].note(take)
        if take.submitted_at is not None:
            self.began = min(self.began, take.submitted_at)
        if take.finished_at is not None:
            self.ended = max(self.ended, take.finished_at)

    @property
    def totals(self) -> list[tuple[str, int]]:
        """Counts by state in the order of `display.STANDINGS`, then of stale and of flagged takes."""
        words = (*display.STANDINGS, _STALE, _FLAGGED)
        return [(word, self.standings[word]) for word in words if self.standings[word]]

    def head(
        self,
        header: RunHeader,
        spending: Spending,
        *,
        simulated: bool,
        made: float,
        goes_on: bool | None = None,
    ) -> Head:
        """Return the head of the page; `made` is in unix seconds, and `goes_on` says whether the run went on then.

        With `simulated` nothing was paid.
        """
        source = f"shotrunner {_line(header.version)} from {_line(Path(header.manifest).name)}"
        return Head(
            mode="run",
            key=_line(header.run_id),
            name=_line(f"{header.name}, shard {header.shard}" if header.shard else header.name),
            simulated=simulated,
            version=_line(header.version),
            made=f"Made {display.when(made)} by {source}{self._going(goes_on=goes_on)}",
            facts=[
                display.counted(self.takes, "take"),
                display.spent_words(spending, simulated=simulated) or _NOTHING,
                *self.wall_time(),
            ],
            totals=self.totals,
            causes=list(self.causes.sentences(least=2)),
            models=self.model_table,
            classes=self.class_table,
            needs=list(self.needs_of(header)),
            importCommand=run_command(header, "pick", "--import", "picks.csv"),
        )

    def _going(self, *, goes_on: bool | None) -> str:
        if goes_on:
            return "; the run was going on then"
        # A run that is over needs no process.
        is_over = goes_on is None or not any(self.standings[word] for word in _GOES_ON)
        return "" if is_over else "; the run was not going on then, and is not over"

    @property
    def model_table(self) -> list[list[str]]:
        """The jobs by model, the first row its heads."""
        return _table("model", self.models)

    @property
    def class_table(self) -> list[list[str]]:
        """The failures by class, the first row its heads."""
        return _table("failure", self.classes)

    def wall_time(self) -> Iterator[str]:
        """Yield how long it took from the first submission to the last result, if that is known."""
        if math.isfinite(self.began) and self.ended >= self.began:
            yield f"{display.duration(self.ended - self.began)} from the first submission to the last result"

    def needs_of(self, header: RunHeader) -> Iterator[tuple[str, str, str]]:
        """Yield what waits for a person: a kind, a sentence, and a command of this run."""
        for kind, (sentence, verb) in _NEEDS.items():
            if count := self.needs[kind]:
                yield kind, f"{display.counted(count, 'take')} {sentence}", run_command(header, verb)


_NEEDS: Mapping[str, tuple[str, str]] = {
    "held": ("may have been charged, and no answer came.", "reconcile"),
    "failed": ("failed. Each says why, and what helps.", "retry"),
    "undeliverable": ("rendered, but could not be downloaded.", "fetch"),
    "flagged": ("delivered with something odd. Watch them.", "status"),
}


def freshened(
    head: Head,
    counts: Mapping[TakeState, int],
    deliveries: Mapping[DeliveryState, int],
    spending: Spending,
    *,
    simulated: bool,
) -> Head:
    """Return an earlier head with the counts by state and the money of now; all else in it is as it was."""
    words = standings(counts, deliveries)
    words.update({word: count for word, count in head["totals"] if word in (_STALE, _FLAGGED)})
    totals = [(word, words[word]) for word in (*display.STANDINGS, _STALE, _FLAGGED) if words[word]]
    spent = display.spent_words(spending, simulated=simulated) or _NOTHING
    return {**head, "totals": totals, "facts": [head["facts"][0], spent, *head["facts"][2:]]}


def waits_for(take: TakeRecord | TakeFigures) -> str:
    """Return what a take waits for; empty if it waits for no person."""
    if take.state in IN_DOUBT:
        return "held"
    # What is no longer in the manifest asks for nothing.
    if take.position is None:
        return ""
    if take.state is TakeState.FAILED:
        return "failed"
    if take.state is TakeState.SUCCEEDED and take.delivery is DeliveryState.UNDELIVERABLE:
        return "undeliverable"
    return _FLAGGED if take.flags else ""


def _table(name: str, jobs: Mapping[str, _Jobs]) -> list[list[str]]:
    """Return a table of jobs with its heads, the most frequent first; empty without any."""
    common = sorted(jobs.items(), key=lambda each: -each[1].count)[:_MOST_ROWS]
    rows = [[_line(word), *each.cells()] for word, each in common]
    return [[name, "takes", "typical job", "longest job", "billed"], *rows] if rows else []


def _line(text: str) -> str:
    return visible(text, display.TEXT_LIMIT)
