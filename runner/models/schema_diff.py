"""Compares two schemas of one model, as far as it matters to a request: inputs, types, choices, bounds, defaults.

In: two models, made strict. Out: changes, one for each rule of each input, in the order of the older schema. Titles,
descriptions and the examples of required inputs change nothing that is sent, and are left out. It knows no catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.models.display import shown
from runner.models.keywords import Schema
from runner.models.model import Model
from runner.system.canonical_json import JsonValue, canonical_json

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
    before, after = _properties(old), _properties(new)
    needed_before, needed_after = _needed(old), _needed(new)
    found: list[Change] = []
    for name in before:
        if name not in after:
            found.append(Change(shown(name), "input removed"))
            continue
        was, now = name in needed_before, name in needed_after
        if was != now:
            found.append(Change(shown(name), "now required" if now else "no longer required"))
        found += _between(shown(name), before[name], after[name], examples=was and now)
    for name in after:
        if name not in before:
            kind = "required input added" if name in needed_after else "optional input added"
            found.append(Change(shown(name), kind, new=_kind(after[name])))
    return (*found, *_over_all(old.input_schema, new.input_schema))


def _properties(model: Model) -> Mapping[str, Schema]:
    properties = model.input_schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: value if isinstance(value, dict) else {} for name, value in properties.items()}


def _needed(model: Model) -> frozenset[str]:
    return frozenset(each.name for each in model.inputs if each.required)


def _between(name: str, old: Schema, new: Schema, *, examples: bool) -> Iterator[Change]:
    left_out = _NO_RULES | ({"default"} if examples else frozenset())
    for rule in dict.fromkeys((*old, *new)):
        if rule not in left_out and _differ(old, new, rule):
            yield Change(name, _WORDS.get(rule, f"rule {shown(rule)}"), _said(old, rule), _said(new, rule))


def _over_all(old: Schema, new: Schema) -> Iterator[Change]:
    others = {"properties", "required", "type", "default"}
    for rule in dict.fromkeys((*old, *new)):
        if rule not in others | _NO_RULES and _differ(old, new, rule):
            yield Change("", f"rule {shown(rule)} over all inputs", _said(old, rule), _said(new, rule))


def _differ(old: Schema, new: Schema, rule: str) -> bool:
    # The values are compared as text, since `true` equals 1 in Python but not for a model.
    missing = object()
    one, other = old.get(rule, missing), new.get(rule, missing)
    if one is missing or other is missing:
        return one is not other
    return canonical_json(_sorted(rule, old[rule])) != canonical_json(_sorted(rule, new[rule]))


def _sorted(rule: str, value: JsonValue) -> JsonValue:
    """Return choices without their order, which means nothing."""
    return (
        sorted(value, key=canonical_json) if rule in {"enum", "type"} and isinstance(value, list) else value
    )


def _said(schema: Schema, rule: str) -> str:
    if rule not in schema:
        return NOTHING
    value = schema[rule]
    if isinstance(value, list) and rule in {"enum", "type"}:
        return ", ".join(shown(each) for each in value) or "none"
    return shown(value)


def _kind(schema: Schema) -> str:
    return _said(schema, "type") or "any type"
