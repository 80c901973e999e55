"""A person reads the server's own words, whatever form they have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.error_text import error_text, page_text
from runner.api.exchange import Answer
from runner.domain.states import LostContact, Refused
from tests.unit.test_api_outcomes import submitted

RECORDS: dict[str, tuple[dict[str, Any], str]] = {
    "a list of errors": ({"errors": ["seed is too large", "no image"]}, "seed is too large; no image"),
    "errors with fields": (
        {"errors": [{"field": "seed", "message": "is too large"}, {"path": "image", "msg": "is missing"}]},
        "seed: is too large; image: is missing",
    ),
    "errors by field": ({"errors": {"seed": ["is too large", "is odd"]}}, "seed: is too large; is odd"),
    "a message and errors": (
        {"message": "bad input", "errors": [{"message": "no seed"}]},
        "bad input: no seed",
    ),
    "FastAPI": (
        {"detail": [{"type": "x", "loc": ["body", "seed"], "msg": "not an integer", "input": "a"}]},
        "body.seed: not an integer",
    ),
    "problem details": (
        {"type": "about:blank", "title": "Out of credit", "status": 422, "detail": "Balance is 30."},
        "Out of credit: Balance is 30.",
    ),
    "OAuth": ({"error": "invalid_request", "error_description": "x"}, "invalid_request"),
    "Google": ({"error": {"code": 400, "message": "bad", "status": "INVALID"}}, "bad"),
    "an error in an error": ({"error": {"error": {"message": "deep"}}}, "deep"),
    "its own fields": ({"error_code": 1, "error_message": "no"}, "no"),
    "nothing": ({"status": 422}, ""),
}


@pytest.mark.parametrize("name", RECORDS)
def test_the_words_of_a_record_are_found(name: str) -> None:
    record, words = RECORDS[name]
    assert error_text(record) == words
    refused = submitted(Answer(422, json.dumps(record).encode()))
    assert isinstance(refused, Refused)
    assert refused.reason.startswith(words or "HTTP 422")
    assert refused.evidence == json.dumps(record)


PAGES = {
    "plain text": (b"seed must be\n  below 10", "seed must be below 10"),
    "a page with a title": (
        b"<!DOCTYPE html><html><head><title>Bad\n gateway</title></head><p>x",
        "Bad gateway",
    ),
    "a page without": (
        b"<html><style>a{}</style><body><h1>Too large</h1><p>Sorry &amp; bye",
        "Too large Sorry & bye",
    ),
    "an empty title": (b"<html><title></title><body>words</body>", "words"),
    "a script alone": (b"<html><script>alert(1)</script>", ""),
    "bytes": (b"\xff\xfe\x00", ""),
    "broken JSON": (b'{"error": ', ""),
    "nothing": (b"", ""),
    "a long text": (b"word " * 500, "word " * 40 + "…"),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_words_of_a_page_or_of_plain_text_are_read(name: str) -> None:
    body, words = PAGES[name]
    assert page_text(body) == words
    for status, kind in ((422, Refused), (502, LostContact)):
        answer = submitted(Answer(status, body))
        assert isinstance(answer, kind)
        assert words in answer.reason


@given(st.binary(max_size=80) | st.text(alphabet="<>/htmlscripte! -", max_size=60).map(str.encode))
def test_no_body_raises_and_every_sentence_is_short(body: bytes) -> None:
    assert len(page_text(b"<html>" + body)) <= 201


@pytest.mark.parametrize("body", [b"<html>" + b"<" * 9_000_000, b"<!--" * 1_000_000, b"<script>" * 1_000_000])
def test_a_large_page_costs_no_more_than_a_small_one(body: bytes) -> None:
    assert len(page_text(body)) <= 201
