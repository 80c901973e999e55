"""Makes a provider's loose schema strict: one dialect, valid defaults, no private keywords.

Providers publish schemas that look like JSON Schema and are not: `"type": "float"`, an integer whose default is null,
`required` with a field that does not exist, numbers written as text in an enum. In: a schema without references. Out:
JSON Schema 2020-12, with a note for everything that was changed, and the private `validations` set aside.
Unknown `format`s stay and are not enforced. It knows no file.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from runner.models.inputs import declared_kinds, kind_of
from runner.models.resolve_refs import each_subschema
from runner.models.scalars import READERS, ParseError, plain_number
from runner.models.schema_file import Schema
from runner.system.canonical_json import JsonValue

_STANDARD = ("array", "boolean", "integer", "null", "number", "object", "string")
_TYPES = {
    **dict(zip(_STANDARD, _STANDARD, strict=True)),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("decimal", "double", "float"), "number"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("dict", "map"), "object"),
    "bool": "boolean",
    "list": "array",
    "none": "null",
}
# These keywords may hold null as a value; anywhere else null means that the provider has no such rule.
_MAY_BE_NULL = frozenset({"const", "default"})


@dataclass(slots=True)
class Normalised:
    """A strict schema, what was changed to make it so, and private rules by their original place."""

    schema: Schema = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    validations: dict[str, JsonValue] = field(default_factory=dict)


def normalise(schema: Schema) -> Normalised:
    """Return `schema` made strict; it is not changed itself."""
    result = Normalised()
    result.schema = _strict(schema, "input", result)
    return result


def _strict(loose: Schema, where: str, result: Normalised) -> Schema:
    def inner(sub: JsonValue, label: str) -> JsonValue:
        name = label.rpartition(".")[2]
        return _strict(sub, f"{where}.{name}", result) if isinstance(sub, dict) else sub

    part = _Part(dict(loose), where, result.notes)
    part.drop_nulls()
    if "validations" in part.schema:
        result.validations[where] = part.schema.pop("validations")
    part.read_types()
    part.read_flags()
    part.read_choices()
    part.read_default()
    part.read_required()
    return each_subschema(part.schema, inner)


@dataclass(slots=True)
class _Part:
    """One schema, which its methods change, apart from those inside it; `where` is its place for the notes."""

    schema: Schema
    where: str
    notes: list[str]

    def note(self, change: str) -> None:
        self.notes.append(f"{self.where}: {change}")

    def drop_nulls(self) -> None:
        for keyword in [k for k, v in self.schema.items() if v is None and k not in _MAY_BE_NULL]:
            self.note(f"{keyword} is null and was dropped")
            del self.schema[keyword]

    def read_types(self) -> None:
        if "type" not in self.schema:
            return
        declared = self.schema.pop("type")
        known = [
            self._standard_type(word) for word in (declared if isinstance(declared, list) else [declared])
        ]
        if self.schema.pop("nullable", None) is True:
            known.append("null")
            self.note("nullable read as one more type")
        types: list[JsonValue] = [word for word in dict.fromkeys(known) if word]
        if types and None not in known:
            self.schema = {"type": types[0] if len(types) == 1 else types, **self.schema}

    def _standard_type(self, word: JsonValue) -> str | None:
        standard = _TYPES.get(str(word).lower())
        if standard != word:
            self.note(f"type {word} read as {standard or 'any type'}")
        return standard

    def read_flags(self) -> None:
        """Read draft-04's `exclusiveMinimum: true` beside a `minimum` as today's number."""
        for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(flag := self.schema.get(exclusive), bool):
                self.note(f"{exclusive} is a flag and was read with {plain}")
                del self.schema[exclusive]
                if flag and plain in self.schema:
                    self.schema[exclusive] = self.schema.pop(plain)

    def read_choices(self) -> None:
        values, kinds = self.schema.get("enum"), declared_kinds(self.schema)
        if not isinstance(values, list):
            return
        typed = [_coerced(v, kinds) for v in values if v is not None or "null" in kinds or not kinds]
        if typed != values:
            self.note(f"allowed values read as {' or '.join(kinds)}")
        self.schema["enum"] = typed
        if not typed:
            self.note("an empty list of allowed values was dropped")
            del self.schema["enum"]

    def read_default(self) -> None:
        if "default" not in self.schema:
            return
        kinds, given = declared_kinds(self.schema), self.schema["default"]
        value = self.schema["default"] = _coerced(given, kinds)
        # Providers write null if there is no default; `seed: null` would decide nothing.
        if value is None or (kinds and not _fits(value, kinds)):
            self.note("the default does not fit the type and was dropped")
            del self.schema["default"]
        elif type(value) is not type(given):
            self.note(f"the default {given!r} read as {value!r}")

    def read_required(self) -> None:
        properties, listed = self.schema.get("properties"), self.schema.get("required")
        if not isinstance(properties, dict):
            # Draft 3 wrote `required: true` inside the property, and the parent has already read it.
            if not isinstance(listed, list):
                self.schema.pop("required", None)
            return
        self.schema.pop("required", None)
        flagged = [n for n, p in properties.items() if isinstance(p, dict) and p.get("required") is True]
        names = dict.fromkeys(map(str, [*(listed if isinstance(listed, list) else ()), *flagged]))
        # A fragment (a `then`, an `allOf` part) may require what only its parent describes.
        whole = self.where == "input" or self.schema.get("type") == "object"
        for name in [name for name in names if whole and name not in properties]:
            self.note(f"required names {name}, which is not a property, and was ignored")
            del names[name]
        if names:
            self.schema["required"] = [*names]


def _coerced(value: JsonValue, kinds: Collection[str]) -> JsonValue:
    """Return `value` as the first of `kinds` that its text can mean, or as it is."""
    if isinstance(value, float):
        value = plain_number(value)
    if not kinds or _fits(value, kinds):
        return value
    if isinstance(value, str):
        read = (READERS[kind](value) for kind in kinds if kind in READERS)
        return next((one for one in read if not isinstance(one, ParseError)), value)
    return str(value) if kind_of(value) in {"integer", "number"} and "string" in kinds else value


def _fits(value: JsonValue, kinds: Collection[str]) -> bool:
    own = kind_of(value)
    return own in kinds or (own == "integer" and "number" in kinds)
