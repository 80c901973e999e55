"""One page and one CSV of several runs: shards of a board, or different boards.

In: the runs, each with its takes and where its folder is as seen from the page. Out: cards, a head, and rows. Every row
names its run, since takes of two runs may have one id. What was paid and what was simulated are never one sum.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain
from math import inf
from typing import BinaryIO
from urllib.parse import quote

from runner.domain import display
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shards import Shard
from runner.output.csv_report import RESULT_COLUMNS, Row, is_listed, own_columns, row_of, write_rows
from runner.output.report_head import Head, Summary
from runner.output.report_view import NOTHING_BESIDE, Beside, Card, Poster, card
from runner.output.runs_text import absent_lines
from runner.system import csv_cells
from runner.system.version import __version__

RUN, SIMULATED = "run", "simulated"
"""The columns that stand before all others; `simulated` is `yes` or empty, so that no sum need mix the two."""

_MOST_NEEDS = 40
_SIMULATED = " (simulated)"


@dataclass(frozen=True, slots=True)
class RunPart:
    """One of several runs: its `name` among them, its record, and its folder as a path from that of the page.

    With `simulated` nothing was paid. `each_take` gives its takes in their order, from the first one at each call.
    """

    name: str
    folder: str
    header: RunHeader
    spending: Spending
    simulated: bool
    each_take: Callable[[], Iterable[TakeRecord]]
    beside: Beside = NOTHING_BESIDE
    goes_on: bool | None = None

    def link(self, below: str | None) -> str | None:
        """Return a checked link to a file of the run as one from the page; None for none, an address as it is."""
        return below if not below or "://" in below else f"{quote(os.fsencode(self.folder))}/{below}"

    def file(self, below: str) -> str:
        """Return the path of a file of the run from the page's folder; one in a store has its address."""
        return f"{self.header.out or self.folder}/{below}"


@dataclass(slots=True)
class RunsReport:
    """What the page and the CSV of several runs show; `made` is in unix seconds, `absent` are shards not among them."""

    parts: Sequence[RunPart]
    made: float
    absent: Sequence[tuple[str, Shard]] = ()
    _all: Summary = field(default_factory=Summary)
    _each: dict[str, Summary] = field(default_factory=dict)

    @property
    def boards(self) -> dict[str, int]:
        """The names of the boards in the order in which they are listed."""
        return {
            name: place for place, name in enumerate(dict.fromkeys(part.header.name for part in self.parts))
        }

    def takes(self) -> Iterator[tuple[RunPart, TakeRecord]]:
        """Yield every take that reports list with its run, board by board, each in the order of its manifest."""
        boards = self.boards

        def order(found: tuple[RunPart, TakeRecord]) -> tuple[int, float]:
            part, take = found
            return boards[part.header.name], inf if take.position is None else take.position

        return merge(*map(_listed, self.parts), key=order)

    def cards(self) -> Iterator[Card]:
        """Yield the cards of all takes; the head is about those that were taken."""
        self._all, self._each = Summary(), {part.name: Summary() for part in self.parts}
        earlier = {part.name: part.spending.earlier for part in self.parts}
        is_mixed = len({part.simulated for part in self.parts}) > 1
        for part, take in self.takes():
            self._all.note(take, mark=_SIMULATED if is_mixed and part.simulated else "")
            self._each[part.name].note(take)
            before = earlier[part.name].get(take.take_id, NOTHING_SPENT)
            made = card(part.header, take, before, beside=part.beside, goes_on=bool(part.goes_on))
            yield _placed(made, part, of_many=len(self.boards) > 1)

    def head(self) -> Head:
        """Return the head of the page, once all cards were taken."""
        summary, names = self._all, [display.visible(name, display.TEXT_LIMIT) for name in self.boards]
        needs = [
            (kind, f"{display.visible(part.name)}: {sentence}", command)
            for part in self.parts
            for kind, sentence, command in self._each[part.name].needs_of(part.header)
        ]
        paid, simulated = (self._spending(simulated=simulated) for simulated in (False, True))
        going = sum(1 for part in self.parts if part.goes_on)
        return Head(
            mode="runs",
            key=f"runs {' '.join(part.header.run_id for part in self.parts)}"[: display.TEXT_LIMIT],
            name=display.listed(names),
            simulated=all(part.simulated for part in self.parts),
            version=__version__,
            made=f"Made {display.when(self.made)} by shotrunner {__version__} from"
            f" {display.counted(len(self.parts), 'run')}{f'; {going:,} of them went on then' if going else ''}",
            facts=[
                display.counted(summary.takes, "take"),
                *filter(None, [display.spent_words(paid, simulated=False)]),
                *filter(None, [display.spent_words(simulated, simulated=True)]),
                *summary.wall_time(),
                *absent_lines(self.absent),
            ],
            totals=summary.totals,
            causes=list(summary.causes.sentences(least=2)),
            models=summary.model_table,
            classes=summary.class_table,
            needs=needs[:_MOST_NEEDS],
            importCommand="",
        )

    def write_csv(self, file: BinaryIO) -> None:
        """Write the table, with `run` and `simulated` before all columns; `file` is a path from the table's folder."""
        own = dict.fromkeys(name for part in self.parts for name in own_columns(part.header))
        write_rows(file, self._rows, lambda lacked: _columns(own, lacked))

    def _rows(self) -> Iterator[Row]:
        decided = {part.name: part.beside.decided for part in self.parts}
        for part, take in self.takes():
            said = decided[part.name].get(take.take_id)
            cells, lacked = row_of(part.header, take, said.decision if said else None)
            there = {_aside(name): cell for name, cell in cells.items()}
            file = part.file(take.file) if take.file else None
            yield (
                {**there, RUN: part.name, SIMULATED: "yes" if part.simulated else None, "file": file},
                lacked,
            )

    def _spending(self, *, simulated: bool) -> Spending:
        found = (part.spending.charges for part in self.parts if part.simulated is simulated)
        return Spending(tuple(chain.from_iterable(found)))


def _listed(part: RunPart) -> Iterator[tuple[RunPart, TakeRecord]]:
    return ((part, take) for take in part.each_take() if is_listed(take))


def _aside(column: str) -> str:
    """Return a column of a manifest; one that is called `run` or `simulated` makes room."""
    return f"{csv_cells.SHADOWED}{column}" if column.casefold() in {RUN, SIMULATED} else column


def _columns(own: Iterable[str], lacked: Iterable[str]) -> list[str]:
    return [*dict.fromkeys((RUN, SIMULATED, *map(_aside, own), *map(_aside, lacked), *RESULT_COLUMNS))]


def _placed(made: Card, part: RunPart, *, of_many: bool) -> Card:
    """Return a card with its run, and with links that lead into the folder of that; `of_many` boards share no shot."""
    name, poster = display.visible(part.name), made["poster"]
    shot = f"{display.visible(part.header.name)}/{made['shot']}" if of_many else made["shot"]
    return {
        **made,
        "shot": shot,
        "point": [f"{RUN}={name}", *made["point"]],
        "details": [(RUN, name), *made["details"]],
        "facts": [*made["facts"], *([SIMULATED] if part.simulated else [])],
        "clip": part.link(made["clip"]),
        "sidecar": part.link(made["sidecar"]),
        "poster": poster
        and Poster(
            small=part.link(poster["small"]),
            large=part.link(poster["large"]),
            first=part.link(poster["first"]),
            last=part.link(poster["last"]),
            motion=part.link(poster["motion"]),
        ),
        "frames": [
            (label, address, is_link, part.link(copy)) for label, address, is_link, copy in made["frames"]
        ],
    }
