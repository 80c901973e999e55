"""Checks the fields of a class of options when one is made, so that a wrong value is named by its field.

In: a value with fields, and a rule for each. Out: nothing, or a `UsageError`. It knows no option.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from reprlib import repr as short_repr
from typing import Any

from runner.domain.errors import UsageError


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field may hold: `expected` is a phrase such as "a whole number from 1 to 8"."""

    expected: str
    fits: Callable[[Any], bool]


def whole(least: int, most: float = math.inf) -> Rule:
    """Return the rule for whole numbers from `least` to `most`; True is not a number."""
    return Rule(
        f"a whole number {_range(least, most)}",
        lambda given: _is(given, Integral) and least <= given <= most,
    )


def number(least: float = 0.0, most: float = math.inf) -> Rule:
    """Return the rule for numbers from `least` to `most`; neither nan nor infinity is one."""
    return Rule(
        f"a number {_range(least, most)}",
        lambda given: _is(given, Real) and math.isfinite(given) and least <= given <= most,
    )


def above_zero() -> Rule:
    """Return the rule for numbers above 0; neither nan nor infinity is one."""
    return Rule("a number above 0", lambda given: _is(given, Real) and 0 < given < math.inf)


def one(kind: type) -> Rule:
    """Return the rule for values of one class, such as `bool` or another class of options."""
    name = "True or False" if kind is bool else f"a value of the class {kind.__name__}"
    return Rule(name, lambda given: isinstance(given, kind))


def or_none(rule: Rule) -> Rule:
    """Return a rule that also lets None stand."""
    return Rule(f"{rule.expected}, or None", lambda given: given is None or rule.fits(given))


def by_model(rule: Rule) -> Rule:
    """Return the rule for mappings whose values, by model, each fit `rule`."""
    return Rule(
        f"{rule.expected} for each model",
        lambda given: isinstance(given, Mapping) and all(map(rule.fits, given.values())),
    )


def check_options(options: object, rules: Mapping[str, Rule]) -> None:
    """Check each field that has a rule.

    Raises:
        UsageError: the first field with a wrong value, with what was expected.
    """
    for name, rule in rules.items():
        if not rule.fits(given := getattr(options, name)):
            raise UsageError(f"{name}: expected {rule.expected}, not {short_repr(given)}")


def _range(least: float, most: float) -> str:
    return f"of {least:g} or more" if most == math.inf else f"from {least:g} to {most:g}"


def _is(given: object, kind: type) -> bool:
    return isinstance(given, kind) and not isinstance(given, bool)
