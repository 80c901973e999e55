"""Reports the rules of a schema that no request is checked against, and takes unusable patterns out.

In: a strict schema. Out: one that allows more, without these patterns, and a sentence for each rule. Under `not` and
the like, a missing pattern would allow less. There the whole keyword goes, and of `oneOf` several forms may then fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runner.models.regex_safety import pattern_fault
from runner.models.resolve_refs import each_subschema
from runner.models.scalars import shown
from runner.models.schema_file import Schema, mapping, unusable
from runner.system.canonical_json import JsonValue

MOST_PATTERNS: Final = 200

_TURNED: Final = {
    "not": ("not",),
    "if": ("if", "then", "else"),
    "contains": ("contains", "minContains", "maxContains"),
}
"""The keywords that may forbid more when their schema allows more, each with those that depend on it."""

_REST: Final = ("additionalProperties", "unevaluatedProperties")


def without_unusable_patterns(schema: Schema, *, file: str) -> tuple[Schema, tuple[str, ...]]:
    """Return `schema` with patterns that can all be used, and a sentence for each that was left out.

    Raises:
        SchemaInvalid: there are more than `MOST_PATTERNS`, each of which takes time; or one cannot be used, and
            `unevaluatedItems` or `unevaluatedProperties` depend on all that a schema says.
    """
    patterns = dict.fromkeys(_patterns(schema))
    if len(patterns) > MOST_PATTERNS:
        raise unusable(file, f"it has more than {MOST_PATTERNS} patterns")
    faults = {pattern: fault for pattern in patterns if (fault := pattern_fault(pattern))}
    if not faults:
        return schema, ()
    if any(word in part for part in _parts(schema) for word in ("unevaluatedItems", "unevaluatedProperties")):
        [pattern, *_] = faults
        raise unusable(file, f"unevaluatedProperties cannot be decided: {faults[pattern]}: {shown(pattern)}")
    notes = (f"nothing is checked against {shown(pattern)}: {fault}" for pattern, fault in faults.items())
    return mapping(_without(schema, faults)), tuple(notes)


def _without(schema: JsonValue, faults: dict[str, str]) -> JsonValue:
    if not isinstance(schema, dict):
        return schema
    kept, keyed = dict(schema), mapping(schema.get("patternProperties"))
    dropped = [each for word, words in _TURNED.items() if _uses(schema.get(word), faults) for each in words]
    if schema.get("pattern") in faults:
        dropped.append("pattern")
    if not faults.keys().isdisjoint(keyed):
        kept["patternProperties"] = {key: part for key, part in keyed.items() if key not in faults}
        dropped += _REST
    for keyword in dropped:
        kept.pop(keyword, None)
    loose = each_subschema(kept, lambda part, _: _without(part, faults))
    if loose.get("oneOf") != schema.get("oneOf"):
        also = loose.get("allOf")
        loose["allOf"] = [*(also if isinstance(also, list) else ()), {"anyOf": loose.pop("oneOf")}]
    return loose


def _uses(schema: JsonValue, faults: dict[str, str]) -> bool:
    return isinstance(schema, dict) and any(pattern in faults for pattern in _patterns(schema))


def _patterns(schema: Schema) -> Iterator[str]:
    for part in _parts(schema):
        yield from mapping(part.get("patternProperties"))
        if isinstance(pattern := part.get("pattern"), str):
            yield pattern


def _parts(schema: Schema) -> Iterator[Schema]:
    """Yield `schema` and all schemas inside it."""
    yield schema
    inner: list[Schema] = []
    each_subschema(schema, lambda part, _: inner.append(part) if isinstance(part, dict) else part)
    for part in inner:
        yield from _parts(part)


def undescribed(published: Schema, strict: Schema) -> tuple[str, ...]:
    """Return a sentence for each required input that the schema does not describe and no manifest can give."""
    listed, kept = published.get("required"), strict.get("required")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    lost = [name for name in names if not isinstance(kept, list) or name not in kept]
    return tuple(f"{shown(name)} is required and not described; requests go without it" for name in lost)
