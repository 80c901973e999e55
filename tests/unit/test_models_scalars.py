"""The text rule: what a bare word means for each type, and nothing guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.models.scalars import ParseError, choices, read_boolean, read_integer, read_number, shown
from runner.system.canonical_json import JsonValue
from runner.system.nearest_name import Speller


@pytest.mark.parametrize("text", ["0", "7", "-7", "1000", "9223372036854775807", "-9223372036854775808"])
def test_an_integer_in_plain_digits_is_read(text: str) -> None:
    assert read_integer(text) == int(text)


@pytest.mark.parametrize(
    ("text", "reason", "nearest"),
    [
        ("007", "leading zeros", "7"),
        ("-010", "leading zeros", "-10"),
        ("1e3", "plain digits", "1000"),
        ("1_000", "plain digits", "1000"),
        ("5.0", "plain digits", "5"),
        ("5.5", "plain digits", None),
        ("+5", "plain digits", "5"),
        ("0x1F", "plain digits", "31"),
        ("1,5", "plain digits", None),
        ("1:30", "plain digits", None),
        ("five", "plain digits", None),
        ("٣", "plain digits", None),
        ("５", "plain digits", "5"),
        ("true", "plain digits", None),
        (" 5", "plain digits", "5"),
        ("1e999", "plain digits", None),
        ("9223372036854775808", "too large", None),
        ("5s", "plain digits", "5"),
        ("5 sec", "plain digits", "5"),
        ("12 seconds", "plain digits", "12"),
        ("5 Sek.", "plain digits", "5"),
        ("5.5s", "plain digits", None),
        ("0:05", "plain digits", "5"),
        ("00:00:07", "plain digits", "7"),
        ("16:9", "plain digits", None),
        ("1,000", "plain digits", "1000"),
        ("-1,000", "plain digits", "-1000"),
        ("12,345", "plain digits", "12345"),
        ("1,234,567", "plain digits", "1234567"),
        ("1.234.567", "plain digits", "1234567"),
        ("12 345", "plain digits", "12345"),
        ("12\u202f345", "plain digits", "12345"),
        ("1.000", "plain digits", None),
        ("12,34", "plain digits", None),
        ("0,500", "plain digits", None),
        ("1,234.5", "plain digits", None),
        ("1.23E+09", "spreadsheet shortened", None),
        ("1E+09", "spreadsheet shortened", None),
        ("1" * 5000, "too large", None),
        ("0" * 5000, "leading zeros", None),
        ("1_" * 5000, "plain digits", None),
    ],
    ids=lambda value: str(value)[:12],
)
def test_any_other_integer_is_refused_with_what_to_write(text: str, reason: str, nearest: str | None) -> None:
    read = read_integer(text)
    assert isinstance(read, ParseError)
    assert reason in read.message
    assert read.nearest == nearest


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", "5"),
        ("5.0", "5"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0.5", "0.5"),
        ("1E-3", "0.001"),
    ],
)
def test_equal_numbers_have_one_spelling_in_a_body(text: str, value: str) -> None:
    read = read_number(text)
    assert not isinstance(read, ParseError)
    assert json.dumps(read) == value


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        (".5", "0.5"),
        ("5.", "5"),
        ("1,5", "1.5"),
        ("0,500", "0.5"),
        ("1,234", None),
        ("1,234.5", "1234.5"),
        ("1.234,5", "1234.5"),
        ("1,234,567", "1234567"),
        ("1 000", "1000"),
        ("5s", "5"),
        ("2,5 s", "2.5"),
        ("0:05", "5"),
        ("00:00:05:00", "5"),
        ("~5", "5"),
        ('5"', "5"),
        ("5\xa0s", "5"),
        ("5秒", "5"),
        ("5s (max)", "5"),
        ("PT5S", "5"),
        ("5500ms", "5.5"),
        ("５", "5"),
        ("\u22123", "-3"),
        ("1_000", "1000"),
        ("007", "7"),
        (".nan", None),
        (".inf", None),
        ("-Infinity", None),
        ("1e999", None),
        ("half", None),
    ],
)
def test_any_other_number_is_refused_with_what_to_write(text: str, nearest: str | None) -> None:
    read = read_number(text)
    assert isinstance(read, ParseError)
    assert read.nearest == nearest


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("tRUE", "true"),
        ("yes", "true"),
        ("on", "true"),
        ("1", "true"),
        ("no", "false"),
        ("Off", "false"),
        ("☑", "true"),
        ("oui", "true"),
        ("Wahr", "true"),
        ("nein", "false"),
        ("checked", "true"),
        ("Ja", "true"),
        ("☐", "false"),
        ("maybe", None),
    ],
)
def test_only_true_and_false_are_booleans(text: str, nearest: str | None) -> None:
    assert read_boolean(text) == ParseError(f"{text} is neither true nor false", nearest)


def test_a_boolean_is_read_in_the_spelling_of_json_python_and_spreadsheets() -> None:
    assert [read_boolean(text) for text in ("true", "True", "TRUE")] == [True] * 3
    assert [read_boolean(text) for text in ("false", "False", "FALSE")] == [False] * 3


@given(st.integers(-(2**63), 2**63 - 1))
def test_what_json_writes_for_an_integer_is_read_back(number: int) -> None:
    assert read_integer(json.dumps(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_json_writes_for_a_number_is_read_back(number: float) -> None:
    assert read_number(json.dumps(number)) == number


@given(st.text(max_size=40))
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in (read_integer(text), read_number(text), read_boolean(text)):
        assert isinstance(read, int | float | ParseError)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, 2, 3, 4], ("1…4",)),
        ([3, 1, 2], ("1…3",)),
        ([5, 10], ("5", "10")),
        ([1, 2], ("1", "2")),
        ([True, False], ("true", "false")),
        (["720p", "1080p"], ("720p", "1080p")),
        ([], ()),
    ],
)
def test_choices_are_short(values: list[JsonValue], words: tuple[str, ...]) -> None:
    assert choices(values) == words


def test_many_choices_are_cut() -> None:
    assert choices([f"voice{i}" for i in range(100)])[-1] == "and 60 more"


def test_a_value_in_a_message_is_short_and_harmless() -> None:
    assert shown("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\\n"
    assert len(shown("x" * 10_000)) == 60
    assert (shown(""), shown("  "), shown(True), shown(None)) == ('""', '"  "', "true", "null")
    assert shown("é “16:9”") == "é “16:9”"


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("keyFrameFirst", "keyFramesFirst"),
        ("KEYFRAMESFIRST", "keyFramesFirst"),
        ("zzz", None),
        ("k" * 9999, None),
    ],
    ids=["near", "case", "far", "long"],
)
def test_the_nearest_name_is_found_without_regard_to_case(word: str, nearest: str | None) -> None:
    assert Speller().nearest(word, ["keyFramesFirst", "seed"]) == nearest
