"""Cells a spreadsheet cannot run, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cells import guard, mark, unguard, unmark

STARTERS = "=+-@\t\r\0＝＋－＠"
FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\0=1",
    "＝1+1",
    "－2+3",
    "  =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "\u200b=1",
    "\n=1+1",
    "-",
    "--5",
    "-5 apples",
    "+5",
    '=HYPERLINK("https://evil.example","x")',
    "=cmd|' /C calc'!A0",
    "@",
]
nasty = st.text(st.sampled_from("'=+-@\t\r\n\0 5.e＝－\ufeff\u200bx"), max_size=8)


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guard(text) == f"'{text}"
    assert unguard(guard(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s010",
        "-5",
        "-0.25",
        "-1e5",
        "1+1=2",
        "a=b",
        "'twas the night",
        "it's",
        "''",
        "https://a.b/?c=d",
        "a\t=1",
    ],
    ids=ascii,
)
def test_plain_text_and_plain_numbers_stay_as_they_are(text: str) -> None:
    assert guard(text) == text
    assert unguard(text) == text


@given(st.one_of(nasty, st.text()))
def test_reading_gives_back_what_was_written(text: str) -> None:
    assert unguard(guard(text)) == text


@given(nasty, nasty)
def test_two_texts_are_never_written_alike(one: str, other: str) -> None:
    assert (guard(one) == guard(other)) == (one == other)


@given(st.sampled_from(STARTERS), st.text(max_size=5), st.text(" \n\u00a0", max_size=3))
def test_nothing_written_begins_like_a_formula_unless_it_is_a_number(
    start: str, rest: str, blanks: str
) -> None:
    written = guard(blanks + start + rest)
    first = written.lstrip()[:1]
    assert first not in set(STARTERS) or float(written) <= 0


@given(st.text('"~nul7 -.e[]{}\t', max_size=8) | st.text(max_size=8))
def test_a_marked_text_is_read_as_itself_and_no_other_is_taken_for_marked(text: str) -> None:
    cell = mark(text)
    assert cell in {text, f'"{text}"'}
    assert (unmark(cell) if cell != text else text) == text
    assert cell != text or unmark(cell) is None


@pytest.mark.parametrize("text", ["", " ", "~", "null", "true", "7", "-0.5e3", "[]", " x", "x ", '""', '"7"'])
def test_what_a_bare_cell_cannot_say_is_marked(text: str) -> None:
    assert mark(text) == f'"{text}"'


@pytest.mark.parametrize("text", ["x", '"Stop"', 'He says "no"', '"', '"""', "None", "1e", "007a", "TRUE"])
def test_other_texts_stand_as_they_are(text: str) -> None:
    assert mark(text) == text
