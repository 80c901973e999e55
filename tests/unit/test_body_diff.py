"""By what the record of a job tells that it is another job's, and what it may say without telling that."""

from __future__ import annotations

import json

import pytest

from runner.domain.body_diff import contradiction, other_job
from runner.system.canonical_json import JsonValue


@pytest.mark.parametrize(
    ("record", "other"),
    [
        ({}, ""),
        ({"request_id": "r1"}, ""),
        ({"request_id": "r1", "model_id": "another/name"}, ""),
        ({"request_id": None, "model_id": "m"}, ""),
        ({"model_id": 7}, ""),
        ({"request_id": "r2", "model_id": "m"}, "r2"),
        ({"request_id": 7}, "7"),
        ({"model_id": "another/model"}, "another/model"),
    ],
    ids=lambda value: json.dumps(value),
)
def test_a_record_is_anothers_by_its_id_or_without_one_by_its_model(
    record: dict[str, JsonValue], other: str
) -> None:
    assert other_job(record, request_id="r1", model="m") == other
    if "request_id" not in record:
        assert other_job(record, request_id="r1", model="") == ""
    if record.get("model_id") in {None, "m"}:
        assert other_job(record, request_id="", model="m") == ""


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (5, 5.0),
        (1, "1"),
        (0.5, " 0.50 "),
        (True, "true"),
        ("False", False),
        ("a cat ", "a cat"),
        (9007199254740993, 9007199254740992),
        (10**400, 10**400),
    ],
    ids=[
        "whole",
        "as text",
        "text with spaces",
        "a word",
        "a word sent",
        "spaces",
        "rounded",
        "beyond floats",
    ],
)
def test_one_value_in_two_spellings_is_no_contradiction(sent: JsonValue, echoed: JsonValue) -> None:
    for ours, theirs in ((sent, echoed), (echoed, sent)):
        record = json.dumps({"input": {"value": theirs}})
        assert contradiction("m", json.dumps({"value": ours}), record) == ""


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (1, True),
        (True, False),
        ("A cat", "a cat"),
        (5, 5.5),
        ("a cat", 5),
        ("1e999", "2e999"),
        ("nan", "a cat"),
        (10**400, 10**400 + 1),
    ],
    ids=["one and true", "true and false", "capitals", "numbers", "kinds", "infinite", "no number", "digits"],
)
def test_two_values_contradict_each_other(sent: JsonValue, echoed: JsonValue) -> None:
    for ours, theirs in ((sent, echoed), (echoed, sent)):
        record = json.dumps({"input": {"value": theirs}})
        assert contradiction("m", json.dumps({"value": ours}), record) == "value differs"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"request_id": "r1", "model_id": "m/alias"}, ""),
        ({"model_id": "m/alias"}, "model is m/alias"),
        ({"request_id": "r2", "model_id": "m"}, "request id is r2"),
        ({"request_id": "r1", "model_id": "m/alias", "input": {"seed": 2}}, "seed differs"),
    ],
    ids=["an id settles it", "no id", "another id", "the id of a job with another seed"],
)
def test_a_model_is_not_judged_beside_the_id_that_was_asked_for(
    record: dict[str, JsonValue], told: str
) -> None:
    assert contradiction("m", '{"seed": 1}', json.dumps(record), request_id="r1") == told
