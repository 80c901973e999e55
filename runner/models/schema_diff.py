"""Compares two schemas of one model, as far as it matters to a request: inputs, types, choices, bounds, defaults.

In: two models, made strict. Out: changes, one for each rule of each input, in the order of the older schema. Titles,
descriptions and the examples of required inputs change nothing that is sent, and are left out. It knows no catalogue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from runner.models.model import Model
from runner.models.scalars import shown
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import canonical_json

NOTHING = ""
_WORDS: Mapping[str, str] = {
    "type": "type",
    "enum": "allowed values",
    "const": "allowed value",
    "default": "default",
    "minimum": "least value",
    "maximum": "largest value",
    "exclusiveMinimum": "value to stay above",
    "exclusiveMaximum": "value to stay below",
    "multipleOf": "step",
    "minLength": "least characters",
    "maxLength": "most characters",
    "minItems": "least items",
    "maxItems": "most items",
    "pattern": "pattern",
    "format": "format",
}
_CHOICES = frozenset({"enum", "type"})
_OF_INPUTS = frozenset({"properties", "required", "type", "default"})
_NO_RULES = frozenset({"title", "description", "examples", "deprecated", "$comment", "validations"})


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its input, what changed, and the values before and after as text.

    `input` is empty for a rule over all inputs; `old` and `new` are empty if there is no value.
    """

    input: str
    what: str
    old: str = NOTHING
    new: str = NOTHING

    def __str__(self) -> str:
        subject = f"{self.input}: {self.what}" if self.input else self.what
        if self.old and self.new:
            return f"{subject}: {self.old} → {self.new}"
        if self.old or self.new:
            return f"{subject}: {f'removed (was {self.old})' if self.old else f'now {self.new}'}"
        return subject


def changes(old: Model, new: Model) -> tuple[Change, ...]:
    """Return in what the schema `new` differs from `old`."""
    before, after = mapping(old.input_schema["properties"]), mapping(new.input_schema["properties"])
    found: list[Change] = []
    for name, was in old.by_name.items():
        now = new.by_name.get(name)
        if now is None:
            found.append(Change(shown(name), "input removed"))
            continue
        if was.required != now.required:
            found.append(Change(shown(name), "now required" if now.required else "no longer required"))
        left_out = _NO_RULES | ({"default"} if was.required and now.required else frozenset())
        for rule, *values in _differing(mapping(before[name]), mapping(after[name]), left_out):
            found.append(Change(shown(name), _WORDS.get(rule, f"rule {shown(rule)}"), *values))
    for name, now in new.by_name.items():
        if name not in old.by_name:
            kind = "required input added" if now.required else "optional input added"
            found.append(Change(shown(name), kind, new=_said(mapping(after[name]), "type") or "any type"))
    for rule, *values in _differing(old.input_schema, new.input_schema, _NO_RULES | _OF_INPUTS):
        found.append(Change("", f"rule {shown(rule)} over all inputs", *values))
    return tuple(found)


def _differing(old: Schema, new: Schema, left_out: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each rule in which two schemas differ, with its old and new value in words."""
    for rule in dict.fromkeys((*old, *new)):
        if rule not in left_out and _text(old, rule) != _text(new, rule):
            yield rule, _said(old, rule), _said(new, rule)


def _text(schema: Schema, rule: str) -> str | None:
    """Return a rule as text, since `true` equals 1 in Python but not for a model."""
    value = schema.get(rule)
    if rule in _CHOICES and isinstance(value, list):
        # The order of choices means nothing.
        value = sorted(value, key=canonical_json)
    return canonical_json(value) if rule in schema else None


def _said(schema: Schema, rule: str) -> str:
    value = schema.get(rule)
    if rule in _CHOICES and isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    return shown(value) if rule in schema else NOTHING
