"""Lists the JSON Schema keywords that hold schemas, so that a walk never mistakes data or a name for a schema.

A property may be called `$ref` and an `enum` may hold an object with a `pattern`; only this table distinguishes these
from keywords. In: one schema. Out: the same with each sub-schema replaced. It knows no model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from runner.system.canonical_json import JsonValue

Schema: TypeAlias = "dict[str, JsonValue]"

NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
SINGLE = frozenset(
    {
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)

Change: TypeAlias = Callable[[JsonValue, str], JsonValue]
"""A function that takes a sub-schema and the label of its place (`properties.seed`), and returns its replacement."""


def each_subschema(schema: Schema, change: Change) -> Schema:
    """Return `schema` with `change` applied to its direct sub-schemas; its other keywords stay as they are."""
    return {keyword: _changed(keyword, value, change) for keyword, value in schema.items()}


def _changed(keyword: str, value: JsonValue, change: Change) -> JsonValue:
    if keyword in NAMED and isinstance(value, dict):
        return {name: change(sub, f"{keyword}.{name}") for name, sub in value.items()}
    if keyword in LISTED and isinstance(value, list):
        return [change(sub, f"{keyword}.{index}") for index, sub in enumerate(value)]
    # The check against the meta-schema reports anything but a schema under these keywords.
    if keyword in SINGLE and isinstance(value, dict):
        return change(value, keyword)
    return value
