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


def axis_names(key: str) -> tuple[str, ...]:
    """Return the names that move together under a key of a sweep, such as `[seed, duration]`."""
    if key.startswith("[") and key.endswith("]"):
        return tuple(name.strip() for name in key[1:-1].split(","))
    return (key,)


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
    def look_ups(self) -> int:
        """How many sets of names the entries of `exclude` use; each set is looked up once per point."""
        return len({frozenset(entry.values) for entry in self.excluded})

    @property
    def longest(self) -> int:
        """How many characters the values of one point may have at most."""
        return sum(
            max((sum(len(v.text) for v in step) for step in axis.steps), default=0) for axis in self.axes
        )

    def texts(self) -> Iterator[Text]:
        """Yield every value as it was written."""
        for axis in self.axes:
            for step in axis.steps:
                yield from step
        for entry in (*self.excluded, *self.included):
            yield from entry.values.values()

    def drawn_from(self, name: str) -> Sweep:
        """Return the sweep with its seeds drawn from `name`."""
        if not any(axis.drawn for axis in self.axes):
            return self
        return replace(self, axes=tuple(_drawn(axis, name) if axis.drawn else axis for axis in self.axes))

    def rendered(self, render: Callable[[Text, str], Text]) -> Sweep:
        """Return the sweep with each value rendered; `render` gets the value and the name of its axis."""

        def steps(axis: Axis) -> tuple[tuple[Text, ...], ...]:
            return tuple(tuple(render(value, axis.names[0]) for value in step) for step in axis.steps)

        def entries(given: tuple[Entry, ...]) -> tuple[Entry, ...]:
            return tuple(
                Entry({name: render(value, name) for name, value in entry.values.items()}, entry.at)
                for entry in given
            )

        axes = tuple(replace(axis, steps=steps(axis)) for axis in self.axes)
        return Sweep(axes, entries(self.excluded), entries(self.included), self.keys_at)


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a sweep; `idle` exclusions removed no point, and `repeated` inclusions already had one."""

    points: tuple[Point, ...]
    idle: tuple[Entry, ...]
    repeated: tuple[Entry, ...]


def points_of(sweep: Sweep) -> Points:
    """Return all points, with names in the order of the file; if nothing is swept, this is one empty point."""
    names = [name for axis in sweep.axes for name in axis.names]
    every = (
        dict(zip(names, (value for step in steps for value in step), strict=True))
        for steps in product(*(axis.steps for axis in sweep.axes))
    )
    if not sweep.excluded and not sweep.included:
        return Points(tuple(every), (), ())
    kept, idle = _without(every, sweep.excluded)
    seen = {_texts(point) for point in kept}
    repeated: list[Entry] = []
    for entry in sweep.included:
        point = {name: entry.values[name] for name in names}
        if _texts(point) in seen:
            repeated.append(entry)
        else:
            seen.add(_texts(point))
            kept.append(point)
    return Points(tuple(kept), idle, tuple(repeated))


def _drawn(axis: Axis, name: str) -> Axis:
    return Axis(axis.names, tuple((seed,) for seed in drawn_seeds(name, axis.drawn, at=axis.at)), axis.at)


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
