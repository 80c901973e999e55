"""Validates bodies with jsonschema, which only this module uses, and words its errors for users.

In: a strict schema, then JSON bodies. Out: `SchemaViolation`s with the path of the wrong value, what is allowed and the
nearest choice. Three keywords are our own. `multipleOf` counts in decimal, so that 0.3 is a multiple of 0.1; `pattern`
is not tried on a text too long for it; `uniqueItems` compares no two items twice. It fetches nothing and knows no
position.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any

from runner.domain.errors import SchemaInvalid
from runner.models.display import choices, shown
from runner.models.keywords import Schema
from runner.models.regex_safety import longest_text
from runner.models.scalars import plain_number
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.nearest_name import Speller

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


_EACH_BY_ITSELF = frozenset({"type", "properties", "required", "additionalProperties"})
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One rule of the schema that a body breaks; `rule` is the keyword, `path` leads to the value."""

    path: tuple[str | int, ...]
    rule: str
    message: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None


class BodyCheck:
    """A compiled schema."""

    def __init__(self, validator: Validator, *, schema: Schema) -> None:
        self._validator = validator
        self.speller = Speller()
        # If no rule is about several inputs at once, a body is valid if each of its values is. A sweep of thousands
        # repeats nearly all of them, and none needs to be checked twice.
        properties = schema.get("properties")
        apart = schema.keys() & _validator_class().VALIDATORS.keys() <= _EACH_BY_ITSELF
        self._properties = properties if apart and isinstance(properties, dict) else {}
        required = schema.get("required")
        self._required = frozenset(map(str, required)) if isinstance(required, list) else frozenset()
        self._sound: set[tuple[str, type, object]] = set()

    def complaints(self, body: Mapping[str, JsonValue]) -> list[SchemaViolation]:
        """Return everything that is wrong with `body`, in the order of its schema."""
        if (
            self._properties
            and self._required <= body.keys()
            and all(self._is_sound(*each) for each in body.items())
        ):
            return []
        found = []
        for error in self._validator.iter_errors(body):
            found.append(_explained(error, self.speller))
            _release(error)
        return found

    def accepts(self, value: JsonValue, *, schema: Schema) -> bool:
        """Return whether `value` is valid under a part of the schema."""
        error = next(self._validator.evolve(schema=schema).iter_errors(value), None)
        if error is not None:
            _release(error)
        return error is None

    def _is_sound(self, name: str, value: JsonValue) -> bool:
        schema = self._properties.get(name)
        if not isinstance(schema, dict):
            return False
        key = name, type(value), canonical_json(value) if isinstance(value, list | dict) else value
        if key in self._sound:
            return True
        if not self.accepts(value, schema=schema):
            return False
        if len(self._sound) >= _MOST_KNOWN:
            self._sound.clear()
        self._sound.add(key)
        return True


def compile_schema(schema: Schema, *, file: str) -> BodyCheck:
    """Return a check for `schema`.

    Raises:
        SchemaInvalid: it is not a valid JSON Schema; the message names `file`.
    """
    from jsonschema import SchemaError
    from referencing import Registry

    validator = _validator_class()
    try:
        validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "the schema"
        raise SchemaInvalid(f"{file}: {where}: {error.message}", advice="fix or remove this file") from error
    # An empty registry cannot fetch anything; the default one would follow http references.
    return BodyCheck(validator(schema, registry=Registry()), schema=schema)


@cache
def _validator_class() -> Any:  # noqa: ANN401 - jsonschema makes its classes at run time
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    make: Any = extend
    return make(
        Draft202012Validator, {"multipleOf": _multiple_of, "pattern": _pattern, "uniqueItems": _unique}
    )


def _multiple_of(_: Validator, step: float, value: JsonValue, __: Schema) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    try:
        whole = Decimal(str(value)) % Decimal(str(step)) == 0
    except InvalidOperation:
        whole = False
    if not whole:
        yield ValidationError(f"{value} is not a multiple of {step}")


def _pattern(_: Validator, pattern: str, value: JsonValue, __: Schema) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(value, str) and (len(value) > longest_text(pattern) or not re.search(pattern, value)):
        yield ValidationError(f"does not match {pattern}")


def _unique(_: Validator, wanted: bool, value: JsonValue, __: Schema) -> Iterator[ValidationError]:  # noqa: FBT001 - jsonschema's order
    from jsonschema import ValidationError

    # jsonschema compares each item with every other one. In JSON Schema 1.0 is 1, and true is not.
    if (
        wanted
        and isinstance(value, list)
        and len({canonical_json(_whole(item)) for item in value}) < len(value)
    ):
        yield ValidationError("has an item twice")


def _whole(value: JsonValue) -> JsonValue:
    match value:
        case float():
            return plain_number(value)
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case _:
            return value


def _release(error: ValidationError) -> None:
    """Break the reference cycles of an error, which would stay in memory while the garbage collector is off."""
    inner = list(error.context or ())
    while inner:
        each = inner.pop()
        each.parent = None
        inner.extend(each.context or ())


def _explained(error: ValidationError, speller: Speller) -> SchemaViolation:
    path, rule = tuple(error.absolute_path), str(error.validator)
    value: Any = error.instance
    limit: Any = error.validator_value
    match rule:
        case "enum" | "const":
            values = limit if rule == "enum" else [limit]
            return SchemaViolation(
                path, rule, f"{shown(value)} is not an allowed value", *_near(value, values, speller)
            )
        case "required":
            # jsonschema reports one error per missing name, and only its message says which.
            name = next((n for n in limit if error.message.startswith(repr(n))), "")
            return SchemaViolation((*path, name), rule, "missing, and the model requires it")
        case "anyOf" | "oneOf" if error.context:
            return _of_best_form(error, path, rule, speller)
        case _:
            return SchemaViolation(path, rule, _message(rule, value, limit) or shown(error.message))


def _of_best_form(
    error: ValidationError, path: tuple[str | int, ...], rule: str, speller: Speller
) -> SchemaViolation:
    """Explain why none of several forms fits, by the error of the nearest one."""
    from jsonschema.exceptions import best_match

    best = best_match([error])
    if best is None or best is error:
        value: Any = error.instance
        return SchemaViolation(path, rule, f"{shown(value)} fits none of the allowed forms")
    inner = _explained(best, speller)
    return SchemaViolation(inner.path, rule, inner.message, inner.allowed, inner.nearest)


def _near(
    value: JsonValue, values: Iterable[JsonValue], speller: Speller
) -> tuple[tuple[str, ...], str | None]:
    allowed = list(values)
    words = [v for v in allowed if isinstance(v, str)]
    nearest = speller.nearest(value, words, likeness=_likeness(value)) if isinstance(value, str) else None
    return choices(allowed), nearest


def _message(rule: str, value: Any, limit: Any) -> str | None:  # noqa: ANN401 - any JSON value under any keyword
    match rule:
        case "maxLength":
            return f"is {len(value)} characters long; at most {limit} are allowed"
        case "minLength":
            return f"is {len(value)} characters long; at least {limit} are needed"
        case "minimum":
            return f"{shown(value)} is less than {limit}"
        case "exclusiveMinimum":
            return f"{shown(value)} is not more than {limit}"
        case "maximum":
            return f"{shown(value)} is more than {limit}"
        case "exclusiveMaximum":
            return f"{shown(value)} is not less than {limit}"
        case "maxItems":
            return f"has {len(value)} items; at most {limit} are allowed"
        case "minItems":
            return f"has {len(value)} items; at least {limit} are needed"
        case "type":
            return f"{shown(value)} is not of type {limit if isinstance(limit, str) else ' or '.join(limit)}"
        case "pattern" if len(value) > (most := longest_text(limit)):
            return f"is {len(value)} characters long; at most {most} can be checked against {shown(limit)}"
        case "uniqueItems":
            return "has an item twice"
        case "pattern":
            return f"{shown(value)} does not match {shown(limit)}"
        case _:
            return None


def _likeness(value: str) -> float:
    # 480p and 1080p look alike, but one is not a typing error for the other; pam and pan may be.
    return 0.75 if any(char.isdigit() for char in value) else 0.6
