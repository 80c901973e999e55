"""Replaces every reference of a schema by its target, and refuses a schema that is unsafe to walk.

In: a schema as parsed. Out: the same without `$ref`, at most 64 levels deep and with at most 20,000 nodes. Only
references into the schema itself are followed, and nothing is fetched. Recursive schemas are refused, since a request
body is finite. A property may be called `$ref`, and an `enum` may hold an object with a `pattern`. Only the table of
keywords that hold schemas distinguishes these from keywords.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, TypeAlias

from runner.domain.errors import SchemaInvalid
from runner.models.regex_safety import pattern_fault
from runner.models.schema_file import Schema
from runner.system.canonical_json import JsonValue

DEEPEST: Final = 64
MOST_NODES: Final = 20_000
DIALECTS: Final = ("2020-12/schema", "2019-09/schema", "draft-07/schema", "draft-06/schema")

_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_DROPPED = frozenset({"$schema", "$id", "$anchor", "$comment", "$defs", "definitions"})
_NOTES = frozenset({"title", "description", "default", "examples", "deprecated"})

Change: TypeAlias = Callable[[JsonValue, str], JsonValue]
"""A function that takes a sub-schema and the label of its place (`properties.seed`), and returns its replacement."""


def each_subschema(schema: Schema, change: Change) -> Schema:
    """Return `schema` with `change` applied to its direct sub-schemas; its other keywords stay as they are."""
    return {keyword: _changed(keyword, value, change) for keyword, value in schema.items()}


def _changed(keyword: str, value: JsonValue, change: Change) -> JsonValue:
    if keyword in _NAMED and isinstance(value, dict):
        return {name: change(sub, f"{keyword}.{name}") for name, sub in value.items()}
    if keyword in _LISTED and isinstance(value, list):
        return [change(sub, f"{keyword}.{index}") for index, sub in enumerate(value)]
    # The check against the meta-schema reports anything but a schema under these keywords.
    return change(value, keyword) if keyword in _SINGLE and isinstance(value, dict) else value


def expand(schema: JsonValue, *, file: str) -> Schema:
    """Return `schema` with its references replaced.

    Raises:
        SchemaInvalid: a remote, recursive or broken reference, an unsafe pattern, an unknown `$schema`, or
            a schema that is too deep or too large. The message names `file`.
    """
    root = _Expansion(schema, file).schema(schema, "the schema", depth=0, open_refs=())
    if not isinstance(root, dict):
        raise SchemaInvalid(f"{file}: the schema is not an object")
    return root


class _Expansion:
    def __init__(self, root: JsonValue, file: str) -> None:
        self._root = root
        self._file = file
        self._nodes = 0

    def schema(self, node: JsonValue, where: str, *, depth: int, open_refs: tuple[str, ...]) -> bool | Schema:
        self._count(where, depth)
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self._refuse(where, "a schema must be an object")
        self._check_keywords(node, where)
        kept = {k: v for k, v in node.items() if k not in _DROPPED and k != "$ref"}
        inner = each_subschema(
            _modern_items(kept),
            lambda sub, label: self.schema(sub, f"{where}.{label}", depth=depth + 1, open_refs=open_refs),
        )
        for keyword, value in inner.items():
            if keyword not in _NAMED | _LISTED | _SINGLE:
                self._weigh(value, where, depth + 1)
        if "$ref" not in node:
            return inner
        return self._with_reference(node["$ref"], inner, where, depth, open_refs)

    def _with_reference(
        self, ref: JsonValue, beside: Schema, where: str, depth: int, open_refs: tuple[str, ...]
    ) -> bool | Schema:
        if not isinstance(ref, str) or not ref.startswith("#"):
            self._refuse(where, "a reference may only point into the schema itself (#/…)")
        if ref in open_refs or ref == "#":
            self._refuse(where, f"the reference {ref} leads back to itself")
        target = self.schema(self._resolve(ref, where), where, depth=depth + 1, open_refs=(*open_refs, ref))
        if isinstance(target, bool):
            return {**beside, "not": {}} if not target else beside
        clash = (target.keys() & beside.keys()) - _NOTES
        # A constraint beside a reference narrows it, so two of one kind must both hold.
        return {"allOf": [target, beside]} if clash else {**target, **beside}

    def _resolve(self, ref: str, where: str) -> JsonValue:
        node = self._root
        for part in ref[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            else:
                self._refuse(where, f"the reference {ref} points at nothing")
        return node

    def _check_keywords(self, node: Schema, where: str) -> None:
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in node:
                self._refuse(where, f"{keyword} is not supported")
        dialect = node.get("$schema")
        if dialect is not None and not str(dialect).rstrip("#").endswith(DIALECTS):
            self._refuse(where, f"unknown $schema {dialect!r}; write 2020-12")
        keyed = node.get("patternProperties")
        for pattern in (*(keyed if isinstance(keyed, dict) else ()), node.get("pattern")):
            if isinstance(pattern, str) and (fault := pattern_fault(pattern)):
                self._refuse(where, fault)

    def _weigh(self, value: JsonValue, where: str, depth: int) -> None:
        self._count(where, depth)
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                self._weigh(part, where, depth + 1)

    def _count(self, where: str, depth: int) -> None:
        self._nodes += 1
        if depth > DEEPEST:
            self._refuse(where[:200], f"the schema is more than {DEEPEST} levels deep")
        if self._nodes > MOST_NODES:
            self._refuse(where[:200], f"the schema unfolds to more than {MOST_NODES} nodes")

    def _refuse(self, where: str, reason: str) -> NoReturn:
        raise SchemaInvalid(f"{self._file}: {where}: {reason}", advice="fix or remove this schema file")


def _modern_items(schema: Schema) -> Schema:
    """Return `schema` with draft-07's list of `items` under its newer name."""
    items = schema.get("items")
    if not isinstance(items, list):
        return schema
    rest = {k: v for k, v in schema.items() if k not in {"items", "additionalItems"}}
    extra = {"items": schema["additionalItems"]} if "additionalItems" in schema else {}
    return {**rest, "prefixItems": items, **extra}
