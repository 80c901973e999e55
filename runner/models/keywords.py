"""Which JSON Schema keywords hold schemas, so that a walk never takes data or a name for one.

A property may be called `$ref` and an `enum` may hold an object with a `pattern`; only this table tells
them from keywords. In: one schema. Out: the same with each sub-schema replaced. It knows no model.
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
"""Takes a sub-schema and the label of its place (`properties.seed`); returns its replacement."""


def each_subschema(schema: Schema, change: Change) -> Schema:
    """Return `schema` with `change` applied to its direct sub-schemas; its other keywords stay as they are."""
    return {keyword: _changed(keyword, value, change) for keyword, value in schema.items()}


def _changed(keyword: str, value: JsonValue, change: Change) -> JsonValue:
    if keyword in NAMED and isinstance(value, dict):
        return {name: change(sub, f"{keyword}.{name}") for name, sub in value.items()}
    if keyword in LISTED and isinstance(value, list):
        return [change(sub, f"{keyword}.{index}") for index, sub in enumerate(value)]
    # Anything but a schema under these keywords is left for the check against the meta-schema.
    if keyword in SINGLE and isinstance(value, dict):
        return change(value, keyword)
    return value
