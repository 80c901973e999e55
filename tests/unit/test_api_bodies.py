"""What is read out of a body is a plain value or nothing, whatever stands there; and a cancel's own word."""

from __future__ import annotations

import json

import pytest

from runner.api import error_text, json_fields
from runner.api.classify import sort_cancel
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.result_answer import sort_result
from runner.domain.api_answers import CancelAnswer, FailureKind, RequestFailure
from runner.domain.states import Ended, FailureClass, TakeState

NOW = 1_800_000_000.0


def answer(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (400001, 400001),
        ("400001", 400001),
        (-7, -7),
        ("9" * 400, 999_999_999_999),
        (0, 0),
        ("0", 0),
        (True, 0),
        (False, 0),
        (None, 0),
        ("", 0),
        ("-7", 0),
        ("４００", 0),
        ("4e5", 0),
        (400001.0, 0),
        ([400001], 0),
        ({"code": 400001}, 0),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_an_error_number_is_a_whole_number_and_zero_is_none(value: object, code: int) -> None:
    assert json_fields.error_code({"error_code": value}) == code


def test_no_record_has_neither_number_nor_words() -> None:
    assert json_fields.error_code(None) == 0
    assert error_text.error_text(None) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("plain", "plain"),
        ({"message": "inner"}, "inner"),
        ({"msg": "inner", "loc": ["body", 3, "seed"]}, "body.3.seed: inner"),
        ({"msg": "inner", "loc": "body"}, "body: inner"),
        ({"message": "", "detail": ["deeper"]}, "deeper"),
        ({"code": 7}, '{"code": 7}'),
        (["one", None, 0, {"msg": "two"}], "one; two"),
        (["1", "2", "3", "4", "5", "6"], "1; 2; 3; 4; 5"),
        (7, ""),
        (True, ""),
        (2.5, ""),
        (None, ""),
        ([], ""),
        ({}, ""),
        ({"message": 7}, ""),
        ("x" * 5000, "x" * 2000),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_the_words_of_an_error_are_found_where_they_stand(value: object, words: str) -> None:
    assert error_text.error_text({"error": value}) == words


def test_words_nested_too_deep_are_none() -> None:
    value: object = "deep"
    for _ in range(8):
        value = [value]
    assert error_text.error_text({"error": value}) == ""


def test_the_first_field_that_says_something_speaks_and_the_particulars_follow() -> None:
    record = {"error_message": "", "message": 7, "error": "third", "detail": "fourth"}
    assert error_text.error_text(record) == "third: fourth"


@pytest.mark.parametrize(
    ("begin", "end", "seconds"),
    [
        (100, 160.5, 60.5),
        ("100", "160", None),
        ("2026-11-20T10:00:00", "2026-11-20T10:00:30+00:00", 30.0),
        (1_800_000_000_000, 1_800_000_001_500, 1.5),
        (100, 99, None),
        (None, 99, None),
        (99, None, None),
        (True, 99, None),
        ("yesterday", "today", None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_jobs_time_is_known_only_from_both_ends_in_order(
    begin: object, end: object, seconds: float | None
) -> None:
    assert json_fields.job_seconds({"created_at": begin, "finished_at": end}) == seconds


@pytest.mark.parametrize(
    ("told", "cost", "odd"),
    [
        (0, 0.0, ""),
        ("0.30", 0.3, ""),
        (100_000, 100_000.0, ""),
        (None, None, ""),
        (-1.0, None, "-1.0"),
        ("-5", None, "-5"),
        (-1e9, None, "-1000000000.0"),
        (100_000.01, None, "100000.01"),
        ("nan", None, "nan"),
        (float("inf"), None, "inf"),
        (True, None, "True"),
        ("x" * 90, None, "x" * 40),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_cost_that_cannot_be_is_unknown_and_told(told: object, cost: float | None, odd: str) -> None:
    assert (json_fields.cost({"cost": told}), json_fields.odd_cost({"cost": told})) == (cost, odd)
    assert json_fields.odd_cost({}) == ""


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("cancelled", "cancelled"),
        ("not_cancellable", "not_cancellable"),
        ("something new", "something new"),
        ("x" * 500, "x" * 100),
        ("", ""),
        (None, "unknown"),
        (7, "unknown"),
        (["cancelled"], "unknown"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_cancel_that_was_answered_says_the_apis_own_word_or_that_there_is_none(
    value: object, outcome: str
) -> None:
    assert sort_cancel(answer(200, {"outcome": value}), now=NOW) == CancelAnswer(outcome)


def test_a_cancel_answered_without_an_outcome_proves_nothing() -> None:
    assert sort_cancel(answer(202, {"status": "in_progress"}), now=NOW) == CancelAnswer("unknown")


@pytest.mark.parametrize(
    ("exchange", "trouble"),
    [
        (
            NoResponse(SendStage.SENT, SilenceKind.TIMEOUT, "ReadTimeout"),
            RequestFailure(FailureKind.TRANSIENT, "ReadTimeout"),
        ),
        (
            Answer(204, b""),
            RequestFailure(FailureKind.TRANSIENT, "HTTP 204 with a body that is not a JSON object"),
        ),
        (
            Answer(200, b'{"outcome": "cancelled"}', complete=False),
            RequestFailure(
                FailureKind.TRANSIENT,
                "HTTP 200 with a body that broke off",
                evidence='{"outcome": "cancelled"}',
            ),
        ),
        (
            answer(502, {"outcome": "cancelled"}),
            RequestFailure(FailureKind.TRANSIENT, "HTTP 502", evidence='{"outcome": "cancelled"}'),
        ),
        (
            answer(404, {"error_code": 404001}),
            RequestFailure(FailureKind.MISSING, "error 404001", evidence='{"error_code": 404001}'),
        ),
        (
            answer(401, {"message": "no"}),
            RequestFailure(FailureKind.ACCOUNT, "no", evidence='{"message": "no"}'),
        ),
        (
            Answer(429, b"", {"retry-after": "9"}),
            RequestFailure(FailureKind.THROTTLED, "HTTP 429", 9.0),
        ),
    ],
    ids=["silence", "no body", "cut", "gateway", "unknown id", "token", "throttled"],
)
def test_a_cancel_that_was_not_answered_says_why(exchange: HttpOutcome, trouble: RequestFailure) -> None:
    assert sort_cancel(exchange, now=NOW) == trouble


@pytest.mark.parametrize(
    "reason",
    [
        "Moderation: this prompt cannot be used",
        "NSFW content",
        "turned down by our SAFETY filter",
        "violates the content policy",
        "the input image was flagged",
        "sensitive content detected",
    ],
)
def test_a_judgement_of_the_content_is_moderation_in_whatever_words(reason: str) -> None:
    ended = sort_result(answer(200, {"status": "failed", "error": {"message": reason}}), now=NOW)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.failure) == (TakeState.FAILED, FailureClass.MODERATION)
    assert ended.reason == reason
