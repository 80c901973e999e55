"""The values that flow through the program: nodes as written, rows, shots, takes, plans, tickets.

A `Row` is what the user wrote, a `Shot` is a row after defaults, templates and sweeps, a `Take` is one typed,
fingerprinted, paid job.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from runner.domain.errors import Position, Problem
from runner.domain.labels import take_label
from runner.domain.states import DeliveryState, FailureClass, TakeState, is_given_up
from runner.system.canonical_json import JsonValue

# A board of YAML has a hundred thousand rows without cells, and an empty mapping of each is six megabytes.
_NO_CELLS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar exactly as the user wrote it; a model's schema decides what it means.

    `quoted` is true for a scalar in quotes or a block, which is always text: `"no"` is never a boolean. `file` is the
    file with the text, if that is not the file of `at`, where the reference is.
    """

    text: str
    at: Position
    quoted: bool = False
    file: str = ""

    @property
    def is_null(self) -> bool:
        """True for an empty or explicit null scalar: a key that was written without a value."""
        return not self.quoted and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class DrawnSeed(Text):
    """A seed that was drawn for the user, who only said how many; a model may need another one."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list as written."""

    items: tuple[Node, ...]
    at: Position

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping as written, in the order of the file; `keys_at` says where each key is."""

    items: Mapping[str, Node]
    at: Position
    keys_at: Mapping[str, Position] = field(default_factory=dict)

    def key_at(self, key: str) -> Position:
        """Return where `key` is, or where the mapping begins."""
        return self.keys_at.get(key, self.at)


Node: TypeAlias = "Text | Items | Fields"


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the manifest as written, before defaults and templates.

    `cells` are the CSV cells by header, verbatim, so that a report can repeat them; empty for YAML. `reported` names
    inputs with a problem that was reported already, so they are left out of `fields`.
    """

    fields: Fields
    at: Position
    cells: Mapping[str, str] = field(default_factory=lambda: _NO_CELLS)
    reported: frozenset[str] = frozenset()


class PriceUnit(StrEnum):
    """What a price is per: one output, or one second of it."""

    OUTPUT = "output"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Price:
    """A model's stated price: US dollars per unit, the source, and the date (ISO, may be empty).

    It is an estimate and not a quote: what was really billed is the `cost` on a job's result.
    """

    usd: float
    per: PriceUnit = PriceUnit.OUTPUT
    source: str = "manifest"
    dated: str = ""

    def to_json(self) -> str:
        """Return the text that a record keeps."""
        return json.dumps(asdict(self))

    @classmethod
    @lru_cache(maxsize=64)  # A record of a hundred thousand takes holds few prices.
    def from_json(cls, text: str | None) -> Price | None:
        """Return the price that `to_json` wrote; None for no text."""
        if not text:
            return None
        known = json.loads(text)
        return cls(known["usd"], PriceUnit(known["per"]), known["source"], known["dated"])


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of a shot's sweep: the swept values by axis, and the inputs with them in place.

    `model` is set where the model itself is swept; it then replaces the shot's.
    """

    point: Mapping[str, Node]
    inputs: Mapping[str, Node]
    keys_at: Mapping[str, Position] = field(default_factory=dict)
    model: Text | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """A row after defaults, templates and sweep: what a storyboard numbers. Its inputs are still text.

    `take_id` is set when the row names one concrete take (a line of an earlier report), which keeps that id. `point` is
    set when the row names the point of its sweep. A `faulty` shot has a problem already: it is checked with the rest,
    so that all problems are reported at once, and never planned. `continues` is where the row says that it begins with
    the last picture of the shot before it, None if it does not. `takes` is how many takes each point has; `reported`
    is the same as in a `Row`.
    """

    id: str
    model: str
    model_at: Position
    variants: tuple[Variant, ...]
    at: Position
    tags: tuple[str, ...] = ()
    notes: str = ""
    cells: Mapping[str, str] = field(default_factory=lambda: _NO_CELLS)
    take_id: str | None = None
    faulty: bool = False
    price: Price | None = None
    point: Mapping[str, JsonValue] | None = None
    continues: Position | None = None
    takes: int = 1
    reported: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says besides its shots; `text` and `sha256` are of the file as it was.

    `columns` are the CSV headers in their order, empty for YAML; `prices` are by model id, as the manifest gives them.
    `files` are the SHA-256 of the prompt files that it names, by name. `headings` says where the column of each input
    begins, and `header` where the row of the headings does; it is None for YAML. `meant_columns` are the columns that
    are no inputs and that such headings probably mean.
    `misplaced` are words that this form of manifest has no place for, each with the remedy. It is shown where such a
    word is given as an input that the model does not have.
    """

    name: str
    file: str
    text: str
    sha256: str
    columns: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    misplaced: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    headings: Mapping[str, Position] = field(default_factory=dict)
    header: Position | None = None
    meant_columns: Mapping[str, str] = field(default_factory=dict)

    def column_of(self, name: str) -> Position | None:
        """Return where the column of an input begins, whatever the case of its heading; None if there is none."""
        wanted = name.partition(".")[0].casefold()
        return next((at for heading, at in self.headings.items() if heading.casefold() == wanted), None)


@dataclass(frozen=True, slots=True)
class Take:
    """One paid job: a shot at one point of its sweep, typed and checked.

    `body` is the request body as canonical JSON text: these bytes are sent, hashed and recorded. `point` holds the
    swept values as they are in the id. `seed` is None if the model has no such input, `price` if no source gives one.
    `seed_from_id` names the input whose value was made from the shot's id, and is empty if the seed was given.
    """

    id: str
    shot_id: str
    model: str
    body: str
    fingerprint: str
    seed: int | None
    point: Mapping[str, JsonValue]
    at: Position
    tags: tuple[str, ...] = ()
    notes: str = ""
    cells: Mapping[str, str] = field(default_factory=lambda: _NO_CELLS)
    price: Price | None = None
    seed_from_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """Checked takes in the manifest's order, ready to be recorded, with the warnings about them.

    `schemas` are the SHA-256 of the schema files that the takes were checked against, by model. Where `takes` are those
    of one shard, `board` are the takes of all shards; else it is empty.
    """

    manifest: Manifest
    takes: tuple[Take, ...]
    warnings: tuple[Problem, ...] = ()
    schemas: Mapping[str, str] = field(default_factory=dict)
    board: tuple[Take, ...] = ()

    def __repr__(self) -> str:
        shots = len({take.shot_id for take in self.takes})
        return (
            f"<Plan {self.manifest.name}: takes: {len(self.takes):,}, shots: {shots:,},"
            f" warnings: {len(self.warnings):,}>"
        )

    def placed(self) -> Iterator[tuple[int, Take]]:
        """Yield each take with its place on the board, from 0."""
        if not self.board:
            return enumerate(self.takes)
        mine = {take.id for take in self.takes}
        return ((place, take) for place, take in enumerate(self.board) if take.id in mine)

    def board_numbers(self) -> Mapping[str, int]:
        """Return the number of each take within its shot on the whole board; nothing without a shard.

        All shards know it, so their labels differ as long as the board only grows.
        """
        last, numbers = Counter[str](), {}
        for take in self.board:
            last[take.shot_id] += 1
            numbers[take.id] = last[take.shot_id]
        return numbers

    def _repr_html_(self) -> str:
        """Return a table of the takes, for a notebook."""
        from runner.system.notebook_html import paragraph, table

        rows = [
            (take.id, take.model, "" if take.seed is None else str(take.seed), ", ".join(take.tags))
            for take in self.takes
        ]
        return paragraph(repr(self)[1:-1]) + table(("take", "model", "seed", "tags"), rows)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the engine needs to know about one recorded take to finish it.

    `submitted_at` is the wall time, in unix seconds, of the accepted attempt; before `not_before` the API asked not to
    be tried again. `cost` (USD), `finished_at` and `failure` are of a job that ended; `estimate` (USD) is what one more
    should cost, None if unknown. `adopted` says that a person gave its id, which the job's own record may still
    contradict, unless it was given twice. `number` is the take's number within its shot, 0 if unknown, and `stem` the
    name of its files without an ending, empty if that is its id.
    """

    take_id: str
    model: str
    body: str
    fingerprint: str
    state: TakeState
    delivery: DeliveryState = DeliveryState.NONE
    request_id: str | None = None
    submitted_at: float | None = None
    not_before: float = 0.0
    outputs: tuple[str, ...] = ()
    cost: float | None = None
    finished_at: float | None = None
    estimate: float | None = None
    failure: FailureClass | None = None
    adopted: bool = False
    shot_id: str = ""
    number: int = 0
    stem: str = ""

    @property
    def label(self) -> str:
        """The take's short name, such as `s010_t02`; empty if its number is not known."""
        return take_label(self.shot_id, self.number, self.take_id) if self.number else ""

    @property
    def file_stem(self) -> str:
        """The name of the take's files without an ending."""
        return self.stem or self.take_id

    @property
    def is_given_up(self) -> bool:
        """True for a job whose clip may still exist; its id is known, and a look is free."""
        return is_given_up(self.state, self.failure) and self.request_id is not None
