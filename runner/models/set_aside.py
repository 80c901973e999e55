"""Reports the rules of a schema that no request is checked against, and takes unusable patterns out.

In: a strict schema. Out: the same without these patterns, and a sentence for each rule. A schema without a pattern
allows more. So where allowing more could forbid something else, as under `not`, the whole schema is refused.
"""

from __future__ import annotations

from typing import Final

from runner.models.regex_safety import pattern_fault
from runner.models.resolve_refs import each_subschema
from runner.models.scalars import shown
from runner.models.schema_file import Schema, mapping, unusable
from runner.system.canonical_json import JsonValue

MOST_PATTERNS: Final = 200
_DECIDES_MORE: Final = ("contains", "if", "not", "oneOf")
_REST: Final = frozenset({"additionalProperties", "unevaluatedProperties"})


def without_unusable_patterns(schema: Schema, *, file: str) -> tuple[Schema, tuple[str, ...]]:
    """Return `schema` with patterns that can all be used, and a sentence for each that was left out.

    Raises:
        SchemaInvalid: a pattern that cannot be used decides more than whether its own text is valid, or there are
            more than `MOST_PATTERNS`, each of which takes time.
    """
    notes: list[str] = []
    seen: set[str] = set()

    def is_usable(pattern: JsonValue, where: str, *, decides_more: bool) -> bool:
        if not isinstance(pattern, str):
            return True
        seen.add(pattern)
        if len(seen) > MOST_PATTERNS:
            raise unusable(file, f"it has more than {MOST_PATTERNS} patterns")
        fault = pattern_fault(pattern)
        if fault and decides_more:
            raise unusable(file, f"{where}: {fault}: {shown(pattern)}")
        if fault:
            notes.append(f"{where}: nothing is checked against {shown(pattern)}: {fault}")
        return not fault

    def usable(part: JsonValue, where: str, *, decides_more: bool) -> JsonValue:
        if not isinstance(part, dict):
            return part
        kept, keyed = dict(part), mapping(part.get("patternProperties"))
        if not is_usable(part.get("pattern"), where, decides_more=decides_more):
            del kept["pattern"]
        if keyed:
            # A key that matches no pattern falls under these keywords.
            is_rest = decides_more or not _REST.isdisjoint(part)
            kept["patternProperties"] = {
                key: value for key, value in keyed.items() if is_usable(key, where, decides_more=is_rest)
            }
        return each_subschema(
            kept,
            lambda sub, label: usable(
                sub,
                f"{where}.{label}".removeprefix("input.properties."),
                decides_more=decides_more or label.partition(".")[0] in _DECIDES_MORE,
            ),
        )

    return mapping(usable(schema, "input", decides_more=False)), tuple(notes)


def undescribed(published: Schema, strict: Schema) -> tuple[str, ...]:
    """Return a sentence for each required input that the schema does not describe and no manifest can give."""
    listed, kept = published.get("required"), strict.get("required")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    lost = [name for name in names if not isinstance(kept, list) or name not in kept]
    return tuple(f"{shown(name)} is required and not described; requests go without it" for name in lost)
