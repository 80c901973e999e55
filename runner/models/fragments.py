"""Gathers what the fragments of an object's schema describe: its `allOf`, `anyOf`, `oneOf`, `if`, `then` and the like.

In: a schema without references. Out: the same object with every input that any fragment describes. It decides on no
value: a rule of a fragment stays where it is, and only the validator knows whether it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runner.models.resolve_refs import each_subschema
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue

FRAGMENTS: Final = frozenset({"allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas"})
"""The keywords whose schemas are about the same value as the schema around them."""

# What a mapping inside a body may hold is read from its other fragments as they are.
_CONDITIONS: Final = frozenset({"if", "then", "else", "dependentSchemas"})
# A property with one of these says itself which values it takes.
_SAY_ENOUGH = frozenset(
    {"type", "enum", "const", "allOf", "anyOf", "oneOf", "properties", "items", "prefixItems"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)


def fragments(schema: Schema, *, always: bool = True) -> Iterator[tuple[Schema, bool]]:
    """Return `schema` and all its fragments, each with whether it always holds."""
    yield schema, always
    parts: list[tuple[JsonValue, bool]] = [(schema.get(word), False) for word in ("if", "then", "else")]
    parts += [(part, False) for part in mapping(schema.get("dependentSchemas")).values()]
    for word in ("allOf", "anyOf", "oneOf"):
        listed = schema.get(word)
        parts += [(part, always and word == "allOf") for part in (listed if isinstance(listed, list) else ())]
    for part, holds in parts:
        if isinstance(part, dict):
            yield from fragments(part, always=holds)


def described(schema: Schema) -> set[str]:
    """Return the names of the properties that `schema` or one of its fragments describes."""
    return {name for part, _ in fragments(schema) for name in mapping(part.get("properties"))}


def with_fragments(schema: Schema) -> Schema:
    """Return `schema` with the inputs that only its fragments describe, and with what these always require.

    What a fragment says under a condition is added as one of several forms, of which the last allows everything.
    Where `schema` limits names that it does not describe itself, nothing is added.
    """
    return each_subschema(_gathered(schema), _inside)


def _inside(part: JsonValue, label: str) -> JsonValue:
    if not isinstance(part, dict) or label.partition(".")[0] in FRAGMENTS:
        return part
    return each_subschema(part if _CONDITIONS.isdisjoint(part) else _gathered(part), _inside)


def _gathered(schema: Schema) -> Schema:
    if schema.get("additionalProperties", True) not in (True, {}):
        return schema
    properties = dict(mapping(schema.get("properties")))
    required: dict[str, None] = {}
    said: dict[str, list[tuple[JsonValue, bool]]] = {}
    for part, always in fragments(schema):
        if always and isinstance(listed := part.get("required"), list):
            required |= dict.fromkeys(map(str, listed))
        for name, prop in mapping(part.get("properties")).items() if part is not schema else ():
            said.setdefault(name, []).append((prop, always))
    for name, found in said.items():
        own = properties.get(name)
        if own is not False and _SAY_ENOUGH.isdisjoint(mapping(own)):
            properties[name] = _property(own, found)
    known: list[JsonValue] = [name for name in required if name in properties]
    added: Schema = {"properties": properties, "required": known}
    return {**schema, **{keyword: value for keyword, value in added.items() if value}}


def _property(own: JsonValue, said: list[tuple[JsonValue, bool]]) -> JsonValue:
    """Return the schema of an input of which `own` says too little, from what fragments say and whether always."""
    certain = [prop for prop, always in said if always]
    if own is None and len(certain) == 1:
        return certain[0]
    forms: list[JsonValue] = [*(prop for prop, _ in said), True]
    return {**_notes(forms), "anyOf": forms, **mapping(own)}


def _notes(forms: list[JsonValue]) -> Schema:
    words = ("description", "title")
    return {word: text for form in reversed(forms) for word, text in mapping(form).items() if word in words}
