"""Fits the columns of a sheet to the models of its rows, and counts the rows of each column that does not fit.

In: where the columns of a manifest begin, and the inputs of its rows. Out: the inputs by their names in the schema, and
one problem a column. It knows no value. A manifest of YAML has no columns, and its inputs stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runner.domain.display import counted, listed, visible
from runner.domain.errors import Position, Problem
from runner.domain.shots import Manifest, Node, Shot
from runner.models.input_names import meant_input
from runner.models.model import Model
from runner.models.scalars import shown
from runner.system.escapes import command_line

_BRACKETS: Final = re.compile(r"\[(\d{1,4})\]", re.ASCII)
HEADER: Final = "header"
"""The subject of a problem that is about a column, and not about the cell of one row."""


def header_advice(problems: Iterable[Problem], manifest: Path) -> str:
    """Return what to do for a sheet whose columns do not fit, or nothing if they do."""
    if all(problem.subject != HEADER for problem in problems):
        return ""
    return f"`{command_line('import', manifest)}` maps the columns of a sheet as it is"


@dataclass(frozen=True, slots=True)
class Fit:
    """The columns as one model sees them.

    `required` are the inputs that it always requires. `at` holds the place of each input's column, and `spelt` the
    inputs whose heading differs in case. `meant` has the headings that are no input, each with the name that was
    probably meant.
    """

    required: frozenset[str]
    at: Mapping[str, Position]
    spelt: Mapping[str, str]
    meant: Mapping[str, str | None]


@dataclass(slots=True)
class _Misfit:
    """The models that have no place for a heading, or no column for an input, and how many rows this concerns."""

    nearest: str | None = None
    models: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    last: Position | None = None

    def count(self, shot: Shot, model: Model) -> None:
        """Count the row of a shot once, however many takes it has."""
        self.models[model.id] = None
        self.rows += shot.at != self.last
        self.last = shot.at


class Columns:
    """The columns of one manifest, with the rows that do not fit them counted."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._fits: dict[str, Fit] = {}
        self._unknown: dict[str, _Misfit] = {}
        self._missing: dict[str, _Misfit] = {}

    def fit(self, model: Model) -> Fit:
        """Return the columns as a model sees them."""
        if model.id not in self._fits:
            self._fits[model.id] = self._fitted_to(model)
        return self._fits[model.id]

    def fitted(
        self, inputs: Mapping[str, Node], shot: Shot, model: Model
    ) -> tuple[Mapping[str, Node], frozenset[str]]:
        """Return the inputs of a row by their names in the schema, and the names that a problem was reported for.

        A row with such a name is faulty.
        """
        if self._manifest.header is None:
            return inputs, shot.reported
        fit = self._fits.get(model.id) or self.fit(model)
        if fit.required <= inputs.keys() <= model.by_name.keys():
            return inputs, shot.reported
        known, reported = inputs, list[str]()
        if not inputs.keys() <= model.by_name.keys():
            known = {
                fit.spelt.get(name, name): node for name, node in inputs.items() if name not in fit.meant
            }
            for name in [name for name in inputs if name in fit.meant]:
                self._unknown.setdefault(name, _Misfit(fit.meant[name])).count(shot, model)
                reported += [name, fit.meant[name] or name]
        for name in model.required:
            if (
                name not in known
                and name not in fit.at
                and name not in reported
                and name not in shot.reported
            ):
                self._missing.setdefault(name, _Misfit()).count(shot, model)
                reported.append(name)
        return known, shot.reported.union(reported) if reported else shot.reported

    def problems(self) -> Iterator[Problem]:
        """Yield one problem for each column that does not fit, and for each that is missing."""
        for heading, misfit in self._unknown.items():
            rows = f"{counted(misfit.rows, 'row')} {'fills' if misfit.rows == 1 else 'fill'} it"
            message = f"{shown(heading)} is not an input of {listed([*misfit.models])}; {rows}"
            folds = [name for name in self._manifest.headings if name.casefold() == heading.casefold()]
            if folds != [heading]:
                message = f"{shown(heading)} and {shown(folds[0])} are one input, for case does not matter; keep one"
            if remedy := self._manifest.misplaced.get(heading):
                message = f"unknown input {shown(heading)}: {remedy}"
            yield Problem(self._manifest.headings[heading], HEADER, message, nearest=misfit.nearest)
        # A column that means a missing one explains it.
        explained = {misfit.nearest for misfit in self._unknown.values()}
        for name, misfit in (
            (name, misfit) for name, misfit in self._missing.items() if name not in explained
        ):
            at = self._manifest.header or Position(self._manifest.file)
            rows = f"{listed([*misfit.models])} requires it in {counted(misfit.rows, 'row')}"
            yield Problem(at, HEADER, f"the column {visible(name)} is missing, and {rows}")

    def _fitted_to(self, model: Model) -> Fit:
        headings = self._manifest.headings
        at = {name: place for name, place in headings.items() if model.input(name)}
        by_fold = {name.casefold(): name for name in model.by_name}
        spelt: dict[str, str] = {}
        others: list[str] = []
        for heading in (name for name in headings if name not in at):
            name = by_fold.get(heading.casefold())
            if name is None or name in at:
                others.append(heading)
            else:
                spelt[heading], at[name] = name, headings[heading]
        meant: dict[str, str | None] = {}
        for heading in others:
            name = self._meant(heading, model)
            # Two columns cannot have the same name.
            meant[heading] = None if name in at or name in meant.values() else name
        return Fit(frozenset(model.required), at, spelt, meant)

    def _meant(self, heading: str, model: Model) -> str | None:
        if heading in self._manifest.misplaced:
            return None
        place = _BRACKETS.sub(r".\1", heading)
        if place != heading and model.input(place.partition(".")[0]):
            return place
        return meant_input(heading, model) or self._manifest.meant_columns.get(heading)
