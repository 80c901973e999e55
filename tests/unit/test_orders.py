"""Orders as JSON: each comes back as it was, and no other text is one."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runner.domain.errors import UsageError
from runner.domain.orders import (
    VERBS,
    CancelTakes,
    Order,
    Pause,
    Reload,
    Resume,
    Tune,
    order_as_json,
    order_from_json,
)
from runner.domain.rates import Rate
from runner.system.canonical_json import JsonValue

AMOUNT = some.none() | some.floats(0.01, 1e9)
MODEL = some.text(max_size=20)
RATE = some.builds(Rate, some.integers(1, 999_999), some.sampled_from(["s", "min", "h"]))
TUNE = some.builds(
    Tune,
    jobs=some.none() | some.integers(1, 1000),
    max_cost=AMOUNT,
    warn_cost=AMOUNT,
    max_submits=some.none() | some.integers(1),
    rates=some.dictionaries(MODEL, some.none() | RATE, max_size=3),
    model_jobs=some.dictionaries(MODEL, some.none() | some.integers(1, 1000), max_size=3),
)
ORDER: some.SearchStrategy[Order] = some.one_of(
    some.just(Pause()),
    some.just(Resume()),
    TUNE,
    some.builds(CancelTakes, some.lists(some.text()).map(tuple)),
    some.builds(
        Reload,
        some.from_regex("[0-9a-f]{64}", fullmatch=True),
        some.floats(0, 1e9),
        some.integers(0, 1000),
    ),
)
ANY_JSON: some.SearchStrategy[JsonValue] = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=10,
)


@given(ORDER)
def test_an_order_comes_back_from_json_as_it_was(order: Order) -> None:
    assert order_from_json(json.loads(json.dumps(order_as_json(order)))) == order


def test_every_kind_of_order_has_its_command() -> None:
    assert set(VERBS) == set(get_args(Order))


@given(ORDER, some.data())
def test_an_order_with_any_member_spoilt_is_an_order_or_is_refused(
    order: Order, data: some.DataObject
) -> None:
    value = order_as_json(order)
    name = data.draw(some.sampled_from(sorted(value)))
    try:
        found = order_from_json({**value, name: data.draw(ANY_JSON)})
    except UsageError:
        return
    assert order_from_json(json.loads(json.dumps(order_as_json(found)))) == found


@pytest.mark.parametrize("value", [None, [], {}, {"order": "pause", "now": 1}, {"order": "pay"}, "pause"])
def test_what_is_not_an_order_is_refused(value: JsonValue) -> None:
    with pytest.raises(UsageError, match="not an order"):
        order_from_json(value)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("model_jobs", 0),
        ("model_jobs", 1001),
        ("model_jobs", True),
        ("model_jobs", 2.0),
        ("rates", "1/s"),
        ("rates", 1),
    ],
)
def test_a_number_of_a_model_that_makes_no_sense_is_refused_by_the_name_of_its_field(
    name: str, number: object
) -> None:
    by_model: dict[str, Any] = {name: {"a/a": None, "b/b": number}}
    with pytest.raises(UsageError, match=f"^{name}: expected .* for each model"):
        Tune(**by_model)
