"""Which addresses count as public, and how links may be shown."""

from __future__ import annotations

import ipaddress

import pytest

from runner.media.http.response import Download, Span, Version, clean, shown
from runner.system.hosts import is_public_address


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_hosts_are_public(address: str) -> None:
    assert is_public_address(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public_address(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://a.example/x.mp4?X-Signature=abc&k=1", "https://a.example/x.mp4"),
        ("https://a.example/x.mp4#part?token", "https://a.example/x.mp4"),
        ("https://me:pass@a.example/x", "https://a.example/x"),
        ("//me:pass@a.example/x", "//a.example/x"),
        ("data:video/mp4;base64,AAAA", "data:…"),
        ("https://a.example/\x1b[31m\u202ex", "https://a.example/\\x1b[31m\\u202ex"),
        ("not a link", "not a link"),
    ],
)
def test_a_link_is_shown_without_what_it_may_hide(url: str, text: str) -> None:
    assert shown(url) == text


def test_foreign_text_is_one_short_printable_line() -> None:
    assert clean("a\n" * 500, limit=4) == "a\\na\\n"
    assert clean("\ud800") == "\\ud800"


@pytest.mark.parametrize(
    ("headers", "length", "framed", "etag"),
    [
        ({"content-length": "12", "etag": '"abc"'}, 12, True, '"abc"'),
        ({"transfer-encoding": "chunked", "content-length": "12"}, None, True, None),
        ({"etag": 'W/"abc"'}, None, False, None),
        ({"content-length": "１２"}, None, False, None),
        ({"content-length": "-1", "etag": '""'}, None, False, None),
    ],
)
def test_headers_mean_what_they_promise(
    headers: dict[str, str],
    length: int | None,
    framed: bool,
    etag: str | None,
) -> None:
    download = Download(200, headers, iter(()), "https://a.example/x")
    assert (download.length, download.framed) == (length, framed)
    assert download.version.strong_etag == (etag or "")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("bytes 0-9/10", Span(0, 10, 10)),
        ("bytes 5-9/*", Span(5, 10, None)),
        ("bytes 9-5/10", None),
        ("bytes 0-10/10", None),
        ("bytes 0-0/0", None),
        ("bytes */10", None),
        ("bytes 1-2/3, bytes 4-5/6", None),
        ("items 0-9/10", None),
        ("bytes ٠-٩/10", None),
        ("", None),
    ],
)
def test_a_range_is_one_that_fits_its_own_total_or_none(text: str, span: Span | None) -> None:
    assert Download(206, {"content-range": text}, iter(()), "https://a.example/x").span == span


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        (Version('"a"', "Mon", 9), Version('"a"', "Mon", 9), False),
        (Version('"a"'), Version("", "Mon", 9), False),
        (Version('"a"'), Version('"b"'), True),
        (Version('W/"a"'), Version('"a"'), True),
        (Version('"a"', "Mon"), Version('"a"', "Tue"), True),
        (Version('"a"', "", 9), Version('"a"', "", 8), True),
        (Version(total=0), Version(total=8), True),
    ],
)
def test_two_words_on_a_file_contradict_each_other_only_where_both_say_something(
    one: Version, other: Version, contradict: bool
) -> None:
    assert one.contradicts(other) is other.contradicts(one) is contradict
