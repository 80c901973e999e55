"""Holds one model: its inputs, and the way from a user's text to a request body or to everything wrong with it.

In: a schema file as published, then nodes. Out: a `Model`; per shot a `RequestBody` with problems, each at the place of
its value. Optional inputs with a default are filled in, so that the body says everything that decides the result;
required inputs never are. It knows no manifest syntax, seed rule or API.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from runner.domain.errors import Position, Problem, SchemaInvalid
from runner.domain.shots import Fields, Items, Node
from runner.models.coerce import Reading
from runner.models.display import printable, shown
from runner.models.dotted_names import fold
from runner.models.inputs import MISSING, Input, Missing, inputs_of
from runner.models.keywords import Schema
from runner.models.normalise import Normalised, normalise
from runner.models.resolve_refs import expand
from runner.models.schema_file import ModelFile
from runner.models.validate import BodyCheck, SchemaViolation, compile_schema
from runner.models.value_types import Shape, shape_of
from runner.system.canonical_json import JsonValue, canonical_json

_USUAL_SCHEMA = 6_000
LARGEST_DEFAULT = 20_000
"""The most characters of a default as JSON; the body of every take that does not override it holds it."""


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A request body and what is wrong with it; only a body without problems may be sent."""

    body: dict[str, JsonValue]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Model:
    """A model's strict schema with everything made from it once.

    `input_schema` is JSON Schema 2020-12 without references; `notes` say what was changed to make it so;
    `validations` are private rules that were set aside. `source` says from where and when the file was copied, and
    `sha256` is the hash of its bytes.
    """

    id: str
    file: str
    source: Mapping[str, JsonValue]
    input_schema: Schema
    output_schema: Schema
    inputs: tuple[Input, ...]
    notes: tuple[str, ...] = ()
    validations: Mapping[str, JsonValue] = field(default_factory=dict)
    sha256: str = ""
    _check: BodyCheck = field(kw_only=True, repr=False, compare=False)

    @classmethod
    def from_file(cls, published: ModelFile) -> Model:
        """Make a model from its file.

        Raises:
            SchemaInvalid: the schema is unsafe or not that of an object; the message names the file.
        """
        strict = normalise(expand(published.input, file=published.file))
        if strict.schema.get("type", "object") != "object" or "properties" not in strict.schema:
            raise SchemaInvalid(
                f"{published.file}: the input is not an object with properties",
                advice="fix or remove this file",
            )
        _refuse_large_defaults(strict.schema, published.file)
        check = compile_schema(strict.schema, file=published.file)
        _drop_unusable_defaults(strict, check)
        return cls(
            published.model,
            published.file,
            published.source,
            strict.schema,
            _unwrapped(published.output),
            inputs_of(strict.schema, media=published.media),
            tuple(strict.notes),
            strict.validations,
            published.sha256,
            _check=check,
        )

    @cached_property
    def seed_input(self) -> Input | None:
        """The integer input that is called seed, if the model has one."""
        return next((i for i in self.inputs if i.name.lower() == "seed" and i.type == "integer"), None)

    def bind(
        self,
        inputs: Mapping[str, Node],
        *,
        subject: str,
        at: Position,
        keys_at: Mapping[str, Position],
        allow_private_media: bool = False,
    ) -> RequestBody:
        """Return the request body for `inputs`, and every problem at its own place.

        `at` is the place of the shot, for what is missing; `subject` names it ("shot s010"); `keys_at` says where each
        input's name stands. `allow_private_media` accepts links that only this machine can reach.
        """
        reading = Reading(subject, allow_private_media=allow_private_media, speller=self._check.speller)
        nodes = fold(inputs, names=self._shapes, keys_at=keys_at, reading=reading)
        meant = self._refuse_unknown(nodes, keys_at, reading)
        body: dict[str, JsonValue] = {}
        for wanted in self.inputs:
            # A misspelled name is one mistake, and not both an unknown input and a missing one.
            misspelled = wanted.name in meant and wanted.name not in nodes
            value = MISSING if misspelled else self._value(wanted, nodes, reading, at)
            if value is not MISSING:
                body[wanted.name] = value
        self._validate(body, nodes, reading, at)
        return RequestBody(body, tuple(reading.problems))

    def body_faults(self, body: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
        """Return (dotted field, message) for every fault of a body that is already JSON."""
        return [
            (".".join(map(str, found.path)), _with_choices(found))
            for found in self._check.complaints(dict(body))
        ]

    @cached_property
    def weight(self) -> int:
        """How costly it is to find what is wrong with a body; a schema of usual size has 1."""
        return 1 + len(canonical_json(self.input_schema)) // _USUAL_SCHEMA

    @cached_property
    def _shapes(self) -> Mapping[str, Shape]:
        properties = self.input_schema["properties"]
        known = properties if isinstance(properties, dict) else {}
        return {i.name: shape_of(known[i.name], media=i.media or None) for i in self.inputs}

    def _refuse_unknown(
        self, nodes: Mapping[str, Node], keys_at: Mapping[str, Position], reading: Reading
    ) -> set[str]:
        """Report names that the model does not have; return those that were probably meant."""
        meant = set()
        for name in [name for name in nodes if name not in self._shapes]:
            nearest = reading.speller.nearest(name, self._shapes)
            where = keys_at.get(name, nodes[name].at)
            reading.complain(where, f"inputs.{printable(name)}", "unknown input", nearest=nearest)
            meant.add(nearest or "")
        return meant

    def _value(
        self, wanted: Input, nodes: Mapping[str, Node], reading: Reading, at: Position
    ) -> JsonValue | Missing:
        node = nodes.get(wanted.name)
        if node is None:
            if wanted.required:
                return reading.complain(at, f"inputs.{wanted.name}", "missing, and the model requires it")
            # A default that is a list or mapping must not be shared between bodies.
            return (
                copy.deepcopy(wanted.default) if isinstance(wanted.default, list | dict) else wanted.default
            )
        where = f"inputs.{wanted.name}"
        value = reading.value(node, self._shapes[wanted.name], where)
        if wanted.required and isinstance(value, str) and not value.strip():
            return reading.complain(node.at, where, "is empty, and the model requires it")
        return value

    def _validate(self, body: Schema, nodes: Mapping[str, Node], reading: Reading, at: Position) -> None:
        incomplete = bool(reading.problems)
        for found in self._check.complaints(body):
            is_reported = found.rule == "required" and len(found.path) == 1
            # A rule over the whole body is not useful while parts of it are missing for other reasons.
            if is_reported or (incomplete and not found.path):
                continue
            where = ".".join(["inputs", *map(str, found.path)])
            place = _position(found.path, nodes, at)
            reading.complain(place, where, found.message, allowed=found.allowed, nearest=found.nearest)


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


def _refuse_large_defaults(schema: Schema, file: str) -> None:
    """Refuse a default that would make every body large, however little its manifest says."""
    properties = schema["properties"]
    for name, prop in properties.items() if isinstance(properties, dict) else ():
        default = prop.get("default") if isinstance(prop, dict) else None
        if isinstance(default, str | list | dict) and len(canonical_json(default)) > LARGEST_DEFAULT:
            raise SchemaInvalid(
                f"{file}: input.{shown(name)}: the default is larger than {LARGEST_DEFAULT:,} characters",
                advice="fix or remove this file",
            )


def _drop_unusable_defaults(strict: Normalised, check: BodyCheck) -> None:
    """Remove defaults of optional inputs that their own schema refuses, because sending them would fail."""
    properties, required = strict.schema["properties"], strict.schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return
    for name, prop in properties.items():
        if name in required or not isinstance(prop, dict) or "default" not in prop:
            continue
        if not check.accepts(prop["default"], schema=prop):
            strict.notes.append(f"input.{name}: the default is not valid and was dropped")
            del prop["default"]


def _unwrapped(output: Schema) -> Schema:
    """Return the schema of `output` itself if the page describes the result that holds it."""
    inner = output.get("output")
    return inner if isinstance(inner, dict) and len(output) == 1 else output


def _with_choices(found: SchemaViolation) -> str:
    return f"{found.message} (allowed: {', '.join(found.allowed)})" if found.allowed else found.message
