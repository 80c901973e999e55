"""Turns shots into takes: it binds every shot to its model at every point of its sweep.

In: an expanded manifest and the models. Out: a plan of the valid takes, and all problems of the others.
A take depends on its own shot and model alone, so editing one shot never changes another's id, seed or body. The one
exception is a chained shot without a start frame, which gets the end frame of the shot before it. This module knows
no record, no network and no clock; it only passes prices on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from runner.domain.errors import Position, Problem, SchemaInvalid
from runner.domain.shots import Fields, Items, Manifest, Node, Plan, Shot, Take, Text, Variant
from runner.models.inputs import MISSING, Input
from runner.models.model import Model
from runner.models.registry import HOW_TO_ADD, Models, is_model_id
from runner.models.scalars import shown
from runner.plan.columns import Columns
from runner.plan.drawn_seeds import DrawnSeeds
from runner.plan.duplicates import default_seed_warnings, duplicate_warnings, repeated_seed_warnings
from runner.plan.identity import MODEL, REPEAT, fingerprint, further_seeds, seed_for, take_id
from runner.plan.prompts import prompt_warnings
from runner.plan.shot_chains import Chain, continuity_warnings
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.nearest_name import folded

MOST_FAULTY = 500
"""The most faulty takes that are checked, since each costs more than a valid one; a heavy model counts for several."""

MOST_PROBLEMS = 10_000
"""The most problems of all takes together: one wrong row of a thousand columns has a thousand."""

MOST_VALUES = 4_000_000
"""The most inputs of all takes together, the model's defaults included."""

MOST_CHARACTERS = 128 * 2**20
"""The most characters of all request bodies together, which stay in memory until the state file has them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The takes that are valid, and the problems of all others; if there is a problem, nothing may be submitted.

    `plan.warnings` are about the takes; they stop nothing.
    """

    plan: Plan
    problems: tuple[Problem, ...]


def make_plan(
    manifest: Manifest, shots: Iterable[Shot], *, models: Models, allow_private_media: bool = False
) -> Planned:
    """Return the plan of a manifest with these `shots`, with its takes in their order.

    `allow_private_media` accepts media links that only this machine can reach, for an API that runs on it.
    """
    planner = _Planner(models, manifest, Columns(manifest), allow_private_media=allow_private_media)
    chain = Chain(models)
    for shot in shots:
        planner.add(chain.linked(shot))
        if planner.is_full:
            break
    takes = tuple(planner.takes.values())
    warnings = (
        *planner.warnings,
        *prompt_warnings(takes, planner.without_prompt),
        *default_seed_warnings(takes, planner.on_default_seed),
        *repeated_seed_warnings(takes),
        *continuity_warnings(takes, chain.joins, models=models),
        *duplicate_warnings(takes),
        *models.unchecked(planner.schemas),
    )
    # Shots share defaults, and the points of one sweep what is not swept; each would report the same problem.
    problems: dict[tuple[Position, str, str], Problem] = {}
    for problem in (*planner.columns.problems(), *chain.problems, *planner.problems):
        place = problem.subject.partition(", ")[2]
        problems.setdefault((problem.at, place, problem.message), problem)
    return Planned(Plan(manifest, takes, warnings, planner.schemas), tuple(problems.values()))


@dataclass(slots=True)
class _Planner:
    """The takes and problems so far; the keys of `takes` ignore case, because a file system may ignore it too."""

    models: Models
    manifest: Manifest
    columns: Columns
    allow_private_media: bool = field(kw_only=True)
    takes: dict[str, Take] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: dict[Problem, None] = field(default_factory=dict)
    on_default_seed: set[str] = field(default_factory=set)
    schemas: dict[str, str] = field(default_factory=dict)
    without_prompt: dict[tuple[str, str], dict[str, Position]] = field(default_factory=dict)
    faulty: int = 0
    values: int = 0
    characters: int = 0

    @property
    def is_full(self) -> bool:
        """True if planning more is useless: enough is wrong, or the bodies are more than memory should hold."""
        if self.faulty >= MOST_FAULTY or len(self.problems) >= MOST_PROBLEMS:
            return True
        return self.values > MOST_VALUES or self.characters > MOST_CHARACTERS

    def add(self, shot: Shot) -> None:
        """Plan all takes of one shot."""
        swept = {variant.model.text: variant.model for variant in shot.variants if variant.model}
        if swept:
            self._add_swept(shot, {name: self._model(shot, name, text.at) for name, text in swept.items()})
        elif model := self._model(shot, shot.model, shot.model_at):
            seeds = DrawnSeeds()
            for variant in shot.variants:
                if not self.is_full:
                    self._add_takes(shot, seeds.fit(variant, model) if variant.point else variant, model)

    def _add_swept(self, shot: Shot, models: Mapping[str, Model | None]) -> None:
        known = {name for model in models.values() if model for name in model.by_name}
        seeds = DrawnSeeds()
        for variant in shot.variants:
            model = models[variant.model.text] if variant.model else None
            if model and not self.is_full:
                self._add_takes(shot, seeds.fit(_meant_for(model, variant, known), model), model)

    def _model(self, shot: Shot, name: str, at: Position) -> Model | None:
        message, nearest = "no model given", None
        try:
            if model := self.models.find(name):
                return model
            own = self.models.find(shot.model)
        except SchemaInvalid as error:
            message = f"the schema of {shown(name)} cannot be used: {error.message}"
        else:
            if name:
                nearest = self.models.nearest(name)
                message = f"unknown model {shown(name)}; `shotrunner models` lists them all"
                message += "" if nearest or not is_model_id(name) else f"; {HOW_TO_ADD}"
                if own and MODEL in own.by_name:
                    message += f"; the sweep is over models, and never over the input {MODEL} of {own.id}"
        self.problems.append(Problem(at, f"shot {shot.id}, model", message, nearest=nearest))
        return None

    def _add_takes(self, shot: Shot, variant: Variant, model: Model) -> None:
        """Plan as many takes of one point as the shot asks for."""
        inputs, reported = self.columns.fitted(variant.inputs, shot, model)
        variant = variant if inputs is variant.inputs else replace(variant, inputs=inputs)
        # The first one is the take that the row has without a number, so it is not paid for again.
        self._add_take(shot, variant, model, reported)
        if shot.takes > 1 and not reported:
            for further in self._further(shot, variant, model):
                self._add_take(shot, further, model, reported, is_own_seed=model.seed_input is not None)

    def _further(self, shot: Shot, variant: Variant, model: Model) -> Iterator[Variant]:
        """Yield a point again for each further take: with another seed, or as a repeat if the model has none."""
        seed, where = model.seed_input, f"shot {shot.id}, takes"
        if seed is None:
            for number in range(2, shot.takes + 1):
                yield replace(variant, point={**variant.point, REPEAT: Text(str(number), shot.at)})
            return
        if seed.name in variant.inputs:
            message = f"the row gives {seed.name} itself; leave that or takes empty"
            self.problems.append(Problem(variant.inputs[seed.name].at, where, message))
            return
        seeds = further_seeds(shot.id, seed, shot.takes - 1)
        if len(seeds) < shot.takes - 1:
            message = f"{model.id} has only {len(seeds) + 1} seeds, which is too few for {shot.takes} takes"
            self.problems.append(Problem(shot.at, where, message))
        for value in seeds:
            made = {seed.name: Text(str(value), shot.at)}
            yield replace(variant, point={**variant.point, **made}, inputs={**variant.inputs, **made})

    def _add_take(
        self,
        shot: Shot,
        variant: Variant,
        model: Model,
        reported: frozenset[str],
        *,
        is_own_seed: bool = False,
    ) -> None:
        """Plan one take; `reported` is as in `Model.bind`, and `is_own_seed` means a seed made from the id."""
        inputs, seed = variant.inputs, model.seed_input
        # A seed that neither the shot nor the model's default gives is made from the shot's id.
        is_open = seed is not None and seed.name not in inputs
        from_id = seed is not None and (is_own_seed or (is_open and not _has_default(seed)))
        seed_from_id = seed.name if seed and from_id else ""
        if seed and from_id and is_open:
            inputs = {**inputs, seed.name: Text(str(seed_for(shot.id, seed)), shot.at)}
        keys_at = variant.keys_at
        if self.manifest.header is not None:
            places = self.columns.fit(model).at
            keys_at = {**places, **keys_at} if variant.point else places
        bound = model.bind(
            inputs,
            subject=f"shot {shot.id}",
            at=shot.at,
            keys_at=keys_at,
            reported=reported,
            allow_private_media=self.allow_private_media,
        )
        self.problems.extend(bound.problems)
        if bound.warnings and len(self.warnings) < MOST_PROBLEMS:
            # A sweep reads the same text at the same place again and again.
            self.warnings.update(dict.fromkeys(bound.warnings))
        if bound.problems or shot.faulty:
            self.faulty += model.weight
            if self.is_full:
                self.problems.append(Problem(shot.at, "", "checking stopped here: too many takes are faulty"))
        if bound.problems or shot.faulty or reported:
            return
        if (prompt := model.prompt_input) and prompt.name not in inputs:
            at = shot.at.below(keys_at.get(prompt.name))
            self.without_prompt.setdefault((model.id, prompt.name), {}).setdefault(shot.id, at)
        point = shot.point
        if point is None:
            point = {axis: _swept_value(axis, node, bound.body) for axis, node in variant.point.items()}
        take = self._take(shot, model, bound.body, point, seed_from_id)
        first = self.takes.setdefault(folded(take.id), take)
        if first is not take:
            self.problems.append(_clash(first, take))
        elif is_open and not from_id:
            self.on_default_seed.add(take.id)

    def _take(
        self,
        shot: Shot,
        model: Model,
        body: dict[str, JsonValue],
        point: Mapping[str, JsonValue],
        seed_from_id: str,
    ) -> Take:
        """Return the take of a body, after it counted against the bounds of memory."""
        text = canonical_json(body)
        self.schemas[model.id] = model.sha256
        self.characters += len(text)
        self.values += len(model.inputs)
        if self.is_full:
            bounds = f"{MOST_VALUES:,} inputs or {MOST_CHARACTERS:,} characters"
            message = f"all takes together hold more than {bounds}; split the manifest"
            self.problems.append(Problem(shot.at, f"shot {shot.id}", message))
        seed = body.get(model.seed_input.name) if model.seed_input else None
        return Take(
            id=shot.take_id or take_id(shot.id, point),
            shot_id=shot.id,
            model=model.id,
            body=text,
            fingerprint=fingerprint(model.id, text),
            seed=seed if isinstance(seed, int) else None,
            point=point,
            at=shot.at,
            tags=shot.tags,
            notes=shot.notes,
            cells=shot.cells,
            price=shot.price or self.manifest.prices.get(model.id),
            seed_from_id=seed_from_id,
        )


def _has_default(seed: Input) -> bool:
    return not seed.required and seed.default is not MISSING


def _meant_for(model: Model, variant: Variant, known: set[str]) -> Variant:
    """Return the variant without the inputs that this model does not have but another of the same sweep has.

    A sweep over models gives each of them the inputs that it has. An input that no model has is still a mistake, and
    so is a swept input that only some models have.
    """
    others = known - model.by_name.keys()
    inputs = {
        name: node
        for name, node in variant.inputs.items()
        if name in variant.point or others.isdisjoint({name, name.split(".")[0]})
    }
    return replace(variant, inputs=inputs)


def _swept_value(axis: str, node: Node, body: dict[str, JsonValue]) -> JsonValue:
    """Return the typed value of an axis: from the body if it is an input, as written if it is a variable."""
    if axis in (MODEL, REPEAT) and isinstance(node, Text):
        return int(node.text) if axis == REPEAT else node.text
    value: JsonValue = body
    for part in [axis] if axis in body else axis.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _as_written(node)
    return value


def _as_written(node: Node) -> JsonValue:
    match node:
        case Text():
            return node.text
        case Items():
            return [_as_written(item) for item in node]
        case Fields():
            return {key: _as_written(inner) for key, inner in node.items.items()}


def _clash(first: Take, second: Take) -> Problem:
    if first.id != second.id:
        message = (
            f"the take ids {first.id} and {second.id} differ only in case or accents, and name the same files"
        )
    elif first.shot_id == second.shot_id and first.at == second.at:
        message = f"the sweep gives the take {second.id} more than once"
    else:
        message = f"the take {second.id} is already given at {first.at}"
    return Problem(second.at, f"shot {second.shot_id}", message)
