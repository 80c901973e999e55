"""Validates bodies with jsonschema.

In: a strict schema, then JSON bodies. Out: a `SchemaViolation` for each rule that a body breaks. Three keywords
are replaced. `multipleOf` counts in decimal, so that 0.3 is a multiple of 0.1. `pattern` is JavaScript's, and is not
tried on a text too long for it. `uniqueItems` compares no two items twice. It fetches nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from runner.models.ecma_patterns import python_pattern
from runner.models.regex_safety import longest_text
from runner.models.resolve_refs import each_subschema
from runner.models.scalars import plain_number
from runner.models.schema_file import Schema, mapping, unusable
from runner.models.violations import SchemaViolation, violations
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.nearest_name import Speller

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

# In a body of known inputs these leave nothing to check but each input by itself.
_EACH_BY_ITSELF = frozenset({"type", "properties", "required", "additionalProperties"})
# These depend on which inputs the other keywords have seen, so that a body cannot be checked in parts.
_TOGETHER = frozenset({"patternProperties", "unevaluatedProperties"})
_NAMED = ("properties", "patternProperties", "additionalProperties")
# What is further away is left to jsonschema.
_FURTHEST = 2**63
_LENGTHS, _VALUES = ("minLength", "maxLength"), ("minimum", "maximum")


class BodyCheck:
    """A compiled schema; `inputs` are its properties, with those that it describes under conditions.

    Raises:
        SchemaInvalid: it is not a valid JSON Schema; the message names `file`.
    """

    def __init__(self, schema: Schema, *, file: str, inputs: Mapping[str, JsonValue] | None = None) -> None:
        from jsonschema import SchemaError
        from referencing import Registry

        validator = _validator_class()
        try:
            # Python does not know each pattern of JavaScript, and would refuse it as a format.
            validator.check_schema(schema, format_checker=None)
        except SchemaError as error:
            where = ".".join(map(str, error.absolute_path)) or "the schema"
            raise unusable(file, f"{where}: {error.message}") from error
        # An empty registry cannot fetch anything; the default one would follow http references.
        schema = mapping(_for_jsonschema(schema))
        self._validator: Validator = validator(schema, registry=Registry())
        self.speller = Speller()
        # jsonschema makes a validator at each step down, which takes longer than most checks. These are made once.
        properties = mapping(schema.get("properties")) if inputs is None else inputs
        self._inputs: dict[str, Validator] = {
            name: self._part(_for_jsonschema(prop)) for name, prop in properties.items()
        }
        # Texts and seeds are nearly all that differs from take to take, and few of them have other rules than bounds.
        self._plain = {name: bounds for name, prop in properties.items() if (bounds := _plain_bounds(prop))}
        whole = {keyword: value for keyword, value in schema.items() if keyword not in _EACH_BY_ITSELF}
        self._whole = None if whole.keys().isdisjoint(validator.VALIDATORS) else self._part(whole)
        self._has_parts = _TOGETHER.isdisjoint(whole) and schema.get("type", "object") == "object"
        required = schema.get("required")
        self._required = frozenset(map(str, required)) if isinstance(required, list) else frozenset()

    def complaints(
        self, body: Mapping[str, JsonValue], *, valid: Collection[str] = ()
    ) -> list[SchemaViolation]:
        """Return everything that is wrong with `body`, in the order of its schema.

        `valid` are inputs that `accepts` would accept.
        """
        if self._has_parts and self._required <= body.keys():
            inputs = all(self.accepts(name, body[name]) for name in body.keys() - valid)
            if inputs and (self._whole is None or _is_valid(self._whole, body)):
                return []
        found = []
        for error in self._validator.iter_errors(body):
            about_all = _is_about_all(error)
            found += [replace(each, about_all=about_all) for each in violations(error, self.speller)]
            _release(error)
        return list(dict.fromkeys(found))

    def accepts(self, name: str, value: JsonValue) -> bool:
        """Return whether the schema has an input `name` that may be `value`."""
        if plain := self._plain.get(name):
            kind, sizes = plain
            if type(value) is kind and (len(value) if isinstance(value, str) else value) in sizes:
                return True
        part = self._inputs.get(name)
        return part is not None and _is_valid(part, value)

    def _part(self, schema: JsonValue) -> Validator:
        part: Validator = self._validator.evolve(schema=schema)
        return part


def _for_jsonschema(schema: JsonValue, _: str = "") -> JsonValue:
    """Return `schema` with the keys of `patternProperties` in Python's words, which jsonschema matches itself."""
    if not isinstance(schema, dict):
        # The error of a schema `false` would not say where it is.
        return {"not": {}} if schema is False else schema
    keyed: Schema = {}
    for pattern, part in mapping(schema.get("patternProperties")).items():
        key = python_pattern(pattern)
        # Several patterns may mean the same.
        while key in keyed:
            key = f"(?:{key})"
        keyed[key] = part
    return each_subschema({**schema, "patternProperties": keyed} if keyed else schema, _for_jsonschema)


def _plain_bounds(schema: JsonValue) -> tuple[type, range] | None:
    """Return the type of an input with no rule but bounds: `str` and its lengths, or `int` and its values."""
    if not isinstance(schema, dict):
        return None
    rules = schema.keys() & _validator_class().VALIDATORS.keys() - {"type", "format"}
    for word, kind, least, most in (("string", str, *_LENGTHS), ("integer", int, *_VALUES)):
        if schema.get("type") == word and rules <= {least, most}:
            # The bounds are numbers, or the schema would have been refused.
            low: Any = schema.get(least, -_FURTHEST)
            high: Any = schema.get(most, _FURTHEST)
            return kind, range(math.ceil(max(low, -_FURTHEST)), math.floor(min(high, _FURTHEST)) + 1)
    return None


@cache
def _validator_class() -> Any:  # noqa: ANN401 - jsonschema makes its classes at run time
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def keyword(is_broken: Callable[[Any, Any], bool]) -> Callable[..., Iterator[ValidationError]]:
        def errors(_: Validator, limit: object, value: object, __: Schema) -> Iterator[ValidationError]:
            if is_broken(limit, value):
                yield ValidationError("")

        return errors

    own: dict[str, Callable[..., bool]]
    own = {"multipleOf": _is_between_steps, "pattern": _is_unmatched, "uniqueItems": _repeats}
    make: Any = extend
    return make(Draft202012Validator, {name: keyword(is_broken) for name, is_broken in own.items()})


def _is_between_steps(step: float, value: JsonValue) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return Fraction(str(value)) % Fraction(str(step)) != 0


def _is_unmatched(pattern: str, value: JsonValue) -> bool:
    return isinstance(value, str) and (
        len(value) > longest_text(pattern) or not re.search(python_pattern(pattern), value)
    )


def _repeats(wanted: JsonValue, value: JsonValue) -> bool:
    # jsonschema compares each item with every other one. In JSON Schema 1.0 is 1, and true is not.
    if not wanted or not isinstance(value, list):
        return False
    whole = json.loads(canonical_json(value), parse_float=lambda text: plain_number(float(text)))
    return len(set(map(canonical_json, whole))) < len(value)


def _is_about_all(error: ValidationError) -> bool:
    """Return whether other inputs decide as well: what a schema says of one input alone is below a word of `_NAMED`."""
    steps = list(error.absolute_schema_path)
    while steps[:1] == ["allOf"]:
        del steps[:2]
    return not steps or steps[0] not in _NAMED


def _is_valid(validator: Validator, value: JsonValue | Mapping[str, JsonValue]) -> bool:
    error = next(validator.iter_errors(value), None)
    if error is not None:
        _release(error)
    return error is None


def _release(error: ValidationError) -> None:
    """Break the reference cycles of an error, which would stay in memory while the garbage collector is off."""
    for inner in error.context or ():
        inner.parent = None
        _release(inner)
