"""Computes the points of a sweep: the product of its axes, without excluded points and with included ones.

The last axis moves fastest. The greatest number of points is known before any is built. Nothing is random: a drawn seed
is a piece of a hash, and a request for more keeps the first ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain, product
from math import prod
from typing import Final, TypeAlias

from runner.domain.errors import Position
from runner.domain.shots import DrawnSeed, Text
from runner.manifest.fields import Section
from runner.manifest.problems import shown
from runner.manifest.size_limits import MORE_TAKES

SEEDS = 2**31
"""Drawn seeds are below this, because every known model accepts that range."""

_RANGE = re.compile(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", re.ASCII)
# Decimals are a range only with a step, because 0.1-0.5 alone may be anything.
_STEPPED = re.compile(
    r"\s*(-?\d{1,18}(?:\.\d{1,9})?)\s*-\s*(-?\d{1,18}(?:\.\d{1,9})?)\s*:\s*(\d{1,18}(?:\.\d{1,9})?)\s*",
    re.ASCII,
)

MODEL: Final = "model"
"""The axis that sweeps the model itself."""

REPEAT: Final = "repeat"
"""The name under which a point holds the number of its repeat, counted from 2."""

TAKES: Final = "takes"
"""The column that says how many takes a row has, each with a seed of its own."""

Point: TypeAlias = dict[str, Text]


def axis_names(key: str) -> tuple[str, ...]:
    """Return the names that move together under a key of a sweep, such as `[seed, duration]`."""
    if key.startswith("[") and key.endswith("]"):
        return tuple(name.strip() for name in key[1:-1].split(","))
    return (key,)


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of an axis, or a mapping of axes to values under `exclude` or `include`."""

    values: Mapping[str, Text]
    at: Position


@dataclass(frozen=True, slots=True)
class Axis:
    """Names that move together, and the steps in which they do.

    `drawn` is the number of seeds that replace the steps once the shot is known.
    """

    names: tuple[str, ...]
    steps: tuple[Entry, ...]
    at: Position
    drawn: int = 0

    def __len__(self) -> int:
        return self.drawn or len(self.steps)


@dataclass(frozen=True, slots=True)
class Sweep:
    """The axes that could be read, and the entries; `keys_at` names all axes, also those that could not be read."""

    axes: tuple[Axis, ...] = ()
    excluded: tuple[Entry, ...] = ()
    included: tuple[Entry, ...] = ()
    keys_at: Mapping[str, Position] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True if nothing is swept, which is so for nearly all shots."""
        return not (self.keys_at or self.excluded or self.included)

    def __len__(self) -> int:
        """How many points there are at most, before any is removed."""
        return prod(map(len, self.axes)) + len(self.included)

    @property
    def weight(self) -> tuple[int, int]:
        """How many values and characters one point may have at most.

        Each set of names in the entries of `exclude` counts as a value, since it is looked up once per point.
        """
        texts = (
            max((sum(len(value.text) for value in step.values.values()) for step in axis.steps), default=0)
            for axis in self.axes
        )
        return len(self.keys_at) + len({frozenset(entry.values) for entry in self.excluded}), sum(texts)

    def texts(self) -> Iterator[Text]:
        """Yield every value as it was written."""
        for entry in chain(self.excluded, self.included, *(axis.steps for axis in self.axes)):
            yield from entry.values.values()

    def rendered(self, render: Callable[[Text, str], Text]) -> Sweep:
        """Return the sweep with each value rendered; `render` gets the value and the name of its axis."""

        def filled(given: tuple[Entry, ...]) -> tuple[Entry, ...]:
            every = (({name: render(text, name) for name, text in e.values.items()}, e.at) for e in given)
            return tuple(Entry(values, at) for values, at in every)

        axes = tuple(replace(axis, steps=filled(axis.steps)) for axis in self.axes)
        return Sweep(axes, filled(self.excluded), filled(self.included), self.keys_at)


def range_values(text: str, at: Position, *, limit: int) -> list[Text] | str | None:
    """Return the values of `1000-1003` or `0-1:0.25`, the reason why it is not a range, or None for other text."""
    found = _STEPPED.fullmatch(text)
    step = Decimal(found[3]) if found else Decimal(1)
    found = found or _RANGE.fullmatch(text)
    if found is None:
        return None
    first, last = Decimal(found[1]), Decimal(found[2])
    if last < first:
        return f"the range {shown(text)} ends before it begins"
    if not step:
        return f"the range {shown(text)} has a step of 0"
    # 10-12:30 is a time of day and not a range; the one value that it would give is not what was meant.
    if step > last - first > 0:
        larger = "has a step that is larger than itself; quote it in a list if it is text"
        return f"the range {shown(text)} {larger}"
    steps = int((last - first) // step)
    if steps >= limit:
        return f"the range {shown(text)} has more than {limit:,} values; {MORE_TAKES}"
    return [Text(_plain(first + number * step), at) for number in range(steps + 1)]


def drawn_seeds(name: str, count: int, *, at: Position) -> list[Text]:
    """Return `count` distinct seeds, 0 … 2^31-1, from the SHA-256 of a number and `name`; a larger count keeps them."""
    seeds: dict[int, None] = {}
    number = 0
    while len(seeds) < count:
        digest = hashlib.sha256(f"{number}:{name}".encode("utf-8", "surrogatepass")).digest()
        seeds.setdefault(int.from_bytes(digest[:8], "big") % SEEDS)
        number += 1
    return [DrawnSeed(str(seed), at) for seed in seeds]


def _plain(number: Decimal) -> str:
    """Return the shortest exact text of a number: 0.5 is the same text, and so the same take, whatever the step."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def points_of(sweep: Sweep, row: Section, shot: str) -> tuple[Point, ...]:
    """Return all points, with names in the order of the file; if nothing is swept, this is one empty point.

    Seeds are drawn from the name `shot`. What excludes or includes nothing is reported.
    """
    drawn = (
        [Entry({axis.names[0]: seed}, axis.at) for seed in drawn_seeds(shot, axis.drawn, at=axis.at)]
        for axis in sweep.axes
    )
    steps = [axis.steps or seeds for axis, seeds in zip(sweep.axes, drawn, strict=True)]
    every = (
        {name: text for step in point for name, text in step.values.items()} for point in product(*steps)
    )
    if not sweep.excluded and not sweep.included:
        return tuple(every)
    kept, idle = _without(every, sweep.excluded)
    for entry in idle:
        row.findings.warn(entry.at, row.where("sweep.exclude"), "removes no point from this sweep")
    seen = {_texts(point) for point in kept}
    names = [name for axis in sweep.axes for name in axis.names]
    for entry in sweep.included:
        point = {name: entry.values[name] for name in names}
        if _texts(point) in seen:
            row.error(entry.at, "sweep.include", "is a point of this sweep already")
        else:
            seen.add(_texts(point))
            kept.append(point)
    if not kept:
        row.error(sweep.excluded[0].at, "sweep.exclude", "leaves nothing to render")
    return tuple(kept)


def _without(points: Iterable[Point], excluded: Sequence[Entry]) -> tuple[list[Point], list[Entry]]:
    """Return the points that no entry excludes, and the entries that exclude none."""
    # This goes by pattern and not by entry: a thousand entries with a thousand points would be a million look-ups.
    wanted: dict[tuple[str, ...], dict[tuple[str, ...], Entry]] = {}
    for entry in excluded:
        names = tuple(sorted(entry.values))
        wanted.setdefault(names, {})[tuple(entry.values[name].text for name in names)] = entry
    met: set[int] = set()
    kept: list[Point] = []
    for point in points:
        found = (entries.get(tuple(point[name].text for name in names)) for names, entries in wanted.items())
        hits = [id(entry) for entry in found if entry]
        met.update(hits)
        if not hits:
            kept.append(point)
    return kept, [entry for entries in wanted.values() for entry in entries.values() if id(entry) not in met]


def _texts(point: Point) -> tuple[str, ...]:
    return tuple(value.text for value in point.values())
