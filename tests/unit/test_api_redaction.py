"""A token that a server sends back is gone before anything is kept, however it is spelled."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.account import Secret
from runner.api.exchange import Answer, NoResponse, SendStage, SilenceKind
from runner.api.redaction import MASK, Redactor
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.states import Ended, FailureClass, LostContact, Refused, TakeState

TOKEN = 'canary/7f3c+9a"<\\=zz&%'
REDACTOR = Redactor(Secret(TOKEN))


def each(spell: Callable[[str], str]) -> str:
    return "".join(spell(char) for char in TOKEN)


IN_JSON = json.dumps(TOKEN)[1:-1]
WHOLE = {
    "plain": TOKEN,
    "in a URL": quote(TOKEN, safe=""),
    "in a path": quote(TOKEN),
    "in a URL twice": quote(quote(TOKEN, safe=""), safe=""),
    "in a URL thrice": quote(quote(quote(TOKEN, safe=""), safe=""), safe=""),
    "every character in percent, lower case": each(lambda char: f"%{ord(char):02x}"),
    "every character in percent, upper case": each(lambda char: f"%{ord(char):02X}"),
    "in JavaScript's percent": each(lambda char: f"%u{ord(char):04x}"),
    "in JSON": IN_JSON,
    "in JSON with escaped slashes": IN_JSON.replace("/", "\\/"),
    "in JSON in JSON": json.dumps(IN_JSON)[1:-1],
    "in JSON, every character": each(lambda char: f"\\u{ord(char):04x}"),
    "in JSON, upper case": each(lambda char: f"\\u{ord(char):04X}"),
    "in JSON in JSON, every character": each(lambda char: f"\\\\u{ord(char):04x}"),
    "in JSON, some characters": TOKEN.replace("=", "\\u003d").replace("+", "\\u002B").replace('"', '\\"'),
    "in braces": each(lambda char: f"\\u{{{ord(char):x}}}"),
    "in hex escapes": each(lambda char: f"\\x{ord(char):02x}"),
    "in octal escapes": each(lambda char: f"\\{ord(char):03o}"),
    "in Python": repr(TOKEN)[1:-1],
    "in HTML": html.escape(TOKEN),
    "in HTML twice": html.escape(html.escape(TOKEN)),
    "in HTML, decimal": each(lambda char: f"&#{ord(char)};"),
    "in HTML, decimal without semicolon": each(lambda char: f"&#{ord(char)}") + " ",
    "in HTML, hex": each(lambda char: f"&#x{ord(char):x};"),
    "in HTML, hex with zeros": each(lambda char: f"&#X{ord(char):06X};"),
    "in HTML, named": TOKEN.replace("&", "&AMP;")
    .replace("=", "&equals;")
    .replace("/", "&sol;")
    .replace("+", "&plus;"),
    "in HTML in JSON": html.escape(IN_JSON),
    "in JSON in HTML": json.dumps(html.escape(TOKEN))[1:-1],
    "in quoted-printable": each(lambda char: f"={ord(char):02X}"),
    "in UTF-16": TOKEN.encode("utf-16-le").decode("latin-1"),
    "in hex": TOKEN.encode().hex(),
    "in HEX": TOKEN.encode().hex().upper(),
    "in spaced hex": TOKEN.encode().hex(" "),
    "in capitals": TOKEN.upper(),
    "with other letters large": TOKEN.swapcase(),
}
CODED = {
    "in base64": base64.b64encode(TOKEN.encode()).decode(),
    "as basic credentials": base64.b64encode(f"user:{TOKEN}".encode()).decode(),
    "as a bearer in base64": base64.b64encode(f"Bearer {TOKEN}".encode()).decode(),
    "in url-safe base64": base64.urlsafe_b64encode(f"x{TOKEN}".encode()).decode(),
    "in base64 in JSON": base64.b64encode(f"Bearer {TOKEN}".encode()).decode().replace("/", "\\/"),
    "in base64 in a URL": quote(base64.b64encode(f"ab{TOKEN}".encode()), safe=""),
    "in base64 of several lines": base64.encodebytes(f"{'a' * 50}{TOKEN}".encode()).decode(),
}


@pytest.mark.parametrize("form", WHOLE.values(), ids=WHOLE)
def test_every_spelling_is_masked_whole_in_text_and_in_bytes(form: str) -> None:
    assert REDACTOR.masked(f"bad token [{form}]").replace(" ", "").replace("\0", "") == f"badtoken[{MASK}]"
    cleaned = REDACTOR.cleaned(Answer(400, f"bad token [{form}]".encode()))
    assert isinstance(cleaned, Answer)
    assert cleaned.body.decode().replace(" ", "").replace("\0", "") == f"badtoken[{MASK}]"


@pytest.mark.parametrize("form", CODED.values(), ids=CODED)
def test_what_base64_makes_of_it_is_masked_but_for_what_its_neighbours_decide(form: str) -> None:
    masked = REDACTOR.masked(f"bad token [{form}]")
    assert MASK in masked
    left = "".join(masked.split("[")[1].split())
    # Two letters at each end may belong to what stands beside it.
    assert len(left) <= len("".join(form.split())) - len(TOKEN)


@pytest.mark.parametrize(
    "token", ["AbCd1234EfGh5678", "sk-proj-0123456789abcdef", "eyJhbGciOi.eyJzdWIi.c2lnbmF0"]
)
@given(
    before=st.text(max_size=5), after=st.text(max_size=5), how=st.lists(st.sampled_from("jphq."), min_size=30)
)
def test_any_mixture_of_spellings_is_masked(token: str, before: str, after: str, how: list[str]) -> None:
    ways: dict[str, Callable[[int], str]] = {
        "j": lambda code: f"\\u{code:04X}",
        "p": lambda code: f"%{code:02x}",
        "h": lambda code: f"&#{code};",
        "q": lambda code: f"%25{code:02X}",
        ".": chr,
    }
    text = "".join(ways[way](ord(char)) for char, way in zip(token, how, strict=False))
    text += token[len(how) :]
    assert token not in html.unescape(Redactor(Secret(token)).masked(before + text + after))
    assert MASK in Redactor(Secret(token)).masked(before + text + after)


def test_a_spelling_that_no_mask_fits_is_not_kept_at_all() -> None:
    odd = each(lambda char: "".join(f"%{ord(each_):02x}" for each_ in f"\\u{ord(char):04x}"))
    assert "held the token" in REDACTOR.masked(f"say {odd}")


@pytest.mark.parametrize("escape", ["%{:02x}", "\\u{:04x}", "&#{};"])
def test_a_token_in_other_letters_and_escaped_is_not_kept(escape: str) -> None:
    odd = "".join(escape.format(ord(char)) for char in TOKEN.swapcase())
    assert "held the token" in REDACTOR.masked(f"say {odd}")


def test_every_text_of_a_value_is_cleaned_and_nothing_else() -> None:
    lost = LostContact("a1", "sent", f"odd {TOKEN}", IN_JSON, candidates=(TOKEN, "3f2a"))
    assert REDACTOR.cleaned_value(lost) == LostContact(
        "a1", "sent", "odd ***", "***", candidates=("***", "3f2a")
    )
    ended = Ended(TakeState.FAILED, quote(TOKEN), (f"https://x.example/{quote(TOKEN)}",), cost=0.25)
    assert REDACTOR.cleaned_value(ended) == Ended(
        TakeState.FAILED, "***", ("https://x.example/***",), cost=0.25
    )
    trouble = RequestFailure(FailureKind.ACCOUNT, TOKEN, 3.0, TOKEN)
    assert REDACTOR.cleaned_value(trouble) == RequestFailure(FailureKind.ACCOUNT, "***", 3.0, "***")
    refused = Refused("a1", FailureClass.REFUSED, "no", evidence=TOKEN)
    assert type(REDACTOR.cleaned_value(refused).failure) is FailureClass
    assert REDACTOR.cleaned_value({TOKEN: [TOKEN, 7, None]}) == {"***": ["***", 7, None]}


def test_the_reason_of_a_silence_is_masked() -> None:
    cleaned = REDACTOR.cleaned(NoResponse(SendStage.SENT, SilenceKind.BROKEN, f"odd header {TOKEN}"))
    assert cleaned == NoResponse(SendStage.SENT, SilenceKind.BROKEN, "odd header ***")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=4))
def test_an_answer_without_the_token_is_left_as_it_is(record: dict[str, str]) -> None:
    answer = Answer(200, json.dumps(record).encode())
    assert REDACTOR.cleaned(answer) is answer
    assert REDACTOR.masked(json.dumps(record)) == json.dumps(record)


@pytest.mark.parametrize("token", ["t", "ab", "short", "running"])
def test_a_token_too_short_to_be_one_masks_nothing(token: str) -> None:
    answer = Answer(200, b'{"request_id": "tabshort", "status": "running"}')
    assert Redactor(Secret(token)).cleaned(answer) is answer
    assert Redactor(Secret(token)).cleaned_value("running") == "running"


@pytest.mark.parametrize(
    "unit", ["c", "\\", "%", "%25", "&amp;", "canary", "63616e", "Y2Fu", "\\\\u", "&#", "Y\n"]
)
def test_what_it_costs_grows_with_the_length_alone(unit: str) -> None:
    def cost(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.thread_time()
        REDACTOR.masked(text)
        return time.thread_time() - began

    # Quadratic would be sixteen times the sixteenfold.
    assert cost(1 << 18) < 60 * max(cost(1 << 14), 0.005)
