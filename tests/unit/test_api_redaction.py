"""A token that a server sends back is gone before anything is kept."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.redaction import Redactor
from runner.transport.exchange import Answer, Milestone, Silence, SilenceKind
from runner.transport.secret import Secret

TOKEN = 'canary/7f3c+9a"<\\=zz'
REDACTOR = Redactor(Secret(TOKEN))

FORMS = {
    "plain": TOKEN,
    "in a URL": quote(TOKEN, safe=""),
    "in a path": quote(TOKEN),
    "in JSON": json.dumps(TOKEN)[1:-1],
    "in JSON with escaped slashes": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "in HTML": html.escape(TOKEN),
    "in hex": TOKEN.encode().hex(),
    "in base64": base64.b64encode(TOKEN.encode()).decode(),
    "as basic credentials": base64.b64encode(f"user:{TOKEN}".encode()).decode(),
    "as a bearer in base64": base64.b64encode(f"Bearer {TOKEN}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_likely_form_is_masked(form: str) -> None:
    inner = form.rstrip("=")[4:-2]
    cleaned = REDACTOR.cleaned(Answer(400, f'{{"error": "bad token {form}"}}'.encode()))
    assert isinstance(cleaned, Answer)
    assert inner.encode() not in cleaned.body
    assert b"bad token" in cleaned.body


def test_the_reason_of_a_silence_is_masked() -> None:
    cleaned = REDACTOR.cleaned(Silence(Milestone.SENT, SilenceKind.BROKEN, f"odd header {TOKEN}"))
    assert cleaned == Silence(Milestone.SENT, SilenceKind.BROKEN, "odd header ***")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=4))
def test_an_answer_without_the_token_is_left_as_it_is(record: dict[str, str]) -> None:
    answer = Answer(200, json.dumps(record).encode())
    assert REDACTOR.cleaned(answer) is answer


@pytest.mark.parametrize("token", ["t", "ab", "short"])
def test_a_token_too_short_to_be_one_masks_nothing(token: str) -> None:
    answer = Answer(200, b'{"request_id": "tabshort"}')
    assert Redactor(Secret(token)).cleaned(answer) is answer
