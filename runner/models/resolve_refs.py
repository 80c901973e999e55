"""Replaces every reference of a schema by its target, and refuses a schema that is unsafe to walk.

In: a schema as parsed. Out: the same without `$ref`, at most 64 levels deep and with at most 20,000 nodes. Only
references into the schema itself are followed, and nothing is fetched. Recursive schemas are refused, since a request
body is finite. So is a keyword that limits bodies and is not supported. Rules of draft 3 to 7 get their newer names.
A property may be called `$ref`, and an `enum` may hold an object with a `pattern`. Only the table of keywords that hold
schemas distinguishes these from keywords.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from runner.domain.errors import SchemaInvalid
from runner.models.scalars import shown
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue

if TYPE_CHECKING:
    from referencing import Specification
    from referencing._core import Resolver

DEEPEST: Final = 64
MOST_NODES: Final = 20_000
OLD_DIALECTS: Final = ("draft-07/schema", "draft-06/schema", "draft-04/schema")
DIALECTS: Final = ("2020-12/schema", "2019-09/schema", *OLD_DIALECTS)

_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_DROPPED = frozenset({"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "dependencies"})
_NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "nullable", "readOnly"})
_LIMITS = frozenset({
    "const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "maxContains", "maximum", "maxItems",
    "maxLength", "maxProperties", "minContains", "minimum", "minItems", "minLength", "minProperties", "multipleOf",
    "pattern", "required", "type", "uniqueItems",
})  # fmt: skip
# What these allow depends on the keywords beside them, so that they may not come to stand beside others.
_BESIDE_OTHERS = _SINGLE | _LISTED | _NAMED | {"maxContains", "minContains"}
_UNSUPPORTED = frozenset({
    "$dynamicRef", "$recursiveRef", "disallow", "divisibleBy", "extends", "formatExclusiveMaximum",
    "formatExclusiveMinimum", "formatMaximum", "formatMinimum", "patternRequired", "propertyDependencies",
})  # fmt: skip
_SPELLINGS: Final = {word.lower(): word for word in _LIMITS | _SINGLE | _LISTED | _NAMED | {"$ref"}}

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
        SchemaInvalid: a remote, recursive or broken reference, a keyword that is not supported, an unknown `$schema`,
            or a schema that is too deep or too large. The message names `file`.
    """
    from referencing import Registry
    from referencing.jsonschema import DRAFT7, DRAFT202012

    dialect = str(mapping(schema).get("$schema")).rstrip("#")
    specification = DRAFT7 if dialect.endswith(OLD_DIALECTS) else DRAFT202012
    start: Any = mapping(schema)
    base = identity if isinstance(identity := start.get("$id"), str) else ""
    registry: Registry[Any] = Registry().with_resource(base, specification.create_resource(start))
    if _has_names(start):
        try:
            registry = registry.crawl()
        except (AttributeError, TypeError, ValueError) as error:
            raise SchemaInvalid(
                f"{file}: it has references by name, and an $id or $anchor is not usable"
            ) from error
    expansion = _Expansion(file, specification)
    root = expansion.schema(schema, _Place("the schema", registry.resolver(base), open_targets=(id(schema),)))
    if not isinstance(root, dict):
        raise SchemaInvalid(f"{file}: the schema is not an object")
    return root


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a sub-schema is: its address, how references at it are resolved, and which references led to it."""

    where: str
    resolver: Resolver[Any]
    depth: int = 0
    open_targets: tuple[int, ...] = ()

    def inside(self, label: str) -> _Place:
        return replace(self, where=f"{self.where}.{label}", depth=self.depth + 1)


@dataclass(slots=True)
class _Expansion:
    file: str
    specification: Specification[Any]
    nodes: int = 0

    def schema(self, node: JsonValue, at: _Place) -> bool | Schema:
        self._count(at.where, at.depth)
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self._refuse(at.where, "a schema must be an object")
        self._check_keywords(node, at.where)
        if "$id" in node:
            at = replace(at, resolver=at.resolver.in_subresource(self.specification.create_resource(node)))
        kept = {k: v for k, v in node.items() if k not in _DROPPED and k != "$ref"}
        if "$ref" in node and self.specification.name == "draft-07":
            # Before 2019 a reference was all of its schema; notes beside it are for people.
            kept = {k: v for k, v in kept.items() if k in _NOTES}
        modern = _modern_items(_modern_dependencies(_told_apart(kept), node.get("dependencies")))
        inner = each_subschema(modern, lambda sub, label: self.schema(sub, at.inside(label)))
        for keyword, value in inner.items():
            if keyword not in _NAMED | _LISTED | _SINGLE:
                self._weigh(value, at.where, at.depth + 1)
        if "$ref" in node:
            return self._with_target(node["$ref"], inner, at)
        parts = inner.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
            return _both(parts[0], {keyword: value for keyword, value in inner.items() if keyword != "allOf"})
        return inner

    def _with_target(self, ref: JsonValue, beside: Schema, at: _Place) -> bool | Schema:
        node, resolver = self._resolve(ref, at)
        if id(node) in at.open_targets:
            self._refuse(
                at.where, f"the reference {ref} leads back to itself; a recursive schema is not supported"
            )
        opened = _Place(at.where, resolver, at.depth + 1, (*at.open_targets, id(node)))
        target = self.schema(node, opened)
        if isinstance(target, bool):
            return beside if target else {**beside, "not": {}}
        return _both(target, beside)

    def _resolve(self, ref: JsonValue, at: _Place) -> tuple[JsonValue, Resolver[Any]]:
        from referencing.exceptions import NoSuchAnchor, PointerToNowhere, Unresolvable

        if not isinstance(ref, str):
            self._refuse(at.where, "a reference must be a text")
        try:
            found = at.resolver.lookup(ref)
        except (NoSuchAnchor, PointerToNowhere):
            self._refuse(at.where, f"the reference {ref} points at nothing")
        # An `$id` on the way may be something else than an address.
        except (Unresolvable, AttributeError, TypeError, ValueError):
            self._refuse(at.where, f"the reference {ref} may only point into the schema itself (#/…)")
        return found.contents, found.resolver

    def _check_keywords(self, node: Schema, where: str) -> None:
        for keyword in node:
            plain = keyword.replace("_", "").lower()
            if keyword in _UNSUPPORTED:
                self._refuse(where, f"{keyword} is not supported")
            if _SPELLINGS.get(plain, keyword) != keyword:
                self._refuse(where, f"{shown(keyword)} is not a keyword; write {_SPELLINGS[plain]}")
        dialect = node.get("$schema")
        if dialect is not None and not str(dialect).rstrip("#").endswith(DIALECTS):
            self._refuse(where, f"unknown $schema {dialect!r}; write 2020-12")
        if not isinstance(node.get("$id", ""), str):
            self._refuse(where, "$id must be a text")
        if not isinstance(node.get("dependencies"), dict | None):
            self._refuse(where, "dependencies must be an object")

    def _weigh(self, value: JsonValue, where: str, depth: int) -> None:
        self._count(where, depth)
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                self._weigh(part, where, depth + 1)

    def _count(self, where: str, depth: int) -> None:
        self.nodes += 1
        if depth > DEEPEST:
            self._refuse(where[:200], f"the schema is more than {DEEPEST} levels deep")
        if self.nodes > MOST_NODES:
            self._refuse(where[:200], f"the schema unfolds to more than {MOST_NODES} nodes")

    def _refuse(self, where: str, reason: str) -> NoReturn:
        raise SchemaInvalid(f"{self.file}: {where}: {reason}", advice="fix or remove this schema file")


def _modern_items(schema: Schema) -> Schema:
    """Return `schema` with draft-07's list of `items` under its newer name."""
    items = schema.get("items")
    if not isinstance(items, list):
        return schema
    rest = {k: v for k, v in schema.items() if k not in {"items", "additionalItems"}}
    extra = {"items": schema["additionalItems"]} if "additionalItems" in schema else {}
    return {**rest, "prefixItems": items, **extra}


def _modern_dependencies(schema: Schema, dependencies: JsonValue) -> Schema:
    """Return `schema` with the `dependencies` of drafts 3 to 7 under their two newer names."""
    required, schemas = (
        dict(mapping(schema.get("dependentRequired"))),
        dict(mapping(schema.get("dependentSchemas"))),
    )
    for name, rule in mapping(dependencies).items():
        if isinstance(rule, str | list) and name not in required:
            required[name] = [rule] if isinstance(rule, str) else rule
        else:
            whole: JsonValue = {"required": rule} if isinstance(rule, str | list) else rule
            schemas[name] = {"allOf": [whole, schemas[name]]} if name in schemas else whole
    added = {"dependentRequired": required, "dependentSchemas": schemas}
    return {**schema, **{keyword: rules for keyword, rules in added.items() if rules}}


def _both(target: Schema, beside: Schema) -> Schema:
    """Return the schema of values that fit `target` and `beside`, in one piece if no rule depends on the others."""
    rules = beside.keys() - _NOTES
    if "type" in rules and beside["type"] == target.get("type"):
        rules -= {"type"}
    if target.keys().isdisjoint(rules) and _BESIDE_OTHERS.isdisjoint(rules):
        return {**target, **beside}
    also = beside.get("allOf")
    notes = {keyword: value for keyword, value in target.items() if keyword in _NOTES}
    return {**notes, **beside, "allOf": [target, *(also if isinstance(also, list) else ())]}


def _told_apart(schema: Schema) -> Schema:
    """Return `schema` such that each form allows only the words that OpenAPI's `discriminator` gives it."""
    discriminator = mapping(schema.get("discriminator"))
    name = discriminator.get("propertyName")
    words: dict[str, list[JsonValue]] = {}
    for word, target in mapping(discriminator.get("mapping")).items():
        words.setdefault(str(target).rpartition("/")[2], []).append(word)

    def form(part: JsonValue) -> JsonValue:
        own = words.get(str(mapping(part).get("$ref")).rpartition("/")[2])
        return {"allOf": [part, {"properties": {str(name): {"enum": [*own]}}}]} if own else part

    if not isinstance(name, str):
        return schema
    forms = {word: parts for word in ("anyOf", "oneOf") if isinstance(parts := schema.get(word), list)}
    return {**schema, **{word: list(map(form, parts)) for word, parts in forms.items()}}


def _has_names(schema: JsonValue) -> bool:
    """Return whether a reference leads to a name, and not along a path, so that all names must be collected."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            ref = node.get("$ref", "#/")
            if isinstance(ref, str) and not ref.startswith("#/"):
                return True
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return False
