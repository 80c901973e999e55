"""Holds one model: its inputs, and the way from a user's text to a request body or to everything wrong with it.

In: a schema file as published, then nodes. Out: a `Model`; per shot a `RequestBody` with problems, each at the place of
its value. Optional inputs with a default are filled in, so that the body says everything that decides the result;
required inputs never are. It knows no manifest syntax, seed rule or API.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from runner.domain.errors import Position, Problem
from runner.domain.shots import Fields, Items, Node, Text
from runner.models.coerce import LONGEST_KEY, Reading
from runner.models.ecma_patterns import python_pattern
from runner.models.fragments import with_fragments
from runner.models.input_names import meant_input
from runner.models.inputs import MISSING, Input, Missing, declared_kinds, inputs_of
from runner.models.media_inputs import frame_inputs
from runner.models.normalise import normalise
from runner.models.refused_bodies import other_readings, refused_defaults
from runner.models.resolve_refs import expand
from runner.models.scalars import shown
from runner.models.schema_file import ModelFile, Schema, mapping, unusable
from runner.models.set_aside import undescribed, without_unusable_patterns
from runner.models.validate import BodyCheck
from runner.models.value_doubts import is_prompt
from runner.models.violations import SchemaViolation
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.escapes import visible

_USUAL_SCHEMA = 6_000
_MOST_TYPED = 10_000
_MOST_MEANT = 100
_Written: TypeAlias = tuple[str, str, bool, bool]
"""The name of an input, its text, whether that is quoted, and whether media may be private."""

LARGEST_DEFAULT = 20_000
"""The most characters of a default as JSON; the body of every take that does not override it holds it."""


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A request body and what is wrong with it; only a body without problems may be sent.

    `warnings` are about values that are valid and will probably fail.
    """

    body: dict[str, JsonValue]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Model:
    """A model's strict schema with everything made from it once.

    `input_schema` is JSON Schema 2020-12 without references. `source` says from where and when the file was copied, and
    `sha256` is the hash of its bytes. `notes` are rules that no body is checked against, each with the reason.
    `outputs` are the names in its published output.
    """

    id: str
    file: str
    source: Mapping[str, JsonValue]
    input_schema: Schema
    inputs: tuple[Input, ...]
    sha256: str = ""
    notes: tuple[str, ...] = ()
    outputs: frozenset[str] = frozenset()
    _check: BodyCheck = field(kw_only=True, repr=False, compare=False)
    _media: Collection[str] | None = field(default=None, kw_only=True, repr=False)
    # The values of texts that were found valid: a sweep of thousands repeats nearly all of them.
    _typed: dict[_Written, JsonValue] = field(default_factory=dict, kw_only=True, repr=False, compare=False)
    _meanings: dict[str, str | None] = field(default_factory=dict, kw_only=True, repr=False, compare=False)
    _further: dict[str, Input | None] = field(default_factory=dict, kw_only=True, repr=False, compare=False)

    @classmethod
    def from_file(cls, published: ModelFile) -> Model:
        """Make a model from its file.

        Raises:
            SchemaInvalid: the schema is unsafe or not that of an object; the message names the file.
        """
        file = published.file
        expanded = expand(published.input, file=file)
        strict, notes = without_unusable_patterns(normalise(expanded), file=file)
        notes += undescribed(expanded, strict)
        schema = with_fragments(strict)
        if "object" not in (declared_kinds(schema) or ("object",)) or "properties" not in schema:
            raise unusable(file, "the input is not an object with properties")
        properties = {**mapping(schema["properties"]), **mapping(strict.get("properties"))}
        check = BodyCheck(strict, file=file, inputs=properties)
        _settle_defaults(schema, check, file)
        inputs = inputs_of(schema, media=published.media)
        about = published.model, file, published.source
        return cls(
            *about,
            schema,
            inputs,
            published.sha256,
            notes,
            published.outputs,
            _check=check,
            _media=published.media,
        )

    @cached_property
    def makes_pictures(self) -> bool:
        """Whether the model makes a picture and no video: by its published output, or by an id such as text-to-image.

        Many outputs name both, whatever the model makes.
        """
        has_picture, has_video = ({name, f"{name}s"} & self.outputs for name in ("image", "video"))
        return bool(has_picture) if bool(has_picture) != bool(has_video) else self.id.endswith("-to-image")

    @cached_property
    def seed_input(self) -> Input | None:
        """The input for a number that is called seed, if the model has one."""
        numbers = {"integer", "number"}
        return next((i for i in self.inputs if i.name.lower() == "seed" and i.type in numbers), None)

    @cached_property
    def prompt_input(self) -> Input | None:
        """The first text input that is called a prompt, if the model has one."""
        texts = (i for i in self.inputs if i.type == "string" and not (i.media or i.allowed))
        return next((i for i in texts if is_prompt(i.name)), None)

    def bind(
        self,
        inputs: Mapping[str, Node],
        *,
        subject: str,
        at: Position,
        keys_at: Mapping[str, Position],
        reported: frozenset[str] = frozenset(),
        allow_private_media: bool = False,
    ) -> RequestBody:
        """Return the request body for `inputs`, and every problem at its own place.

        `at` is the place of the shot, for what is missing; `subject` names it ("shot s010"); `keys_at` says where each
        input's name stands. `reported` names inputs that are left out because of problems that are reported already; a
        body without them must not be sent. `allow_private_media` accepts links that only this machine can reach.
        """
        reading = Reading(subject, allow_private_media=allow_private_media, speller=self._check.speller)
        nodes, meant, all_inputs = inputs, set[str | None](reported), self.inputs
        if not inputs.keys() <= self.by_name.keys():
            nodes = reading.fold(inputs, names={*map(self._stem, inputs)}, keys_at=keys_at)
            meant |= self._unknown(nodes, reading, keys_at)
            further = (self.input(name) for name in nodes if name not in self.by_name)
            all_inputs = (*all_inputs, *filter(None, further))
        body: dict[str, JsonValue] = {}
        valid: set[str] = set()
        known, typed = self._typed, dict[_Written, JsonValue]()
        for wanted in all_inputs:
            name, node, key = wanted.name, nodes.get(wanted.name), None
            if isinstance(node, Text):
                key = name, node.text, node.quoted, allow_private_media
                if key in known:
                    body[name] = known[key]
                    valid.add(name)
                    continue
            # A misspelled name is one mistake, and not both an unknown input and a missing one.
            elif node is None and name in meant:
                continue
            value = _value(wanted, node, reading, at, keys_at)
            if value is MISSING:
                continue
            body[name] = value
            if key:
                typed[key] = value
            elif node is None:
                valid.add(name)
        if self._validate(body, nodes, reading, at, valid=valid, keys_at=keys_at, is_partial=bool(reported)):
            typed = {key: body[key[0]] for key in typed}
        # A text that is warned of is read each time, so that each of its places is named.
        if not reading.problems and not reading.warnings:
            if len(self._typed) > _MOST_TYPED:
                self._typed.clear()
            self._typed.update(typed)
        return RequestBody(body, tuple(reading.problems), tuple(reading.warnings))

    def body_faults(self, body: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
        """Return (dotted field, message) for every fault of a body that is already JSON."""
        faults = []
        for found in self._check.complaints(dict(body)):
            allowed = f" (allowed: {', '.join(found.allowed)})" if found.allowed else ""
            faults.append((".".join(map(str, found.path)), found.message + allowed))
        return faults

    @cached_property
    def weight(self) -> int:
        """How costly it is to find what is wrong with a body; a schema of usual size has 1."""
        return 1 + len(canonical_json(self.input_schema)) // _USUAL_SCHEMA

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the inputs that the model always requires."""
        return tuple(wanted.name for wanted in self.inputs if wanted.required)

    @cached_property
    def by_name(self) -> Mapping[str, Input]:
        """The inputs by their names, in the same order."""
        return {wanted.name: wanted for wanted in self.inputs}

    @cached_property
    def frames(self) -> tuple[str | None, str | None]:
        """The inputs that are the first and the last frame."""
        # Where one input takes one picture and another several, a frame is meant for the first.
        links = sorted((each for each in self.inputs if each.media), key=lambda each: each.type == "array")
        return frame_inputs({each.name: each.title for each in links})

    @cached_property
    def is_open(self) -> bool:
        """Whether the model takes inputs that its schema does not list by name, see `input`."""
        rest = self.input_schema.get("additionalProperties")
        return isinstance(rest, dict) or "patternProperties" in self.input_schema

    def input(self, name: str) -> Input | None:
        """Return the input of this name; a schema may describe names by patterns, or all other names at once."""
        if name not in self.by_name and name not in self._further:
            self._further[name] = self._further_input(name)
        return self.by_name.get(name) or self._further.get(name)

    def _stem(self, name: str) -> str:
        """Return the input that a dotted name of a column is a part of, or the name itself."""
        stem = name.partition(".")[0]
        return stem if name not in self.by_name and self.input(stem) else name

    def _further_input(self, name: str) -> Input | None:
        rest, patterns = self.input_schema.get("additionalProperties"), {}
        if len(name) <= LONGEST_KEY:
            patterns = mapping(self.input_schema.get("patternProperties"))
        parts = [part for pattern, part in patterns.items() if re.search(python_pattern(pattern), name)]
        # What looks like an input of the model is a misspelling, unless a pattern describes it.
        if not parts and isinstance(rest, dict) and self._meant(name) is None:
            parts = [rest]
        schema: Schema = {"properties": {name: {"allOf": parts}}}
        return inputs_of(schema, media=self._media)[0] if parts else None

    def _unknown(
        self, nodes: Mapping[str, Node], reading: Reading, keys_at: Mapping[str, Position]
    ) -> set[str | None]:
        """Report the inputs that the model does not have, and return the names that were probably meant."""
        meant = set()
        for name in [name for name in nodes if self.input(name) is None]:
            nearest = self._meant(name)
            where = keys_at.get(name, nodes[name].at)
            reading.complain(where, f"inputs.{visible(name)}", "unknown input", nearest=nearest)
            meant.add(nearest)
        return meant

    def _meant(self, name: str) -> str | None:
        # A person only reads the first problems, and a board may hold as many wrong words as a schema has names.
        if name not in self._meanings and len(self._meanings) < _MOST_MEANT:
            self._meanings[name] = meant_input(name, self)
        return self._meanings.get(name)

    def _validate(
        self,
        body: Schema,
        nodes: Mapping[str, Node],
        reading: Reading,
        at: Position,
        *,
        valid: Collection[str],
        keys_at: Mapping[str, Position],
        is_partial: bool,
    ) -> bool:
        """Report what is wrong with a body, and return whether a value in it may have changed because of that."""
        complaints = self._check.complaints(body, valid=valid)
        if not complaints:
            return False
        incomplete = is_partial or bool(reading.problems)
        complaints = self._reconsidered(body, complaints, nodes, reading, at, is_complete=not incomplete)
        for found in complaints:
            # A rule over the whole body is not useful while parts of it are missing for other reasons. What the model
            # always requires is one of these reasons; what it requires beside another input is not reported yet.
            if incomplete and found.about_all:
                continue
            where = ".".join(["inputs", *map(str, found.path)])
            place = _position(
                found.path, nodes, at.below(keys_at.get(str(found.path[0])) if found.path else None)
            )
            reading.complain(place, where, found.message, found.allowed, found.nearest)
        return True

    def _reconsidered(
        self,
        body: Schema,
        found: list[SchemaViolation],
        nodes: Mapping[str, Node],
        reading: Reading,
        at: Position,
        *,
        is_complete: bool,
    ) -> list[SchemaViolation]:
        """Change a refused body to what it can mean instead, and return what is still wrong with it."""
        read = other_readings(body, self.by_name, nodes, schema=self.input_schema, check=self._check)
        if read:
            body |= read
            found = self._check.complaints(body)
        defaults = body.keys() - nodes.keys()
        if not found or not is_complete or not defaults:
            return found
        refused, found = refused_defaults(body, found, defaults=defaults, check=self._check)
        for name in refused:
            message = f"its default {shown(body.pop(name))} is left out where other inputs do not allow it"
            reading.doubt(at, f"inputs.{name}", message)
        own = "; it is the default, so write a value that fits"
        return [
            replace(each, message=each.message + own) if each.path and each.path[0] in defaults else each
            for each in found
        ]


def _value(
    wanted: Input, node: Node | None, reading: Reading, at: Position, keys_at: Mapping[str, Position]
) -> JsonValue | Missing:
    """Return the value of an input; `at` is the place of its shot."""
    where = f"inputs.{wanted.name}"
    if node is None and wanted.required:
        place = at.below(keys_at.get(wanted.name))
        return reading.complain(place, where, "missing, and the model requires it")
    if node is None:
        # A default that is a list or mapping must not be shared between bodies.
        is_shared = isinstance(wanted.default, list | dict)
        return copy.deepcopy(wanted.default) if is_shared else wanted.default
    value = reading.value(node, wanted.shape, where)
    if isinstance(value, str) and not value.strip():
        if wanted.required:
            return reading.complain(node.at, where, "is empty, and the model requires it")
        if is_prompt(wanted.name) and value not in wanted.allowed:
            reading.doubt(node.at, where, "is empty, and the take is paid for without a prompt")
    return value


def _position(path: tuple[str | int, ...], nodes: Mapping[str, Node], at: Position) -> Position:
    """Return the place of the value at `path`, or of the innermost part of it that was written."""
    node = nodes.get(str(path[0])) if path else None
    if node is None:
        return at
    for step in path[1:]:
        if isinstance(node, Fields) and step in node.items:
            node = node.items[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node.at


def _settle_defaults(schema: Schema, check: BodyCheck, file: str) -> None:
    """Refuse a default that makes every body large, and drop one that the schema of its optional input refuses."""
    required = schema.get("required")
    for name, prop in mapping(schema["properties"]).items():
        if not isinstance(prop, dict) or "default" not in prop:
            continue
        default = prop["default"]
        if len(canonical_json(default)) > LARGEST_DEFAULT:
            reason = f"the default is larger than {LARGEST_DEFAULT:,} characters"
            raise unusable(file, f"input.{shown(name)}: {reason}")
        is_required = isinstance(required, list) and name in required
        if not is_required and not check.accepts(name, default):
            del prop["default"]
