"""Chains shots: a shot begins with the picture that the shot before it ended with, in the same size.

In: shots, of which some continue the one before them, then their takes. Out: the shots with their missing start
frames filled in, and warnings where a cut would jump. Only the model says which inputs are frames, so this is done
here and not where the manifest is read. A shot that takes its start frame from the shot before it follows every
change of that frame. It knows no record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from runner.domain.errors import Position, Problem, SchemaInvalid, Severity
from runner.domain.shots import Node, Shot, Take, Text, Variant
from runner.models.model import Model
from runner.models.registry import Models
from runner.models.scalars import shown
from runner.system.canonical_json import JsonValue

_SIZES: Final = frozenset({"resolution", "aspectratio", "ratio", "size", "width", "height"})
_GIVE: Final = "give this shot its own start frame"


@dataclass(slots=True)
class Chain:
    """The start frames of shots that continue the one before them, and what is wrong with how they join.

    `joins` are the ids of neighbours that should join, in order.
    """

    models: Models
    before: Shot | None = None
    joins: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def linked(self, shot: Shot) -> Shot:
        """Return the next shot, with the start frame from the shot before it if it left its own out."""
        before = self.before
        if shot.continues and before is None:
            self._complain(shot, "there is no shot before it to continue; remove chain")
        elif shot.continues and before:
            self.joins.append((before.id, shot.id))
            shot = replace(shot, variants=tuple(self._filled(v, shot, before) for v in shot.variants))
        self.before = shot
        return shot

    def _filled(self, variant: Variant, shot: Shot, before: Shot) -> Variant:
        model = self._model(shot, variant)
        first = model.frames[0] if model else None
        end = self._end(before, shot) if first and first not in variant.inputs else None
        if first is None or end is None:
            return variant
        keys_at = {**variant.keys_at, first: shot.continues or shot.at}
        return replace(variant, inputs={**variant.inputs, first: end}, keys_at=keys_at)

    def _end(self, before: Shot, shot: Shot) -> Node | None:
        """Return the one end frame of the shot before; if it has none, a problem at one of the two shots reports it."""
        ends: dict[str, Node] = {}
        for variant in before.variants:
            model = self._model(before, variant)
            last = model.frames[1] if model else None
            end = variant.inputs.get(last or "")
            if isinstance(end, Text):
                ends[end.text] = end
            elif model and last is None:
                self._complain(shot, f"cannot continue {before.id}, whose model has no end frame; {_GIVE}")
                return None
        if len(ends) > 1:
            self._complain(shot, f"cannot continue {before.id}, whose end frame is swept; {_GIVE}")
            return None
        return next(iter(ends.values()), None)

    def _model(self, shot: Shot, variant: Variant) -> Model | None:
        try:
            return self.models.find(variant.model.text if variant.model else shot.model)
        except SchemaInvalid:
            # The planning of the shot itself reports this problem.
            return None

    def _complain(self, shot: Shot, message: str) -> None:
        self.problems.append(Problem(shot.at, f"shot {shot.id}", message))


def continuity_warnings(
    takes: Iterable[Take], joins: Sequence[tuple[str, str]], *, models: Models
) -> list[Problem]:
    """Return a warning for each join whose two frames, or sizes, are not the same in any two of their takes."""
    sides: dict[str, _Side] = {}
    joined = {shot_id for pair in joins for shot_id in pair}
    for take in takes:
        if take.shot_id in joined:
            sides.setdefault(take.shot_id, _Side(take.shot_id, take.at)).add(take, models)
    return [
        warning
        for before, after in joins
        if before in sides and after in sides
        for warning in _warnings(sides[before], sides[after])
    ]


@dataclass(slots=True)
class _Side:
    """What all takes of one shot show at its cuts: start and end frames, and sizes by input."""

    shot_id: str
    at: Position
    starts: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    sizes: dict[str, set[str]] = field(default_factory=dict)

    def add(self, take: Take, models: Models) -> None:
        body: dict[str, JsonValue] = json.loads(take.body)
        model = models.find(take.model)
        for name, shows in zip(model.frames if model else (), (self.starts, self.ends), strict=False):
            if name in body:
                shows.add(str(body[name]))
        for name, value in body.items():
            if name.replace("_", "").replace("-", "").lower() in _SIZES:
                self.sizes.setdefault(name, set()).add(shown(value))


def _warnings(before: _Side, after: _Side) -> list[Problem]:
    messages = []
    if before.ends and after.starts and not before.ends & after.starts:
        ends = f"does not begin with the frame that {before.shot_id} ends with"
        messages.append(f"{ends}; the cut between them jumps")
    for name, values in after.sizes.items():
        others = before.sizes.get(name, values)
        if not others & values:
            here, there = " and ".join(sorted(values)), " and ".join(sorted(others))
            messages.append(f"{name} is {here} here and {there} in {before.shot_id}, which it continues")
    subject = f"shot {after.shot_id}"
    return [Problem(after.at, subject, message, severity=Severity.WARNING) for message in messages]
