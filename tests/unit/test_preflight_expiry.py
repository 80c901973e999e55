"""A signed link tells its end, however its maker spells it, and nothing else is taken for one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.media.preflight.signed_urls import ends_at, may_expire

END = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()
UNIX = int(END)


def cloudfront_policy(end: object) -> str:
    condition = {"DateLessThan": {"AWS:EpochTime": end}}
    policy = json.dumps({"Statement": [{"Resource": "https://x/*", "Condition": condition}]}).encode()
    return base64.b64encode(policy).decode().translate(str.maketrans("+=/", "-_~"))


def web_token(end: int) -> str:
    parts = ({"alg": "HS256"}, {"url": "b/a.jpg", "exp": end})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join((*encoded, "c2ln"))


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("X-Amz-Date=20261121T110000Z&X-Amz-Expires=3600&X-Amz-Signature=ab", id="aws v4"),
        pytest.param(
            "x-amz-expires=3600&x-amz-date=20261121T110000Z", id="aws v4 in lower case and any order"
        ),
        pytest.param("X-Goog-Date=20261120T120000Z&X-Goog-Expires=86400&X-Goog-Signature=ab", id="google v4"),
        pytest.param("x-oss-date=20261121T110000Z&x-oss-expires=3600", id="another vendor"),
        pytest.param(f"AWSAccessKeyId=AK&Expires={UNIX}&Signature=ab", id="aws v2"),
        pytest.param(f"GoogleAccessId=a&Expires={UNIX}&Signature=ab", id="google v2"),
        pytest.param(f"Expires={UNIX}&Signature=ab&Key-Pair-Id=K", id="cloudfront"),
        pytest.param(f"Policy={cloudfront_policy(UNIX)}&Signature=ab&Key-Pair-Id=K", id="cloudfront policy"),
        pytest.param("sv=2024&se=2026-11-21T12%3A00%3A00Z&sp=r&sig=ab", id="azure"),
        pytest.param("se=2026-11-21T13:00:00%2B01:00&sig=ab", id="azure with a zone"),
        pytest.param("se=2026-11-21T13:00:00+01:00&sig=ab", id="azure with a bare plus"),
        pytest.param(f"expires={UNIX}", id="plain seconds"),
        pytest.param(f"exp={UNIX}000", id="milliseconds"),
        pytest.param("expires_at=2026-11-21T12:00:00Z", id="plain iso"),
        pytest.param(f"expirationTimestamp={UNIX}000&signature=ab", id="notion"),
        pytest.param(f"ex={UNIX:x}&is=6700&hm=ab", id="discord"),
        pytest.param(f"token={web_token(UNIX)}", id="supabase"),
        pytest.param(f"e={UNIX}&token=key:ab", id="qiniu"),
        pytest.param(f"expires={UNIX}&exp={UNIX + 99}", id="the soonest of two"),
    ],
)
def test_every_spelling_of_an_end_is_read(query: str) -> None:
    link = f"https://cdn.example.com/a.jpg?{query}"
    assert ends_at(link) == END
    assert may_expire(json.dumps({"image": link}))


def test_an_attachment_of_airtable_tells_its_end_in_its_path() -> None:
    link = f"https://v5.airtableusercontent.com/v3/u/41/41/{UNIX}000/ab/cd"
    assert ends_at(link) == END
    assert may_expire(json.dumps({"image": link}))
    assert ends_at(link.replace("airtableusercontent", "example")) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "v=1700000000",
        "e=1700000000",
        "token=eyJ.eyJ.a",
        "expires=3600",
        "expires=soon",
        "expires=",
        "expires=-1",
        "expires=１７００００００００",
        "expires=" + "9" * 400,
        "se=2026-11-21T12:00:00Z",
        "X-Amz-Date=yesterday&X-Amz-Expires=3600",
        "X-Amz-Date=20261121T110000Z",
        "X-Amz-Date=20261121T110000Z&X-Amz-Expires=long",
        "ex=6742&is=1&hm=2",
        "ex=67420000",
        f"Policy={cloudfront_policy('x')}&Key-Pair-Id=K",
        "Policy=%%%&Key-Pair-Id=K",
        "Policy=" + base64.b64encode(b"[]").decode() + "&Key-Pair-Id=K",
        "&".join(f"a{n}=1" for n in range(500)),
    ],
)
def test_what_names_no_end_has_none(query: str) -> None:
    assert ends_at(f"https://cdn.example.com/a.jpg?{query}") is None


def test_a_fragment_is_no_query() -> None:
    assert ends_at(f"https://cdn.example.com/a.jpg#expires={UNIX}") is None


NAMES = st.sampled_from(
    ["expires", "X-Amz-Date", "X-Amz-Expires", "se", "sig", "Policy", "Key-Pair-Id", "ex", "is", "hm"]
)


@given(pairs=st.lists(st.tuples(NAMES, st.text(max_size=30)), max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_query_is_an_error(pairs: list[tuple[str, str]]) -> None:
    end = ends_at("https://x.example/?" + "&".join(f"{name}={value}" for name, value in pairs))
    assert end is None or isinstance(end, float)
