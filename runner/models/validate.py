"""Validates bodies with jsonschema, which only this module uses, and words its errors for users.

In: a strict schema, then JSON bodies. Out: `SchemaViolation`s with the path of the wrong value, what is allowed and the
nearest choice. Three keywords are replaced. `multipleOf` counts in decimal, so that 0.3 is a multiple of 0.1. `pattern`
is not tried on a text too long for it. `uniqueItems` compares no two items twice. It fetches nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from runner.models.regex_safety import longest_text
from runner.models.scalars import choices, plain_number, shown
from runner.models.schema_file import Schema, mapping, unusable
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.nearest_name import Speller

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

# In a body of known inputs these leave nothing to check but each input by itself.
_EACH_BY_ITSELF = frozenset({"type", "properties", "required", "additionalProperties"})
# These depend on which inputs the other keywords have seen, so that a body cannot be checked in parts.
_TOGETHER = frozenset({"patternProperties", "unevaluatedProperties"})
_LENGTHS, _VALUES = ("minLength", "maxLength"), ("minimum", "maximum")
_MESSAGES: Final = {
    "maxLength": "is {size} characters long; at most {limit} are allowed",
    "minLength": "is {size} characters long; at least {limit} are needed",
    "minimum": "{value} is less than {limit}",
    "exclusiveMinimum": "{value} is not more than {limit}",
    "maximum": "{value} is more than {limit}",
    "exclusiveMaximum": "{value} is not less than {limit}",
    "maxItems": "has {size} items; at most {limit} are allowed",
    "minItems": "has {size} items; at least {limit} are needed",
    "multipleOf": "{value} is not a multiple of {limit}",
    "type": "{value} is not of type {limit}",
    "uniqueItems": "has an item twice",
    "pattern": "{value} does not match {limit}",
    "too long": "is {size} characters long; at most {most} can be checked against {limit}",
}


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One rule of the schema that a body breaks; `rule` is the keyword, `path` leads to the value."""

    path: tuple[str | int, ...]
    rule: str
    message: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None


class BodyCheck:
    """A compiled schema.

    Raises:
        SchemaInvalid: it is not a valid JSON Schema; the message names `file`.
    """

    def __init__(self, schema: Schema, *, file: str) -> None:
        from jsonschema import SchemaError
        from referencing import Registry

        validator = _validator_class()
        try:
            validator.check_schema(schema)
        except SchemaError as error:
            where = ".".join(map(str, error.absolute_path)) or "the schema"
            raise unusable(file, f"{where}: {error.message}") from error
        # An empty registry cannot fetch anything; the default one would follow http references.
        self._validator: Validator = validator(schema, registry=Registry())
        self.speller = Speller()
        # jsonschema makes a validator at each step down, which takes longer than most checks. These are made once.
        properties = mapping(schema.get("properties")).items()
        self._inputs: dict[str, Validator] = {name: self._part(prop) for name, prop in properties}
        # Texts and seeds are nearly all that differs from take to take, and few of them have other rules than bounds.
        self._plain = {name: bounds for name, prop in properties if (bounds := _plain_bounds(prop))}
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
            found.append(_explained(error, self.speller))
            _release(error)
        return found

    def accepts(self, name: str, value: JsonValue) -> bool:
        """Return whether the schema has an input `name` that may be `value`."""
        if name in self._plain and isinstance(value, str | int):
            kind, least, most = self._plain[name]
            if type(value) is kind and least <= (len(value) if isinstance(value, str) else value) <= most:
                return True
        part = self._inputs.get(name)
        return part is not None and _is_valid(part, value)

    def _part(self, schema: JsonValue) -> Validator:
        part: Validator = self._validator.evolve(schema=schema)
        return part


def _plain_bounds(schema: JsonValue) -> tuple[type, float, float] | None:
    """Return the type of an input with no rule but bounds: `str` and its lengths, or `int` and its values."""
    if not isinstance(schema, dict):
        return None
    rules = schema.keys() & _validator_class().VALIDATORS.keys() - {"type", "format"}
    for word, kind, least, most in (("string", str, *_LENGTHS), ("integer", int, *_VALUES)):
        if schema.get("type") == word and rules <= {least, most}:
            # The bounds are numbers, or the schema would have been refused.
            low: Any = schema.get(least, -math.inf)
            high: Any = schema.get(most, math.inf)
            return kind, low, high
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
    try:
        return Decimal(str(value)) % Decimal(str(step)) != 0
    except InvalidOperation:
        return True


def _is_unmatched(pattern: str, value: JsonValue) -> bool:
    return isinstance(value, str) and (len(value) > longest_text(pattern) or not re.search(pattern, value))


def _repeats(wanted: JsonValue, value: JsonValue) -> bool:
    # jsonschema compares each item with every other one. In JSON Schema 1.0 is 1, and true is not.
    if not wanted or not isinstance(value, list):
        return False
    whole = json.loads(canonical_json(value), parse_float=lambda text: plain_number(float(text)))
    return len(set(map(canonical_json, whole))) < len(value)


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


def _explained(error: ValidationError, speller: Speller) -> SchemaViolation:
    from jsonschema.exceptions import best_match

    path, rule = tuple(error.absolute_path), str(error.validator)
    value: Any = error.instance
    limit: Any = error.validator_value
    match rule:
        case "enum" | "const":
            values = limit if rule == "enum" else [limit]
            message = f"{shown(value)} is not an allowed value"
            return SchemaViolation(path, rule, message, choices(values), _nearest(value, values, speller))
        case "required":
            # jsonschema reports one error per missing name, and only its message says which.
            name = next((n for n in limit if error.message.startswith(repr(n))), "")
            return SchemaViolation((*path, name), rule, "missing, and the model requires it")
        case "anyOf" | "oneOf" if error.context:
            # None of several forms fits, and the error of the nearest one explains why.
            best = best_match([error])
            if best is None or best is error:
                return SchemaViolation(path, rule, f"{shown(value)} fits none of the allowed forms")
            return replace(_explained(best, speller), rule=rule)
    return SchemaViolation(path, rule, _message(rule, value, limit) or shown(error.message))


def _message(rule: str, value: Any, limit: Any) -> str:  # noqa: ANN401 - any JSON value under any keyword
    most = longest_text(limit) if rule == "pattern" else 0
    size = len(value) if isinstance(value, str | list) else 0
    if rule == "pattern":
        limit = shown(limit)
    elif rule == "type" and not isinstance(limit, str):
        limit = " or ".join(limit)
    form = _MESSAGES.get("too long" if rule == "pattern" and size > most else rule, "")
    return form.format(value=shown(value), limit=limit, size=size, most=most)


def _nearest(value: JsonValue, values: list[JsonValue], speller: Speller) -> str | None:
    if not isinstance(value, str):
        return None
    # 480p and 1080p look alike, but one is not a typing error for the other; pam and pan may be.
    likeness = 0.75 if any(char.isdigit() for char in value) else 0.6
    return speller.nearest(value, [v for v in values if isinstance(v, str)], likeness=likeness)
