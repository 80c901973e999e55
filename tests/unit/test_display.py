"""Words for a person: safe, short and the same everywhere."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain import display
from runner.domain.states import DeliveryState, FailureClass, TakeState


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – ünï ✓ 🎬", "plain – ünï ✓ 🎬"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("line\u2028sep\u2029", "line\\u2028sep\\u2029"),
        ("\ufeffbom", "\\ufeffbom"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone\ud800end", "lone\\ud800end"),
        ("👩‍👧", "👩‍👧"),
    ],
    ids=ascii,
)
def test_what_steers_a_terminal_becomes_visible(text: str, shown: str) -> None:
    assert display.visible(text) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_visible_text_has_no_control_no_separator_and_no_surrogate(text: str) -> None:
    shown = display.visible(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(char) for char in shown} & {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
    }
    assert shown.encode().decode() == shown


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert display.visible("x" * 501) == "x" * 500 + "…"
    assert display.visible("x" * 500) == "x" * 500
    assert display.visible("abc", 2) == "ab…"


def test_lines_are_kept_where_they_are_meant() -> None:
    assert display.visible_lines("one\r\ntwo\x1b\rthree") == "one\ntwo\\x1b\nthree"
    assert display.visible_lines("one\ntwo", 4) == "one\n…"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
        (-3, "0.0 s"),
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (8040, "2 h 14 min"),
        (100_000, "27 h 47 min"),
    ],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert display.duration(seconds) == said


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (0, "$0.00"),
        (0.3, "$0.30"),
        (0.1 + 0.2, "$0.30"),
        (0.0045, "$0.0045"),
        (0.125, "$0.125"),
        (1234.5, "$1,234.50"),
        (-2.5, "-$2.50"),
    ],
)
def test_money(usd: float | None, said: str) -> None:
    assert display.money(usd) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (31_200, "31 kB"),
        (999_600, "1.0 MB"),
        (1_240_000, "1.2 MB"),
        (4 * 2**30, "4.3 GB"),
        (10**16, "10,000 TB"),
    ],
)
def test_sizes(count: int | None, said: str) -> None:
    assert display.size(count) == said


def test_times_are_utc_and_survive_absurd_records() -> None:
    assert display.when(1_780_000_000.9) == "2026-05-28 20:26:40 UTC"
    assert display.iso(1_780_000_000.9) == "2026-05-28T20:26:40Z"
    assert (display.when(None), display.iso(None)) == ("unknown", "")
    assert display.iso(1e18) == "9999-12-31T23:59:59Z"
    assert display.iso(-1e18) == "1970-01-01T00:00:00Z"


def test_every_state_has_a_word_that_is_listed() -> None:
    words = {display.standing(state, delivery) for state in TakeState for delivery in DeliveryState}
    assert words == set(display.STANDINGS)


def test_a_succeeded_take_is_told_by_its_clip_and_no_other_is() -> None:
    assert display.standing(TakeState.SUCCEEDED, DeliveryState.DELIVERED) == "delivered"
    assert display.standing(TakeState.FAILED, DeliveryState.DELIVERED) == "failed"


def test_trouble_says_class_and_reason() -> None:
    assert display.trouble(FailureClass.MODERATION, "no\x1b") == "moderation: no\\x1b"
    assert display.trouble(None, "reset") == "reset"
    assert display.trouble(FailureClass.MISSING, "") == "missing"
    assert display.trouble(None, "") == ""


def test_values_and_sweeps_read_as_written() -> None:
    assert display.value("16:9") == "16:9"
    assert display.value(["a", 1, True, None]) == '["a", 1, true, null]'
    assert display.sweep({"resolution": "720p", "seed": 7, "x\n": "y\x1b"}) == (
        "resolution=720p",
        "seed=7",
        "x\\n=y\\x1b",
    )


def test_counts() -> None:
    assert (display.counted(1, "take"), display.counted(1200, "take")) == ("1 take", "1,200 takes")
    assert display.tally({"failed": 2, "delivered": 1, "held": 0}) == "1 delivered · 2 failed"
