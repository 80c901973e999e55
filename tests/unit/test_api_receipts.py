"""The id of a paid job: taken wherever it is certain, proposed where it is not, and never guessed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.exchange import Answer
from runner.api.submit_answer import Receipt, read_receipt, usable_id
from runner.domain.states import Accepted, LostContact
from tests.effort import at_most
from tests.unit.test_api_outcomes import submitted

ID = "3f2a-01"
PICTURE = "iVBORw0KGgo" * 200_000


def told(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.mark.parametrize("complete", [True, False], ids=["whole", "cut behind it"])
@pytest.mark.parametrize(
    "body",
    [
        {"request_id": ID},
        {"request_id": ID, "input": {"image": PICTURE}},
        {"input": {"image": PICTURE}, "request_id": ID},
        {"input": {"request_id": "another's", "id": 7}, "request_id": ID},
        b'{"request_id": "3f2a-01", "request_id": "3f2a-01"}',
        b' \r\n\t{ "request_id" :\n"3f2a\\u002d01" , "x":[1,2.5e3,true,null] } ',
        b"\xef\xbb\xbf" + told({"request_id": ID}),
        json.dumps({"request_id": ID}).encode("utf-16"),
        {"request_id": ID, "error_code": 0, "price": 1e300},
    ],
    ids=lambda body: str(body)[:30],
)
def test_the_id_is_read_where_it_stands_however_large_the_answer_is(body: object, complete: bool) -> None:
    assert read_receipt(told(body), complete=complete).request_id == ID


@given(
    st.dictionaries(
        st.text(max_size=6).filter(lambda name: name != "request_id"), st.text(max_size=9), max_size=4
    ),
    st.data(),
)
def test_a_body_cut_anywhere_gives_the_id_once_its_last_quote_is_read_and_nothing_before(
    others: dict[str, str], data: st.DataObject
) -> None:
    body = told({**others, "request_id": ID, "z": "end"})
    end = body.index(f'"request_id": "{ID}"'.encode()) + len(f'"request_id": "{ID}"')
    cut = data.draw(st.integers(0, len(body)))
    for complete in (True, False):
        found = read_receipt(body[:cut], complete=complete)
        assert found.request_id == (ID if cut >= end else "")


DOUBTFUL: dict[str, tuple[Any, tuple[str, ...]]] = {
    "two ids": (b'{"request_id": "one", "request_id": "two"}', ("one", "two")),
    "another id behind what was read": (b'{"request_id": "one", "x": @, "request_id": "two"}', ("one",)),
    "in an envelope": ({"data": {"request_id": ID}}, (ID,)),
    "spelled otherwise": ({"requestId": ID}, (ID,)),
    "id alone": ({"id": ID, "status": "queued"}, (ID,)),
    "a job's": ({"job": {"job_id": ID}}, (ID,)),
    "in a list": ([{"request_id": ID}], ()),
    "a number": ({"request_id": 12345}, ("12345",)),
    "a path upwards": ({"request_id": "../etc"}, ()),
    "NaN": (b'{"request_id": "3f2a-01", "eta": NaN}', (ID,)),
    "Infinity": (b'{"request_id": "3f2a-01", "eta": -Infinity}', (ID,)),
    "a number of 5,000 digits": (b'{"request_id": "3f2a-01", "n": ' + b"9" * 5000 + b"}", (ID,)),
    "half a character": (b'{"request_id": "3f2a-01", "x": "\\ud800"}', (ID,)),
    "100,000 deep": (b'{"request_id": "3f2a-01", "x": ' + b"[" * 100_000 + b"}", (ID,)),
    "rest behind the object": (b'{"request_id": "3f2a-01"} and so on', (ID,)),
    "two objects": (b'{"request_id": "3f2a-01"}{"request_id": "b"}', (ID,)),
    "bytes that are no text": (b'{"request_id": "3f2a-01", "x": "\xff"}', ()),
    "not an object": (b'"request_id": "3f2a-01"', ()),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_is_not_certain_is_held_with_what_it_may_be(name: str) -> None:
    body, candidates = DOUBTFUL[name]
    lost = submitted(Answer(200, told(body)))
    assert isinstance(lost, LostContact)
    assert lost.candidates == candidates
    assert lost.evidence == told(body)[: 1 << 16].decode("utf-8", "replace")


@pytest.mark.parametrize("status", [302, 409, 500, 504])
def test_an_id_beside_a_status_that_proves_nothing_is_proposed(status: int) -> None:
    lost = submitted(Answer(status, told({"request_id": ID})))
    assert isinstance(lost, LostContact)
    assert lost.candidates == (ID,)


def test_a_body_of_millions_of_parts_is_read_at_its_beginning_alone() -> None:
    body = b'{"request_id": "3f2a-01", "x": [' + b"[]," * 5_000_000
    with at_most(100):
        assert read_receipt(body, complete=True) == Receipt(ID)


@pytest.mark.parametrize("packed", ["br", "gzip, damaged"])
def test_a_body_that_was_not_unpacked_whole_makes_no_id_certain(packed: str) -> None:
    lost = submitted(Answer(200, told({"request_id": ID}), packed=packed))
    assert isinstance(lost, LostContact)
    assert (lost.candidates, packed in lost.reason) == ((ID,), True)


def test_bytes_that_cannot_be_read_are_kept_in_base64() -> None:
    lost = submitted(Answer(200, b"\x1b\x15\x00\xf8\x8d\x94n\xc0", packed="br"))
    assert isinstance(lost, LostContact)
    assert lost.evidence == "base64: GxUA+I2UbsA="


@given(st.text(st.characters(codec="ascii"), max_size=12))
def test_a_usable_id_is_one_segment_of_a_url_and_leads_nowhere_else(text: str) -> None:
    if usable_id(text):
        assert "/" not in quote(text, safe="")
        assert unquote(quote(text, safe="")) == text
        assert not {".", ".."} & set(text.replace("\\", "/").split("/"))
        assert not any(char.isspace() for char in text)


@given(st.binary(max_size=60), st.booleans())
def test_no_bytes_raise(body: bytes, complete: bool) -> None:
    found = read_receipt(body, complete=complete)
    assert not found.request_id or usable_id(found.request_id)


def test_links_that_lead_elsewhere_are_said_and_followed_by_nobody() -> None:
    from runner.api.classify import sort_submit

    links = {
        "status_url": "https://evil.example/s",
        "result_url": "/v1/x",
        "cancel_url": "https://api.example/v1/c",
    }
    answer = Answer(200, told({"request_id": ID, **links}))
    taken = sort_submit(answer, attempt="a1", now=0.0, origin="https://api.example")
    remark = "its answer names a status_url at another address, which is not followed"
    assert taken == Accepted("a1", ID, 200, (remark,))
