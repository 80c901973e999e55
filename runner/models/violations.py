"""Words the errors of jsonschema for users.

In: an error about a body. Out: `SchemaViolation`s with the path of the wrong value, what is allowed and the nearest
choice. Where none of several forms fits, they are about the form that was meant. It validates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from runner.models.regex_safety import longest_text
from runner.models.scalars import choices, ratio_of_time, same_number, shown
from runner.models.schema_file import mapping
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.nearest_name import Speller

if TYPE_CHECKING:
    from jsonschema import ValidationError

_DIGITS = re.compile(r"[0-9]+")
_CHOICES = ("enum", "const")
_MESSAGES: Final = {
    "maxLength": "is {size} characters long; at most {limit} are allowed",
    "minLength": "is {size} characters long; at least {limit} are needed",
    "minimum": "{value} is less than {limit}",
    "exclusiveMinimum": "{value} is not more than {limit}",
    "maximum": "{value} is more than {limit}",
    "exclusiveMaximum": "{value} is not less than {limit}",
    "maxProperties": "has {size} fields; at most {limit} are allowed",
    "minProperties": "has {size} fields; at least {limit} are needed",
    "maxItems": "has {size} items; at most {limit} are allowed",
    "minItems": "has {size} items; at least {limit} are needed",
    "multipleOf": "{value} is not a multiple of {limit}",
    "type": "{value} is not of type {limit}",
    "uniqueItems": "has an item twice",
    "pattern": "{value} does not match {limit}",
    "contains": "has no item of the kind that the model needs",
    "minContains": "has too few items of the kind that the model needs; at least {limit} are needed",
    "maxContains": "has too many items of one kind; at most {limit} are allowed",
    "not": "{value} is what the model excludes here",
    "unevaluatedProperties": "has a field that its form does not describe",
    "None": "is not allowed here",
    "too long": "is {size} characters long; at most {most} can be checked against {limit}",
}


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One rule of the schema that a body breaks; `rule` is the keyword, `path` leads to the value.

    `about_all` says that other inputs decide as well whether the rule is broken.
    """

    path: tuple[str | int, ...]
    rule: str
    message: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None
    about_all: bool = False


def violations(error: ValidationError, speller: Speller) -> list[SchemaViolation]:
    """Return what an error of jsonschema means to the person who wrote the value."""
    found = _worded(error, speller)
    if "propertyNames" not in error.absolute_schema_path:
        return found
    name: Any = error.instance
    own = shown(name)
    told = (f"the name {own} {each.message.removeprefix(own).lstrip()}" for each in found)
    return [replace(each, message=message) for each, message in zip(found, told, strict=True)]


def _worded(error: ValidationError, speller: Speller) -> list[SchemaViolation]:
    path, rule = tuple(error.absolute_path), str(error.validator)
    value: Any = error.instance
    limit: Any = error.validator_value
    match rule:
        case "enum" | "const":
            return [_not_allowed(path, rule, value, limit if rule == "enum" else [limit], speller)]
        case "required":
            # jsonschema reports one error per missing name, and only its message says which.
            name = next((n for n in limit if error.message.startswith(repr(n))), "")
            return [SchemaViolation((*path, name), rule, "missing, and the model requires it")]
        case "dependentRequired":
            pairs = ((beside, name) for beside, names in limit.items() for name in names)
            beside, name = next(p for p in pairs if error.message == f"{p[1]!r} is a dependency of {p[0]!r}")
            message = f"missing, and the model requires it with {shown(beside)}"
            return [SchemaViolation((*path, name), "required", message)]
        case "additionalProperties" if limit is False:
            schema: Any = error.schema
            others = [name for name in value if name not in mapping(schema.get("properties"))]
            patterns = "|".join(mapping(schema.get("patternProperties")))
            extra = [name for name in others if not patterns or not re.search(patterns, name)]
            return [SchemaViolation((*path, name), rule, "is not allowed here") for name in extra]
        case "not" if isinstance(limit, dict) and limit.keys() == {"required"}:
            names, together = limit["required"], " together" if len(limit["required"]) > 1 else " here"
            message = f"{' and '.join(map(shown, names))} may not be given{together}"
            return [SchemaViolation(path, rule, message)]
        case "not" if limit == {}:
            return [SchemaViolation(path, rule, "is not taken beside the other values here; leave it out")]
        case "not" if isinstance(value, dict):
            return [SchemaViolation(path, rule, "the model does not take these values together")]
        case "items" if isinstance(value, list):
            most = len(error.schema.get("prefixItems", ())) if isinstance(error.schema, dict) else 0
            message = f"has {len(value)} items; at most {most} are allowed"
            return [SchemaViolation(path, rule, message)]
        case "anyOf" | "oneOf":
            return _of_forms(error, speller)
    return [SchemaViolation(path, rule, _message(rule, value, limit) or shown(error.message))]


def _not_allowed(
    path: tuple[str | int, ...], rule: str, value: JsonValue, values: list[JsonValue], speller: Speller
) -> SchemaViolation:
    message = f"{shown(value)} is not an allowed value"
    ratio = ratio_of_time(value) if isinstance(value, str) else None
    if ratio in values:
        message += "; a spreadsheet made a time of it, so format the column as text"
        return SchemaViolation(path, rule, message, choices(values), ratio)
    return SchemaViolation(path, rule, message, choices(values), _nearest(value, values, speller))


def _of_forms(error: ValidationError, speller: Speller) -> list[SchemaViolation]:
    """Return what is wrong with a value in the form that was meant, or in all forms that may have been."""
    path, rule = tuple(error.absolute_path), str(error.validator)
    value: Any = error.instance
    if not error.context:
        message = f"{shown(value)} fits several forms, and the model wants exactly one"
        if names := _required_alone(error.validator_value):
            message = f"give only one of these: {', or '.join(names)}"
        return [SchemaViolation(path, rule, message)]
    forms = _forms_meant(error.context)
    if len(forms) == 1:
        return [each for inner in forms[0] for each in _worded(inner, speller)]
    if wrong := set.intersection(*map(_wrong_choices, forms)):
        return [_not_listed(forms, each, speller) for each in sorted(wrong, key=str)]
    if all(inner.validator == "required" and not inner.relative_path for form in forms for inner in form):
        ways = [" and ".join(shown(_worded(each, speller)[0].path[-1]) for each in form) for form in forms]
        return [SchemaViolation(path, rule, f"needs one of these: {', or '.join(dict.fromkeys(ways))}")]
    return [_of_nearest_form(error, forms, speller)]


def _required_alone(forms: Any) -> list[str]:  # noqa: ANN401 - the value of a keyword
    """Return what each form requires, in words; nothing if a form has another rule."""
    is_plain = all(isinstance(form, dict) and form.keys() == {"required"} for form in forms)
    return [" and ".join(map(shown, form["required"])) for form in forms] if is_plain else []


def _forms_meant(errors: Sequence[ValidationError]) -> list[list[ValidationError]]:
    """Return the errors of each form that may have been meant.

    A value has the type of its form, and every word inside it by which the forms differ.
    """
    by_form: dict[str | int, list[ValidationError]] = {}
    for error in errors:
        by_form.setdefault(error.relative_schema_path[0], []).append(error)
    forms = list(by_form.values())
    of_its_type = [
        form for form in forms if not any(e.validator == "type" and not e.relative_path for e in form)
    ]
    forms = of_its_type or forms
    wrong = [_wrong_choices(error for error in form if error.relative_path) for form in forms]
    shared = set.intersection(*wrong)
    return [form for form, paths in zip(forms, wrong, strict=True) if paths == shared] or forms


def _wrong_choices(errors: Iterable[ValidationError]) -> set[tuple[str | int, ...]]:
    return {tuple(error.absolute_path) for error in errors if error.validator in _CHOICES}


def _not_listed(
    forms: list[list[ValidationError]], path: tuple[str | int, ...], speller: Speller
) -> SchemaViolation:
    """Return the violation of the value at `path`, with the values that any of the forms lists for it."""
    found = [e for form in forms for e in form if e.validator in _CHOICES and tuple(e.absolute_path) == path]
    value: Any = found[0].instance
    limits: list[Any] = [e.validator_value if e.validator == "enum" else [e.validator_value] for e in found]
    values = {canonical_json(each): each for limit in limits for each in limit}
    listed = _not_allowed(path, "enum", value, list(values.values()), speller)
    # The page of a model may show the title of a value instead.
    schemas: list[Any] = [e.schema for e in found]
    titled = next((each["const"] for each in schemas if each.get("title") == value and "const" in each), None)
    return listed if titled is None else replace(listed, nearest=shown(titled))


def _of_nearest_form(
    error: ValidationError, forms: list[list[ValidationError]], speller: Speller
) -> SchemaViolation:
    """Return the violation of the form that is nearest, with the values that another form lists."""
    from jsonschema.exceptions import best_match

    path = tuple(error.absolute_path)
    others = [form for form in forms if path not in _wrong_choices(form)]
    if len(others) < len(forms):
        listed = _not_listed(forms, path, speller)
        return replace(_worded(others[0][0], speller)[0], allowed=listed.allowed, nearest=listed.nearest)
    best = best_match([error])
    if best is None or best is error:
        value: Any = error.instance
        message = f"{shown(value)} fits none of the allowed forms"
        return SchemaViolation(path, str(error.validator), message)
    return _worded(best, speller)[0]


def _message(rule: str, value: Any, limit: Any) -> str:  # noqa: ANN401 - any JSON value under any keyword
    most = longest_text(limit) if rule == "pattern" else 0
    size = len(value) if isinstance(value, str | list | dict) else 0
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
    words = [v for v in values if isinstance(v, str)]
    if same := same_number(value, words):
        return same
    found = speller.nearest(value, words, likeness=likeness)
    # Where all letters are right, another number is another value and not a misspelling.
    return None if found and _DIGITS.sub("", found) == _DIGITS.sub("", value) else found
