"""Computes the points of a sweep: the product of its axes, without excluded points and with included ones.

In: what was read. Out: points, the last axis moving fastest, then the included ones. Their greatest number is known
before any is built. It does not know how a sweep is written, nor what an axis means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Final, TypeAlias

from runner.domain.errors import Position
from runner.domain.shots import Text
from runner.manifest.ranges import drawn_seeds

MODEL: Final = "model"
"""The axis that sweeps the model itself."""

REPEAT: Final = "repeat"
"""The name under which a point holds the number of its repeat, counted from 2."""

Point: TypeAlias = dict[str, Text]


@dataclass(frozen=True, slots=True)
class Axis:
    """Names that move together, and the values that they take, with one tuple per step.

    `drawn` is the number of seeds that replace the steps until the shot is known.
    """

    names: tuple[str, ...]
    steps: tuple[tuple[Text, ...], ...]
    at: Position
    drawn: int = 0

    def __len__(self) -> int:
        return self.drawn or len(self.steps)


@dataclass(frozen=True, slots=True)
class Entry:
    """One mapping of axes to values under `exclude` or `include`."""

    values: Mapping[str, Text]
    at: Position


@dataclass(frozen=True, slots=True)
class Sweep:
    """The axes that could be read, and the entries; `keys_at` names all axes, also those that could not be read."""

    axes: tuple[Axis, ...] = ()
    excluded: tuple[Entry, ...] = ()
    included: tuple[Entry, ...] = ()
    keys_at: Mapping[str, Position] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many points there are at most, before any is removed."""
        return prod(map(len, self.axes)) + len(self.included)

    @property
    def patterns(self) -> frozenset[frozenset[str]]:
        """The sets of names that entries of `exclude` use; each set is looked up once per point."""
        return frozenset(frozenset(entry.values) for entry in self.excluded)

    def for_shot(self, name: str) -> Sweep:
        """Return the sweep with its seeds drawn from `name`."""
        if not any(axis.drawn for axis in self.axes):
            return self
        axes = (
            replace(axis, steps=tuple((seed,) for seed in drawn_seeds(name, axis.drawn, at=axis.at)), drawn=0)
            if axis.drawn
            else axis
            for axis in self.axes
        )
        return replace(self, axes=tuple(axes))

    def rendered(self, render: Callable[[Text, str], Text]) -> Sweep:
        """Return the sweep with each value rendered; `render` gets the value and the name of its axis."""
        axes = (
            replace(
                axis,
                steps=tuple(tuple(render(value, axis.names[0]) for value in step) for step in axis.steps),
            )
            for axis in self.axes
        )
        return replace(
            self,
            axes=tuple(axes),
            excluded=_rendered_entries(self.excluded, render),
            included=_rendered_entries(self.included, render),
        )

    def texts(self) -> Iterator[Text]:
        """Yield every value as it was written."""
        for axis in self.axes:
            for step in axis.steps:
                yield from step
        for entry in (*self.excluded, *self.included):
            yield from entry.values.values()


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a sweep; `idle` exclusions removed no point, and `repeated` inclusions already had one."""

    points: tuple[Point, ...]
    idle: tuple[Entry, ...] = ()
    repeated: tuple[Entry, ...] = ()


def points_of(sweep: Sweep) -> Points:
    """Return all points, with names in the order of the file; if nothing is swept, this is one empty point."""
    every: Iterable[Point] = _product(sweep.axes)
    if not sweep.excluded and not sweep.included:
        return Points(tuple(every))
    kept, idle = _without(every, sweep.excluded)
    seen = {_texts(point) for point in kept}
    repeated: list[Entry] = []
    names = [name for axis in sweep.axes for name in axis.names]
    for entry in sweep.included:
        point = {name: entry.values[name] for name in names}
        if _texts(point) in seen:
            repeated.append(entry)
            continue
        seen.add(_texts(point))
        kept.append(point)
    return Points(tuple(kept), idle, tuple(repeated))


def _product(axes: Sequence[Axis]) -> Iterator[Point]:
    for steps in product(*(axis.steps for axis in axes)):
        yield {
            name: value
            for axis, step in zip(axes, steps, strict=True)
            for name, value in zip(axis.names, step, strict=True)
        }


def _without(points: Iterable[Point], excluded: Sequence[Entry]) -> tuple[list[Point], tuple[Entry, ...]]:
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
    idle = (entry for entries in wanted.values() for entry in entries.values() if id(entry) not in met)
    return kept, tuple(idle)


def _texts(point: Point) -> tuple[str, ...]:
    return tuple(value.text for value in point.values())


def _rendered_entries(entries: tuple[Entry, ...], render: Callable[[Text, str], Text]) -> tuple[Entry, ...]:
    return tuple(
        Entry({name: render(value, name) for name, value in entry.values.items()}, entry.at)
        for entry in entries
    )
