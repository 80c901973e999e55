"""Gathers what the fragments of an object's schema describe: its `allOf`, `anyOf`, `oneOf`, `if`, `then` and the like.

In: a schema without references. Out: the same object with every input that any fragment describes. It decides on no
value: a rule of a fragment stays where it is, and only the validator knows whether it holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue

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
    if schema.get("additionalProperties", True) not in (True, {}):
        return schema
    own = mapping(schema.get("properties"))
    certain: dict[str, list[JsonValue]] = {}
    others: dict[str, list[JsonValue]] = {}
    required: dict[str, None] = {}
    for part, always in fragments(schema):
        if always and isinstance(listed := part.get("required"), list):
            required |= dict.fromkeys(map(str, listed))
        if part is not schema:
            for name, prop in mapping(part.get("properties")).items():
                (certain if always else others).setdefault(name, []).append(prop)
    properties = dict(own)
    for name in {**certain, **others}:
        given, found = mapping(own.get(name)), certain.get(name, [])
        if own.get(name) is False or not _SAY_ENOUGH.isdisjoint(given):
            continue
        if name not in own and len(found) == 1:
            properties[name] = found[0]
        else:
            forms: list[JsonValue] = [*found, *others.get(name, []), True]
            properties[name] = {**_notes(forms), "anyOf": forms, **given}
    whole = {**schema, "properties": properties} if properties or "properties" in schema else schema
    known: list[JsonValue] = [name for name in required if name in properties]
    return {**whole, "required": known} if known else whole


def _notes(forms: list[JsonValue]) -> Schema:
    words = ("description", "title")
    return {word: text for form in reversed(forms) for word, text in mapping(form).items() if word in words}
