"""Cells a spreadsheet cannot run, and the way back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.system.csv_cells import guard, mark, unguard, unmark

STARTERS = "=+-@\t\r\0＝＋－＠"
FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\0=1",
    "＝1+1",
    "－2+3",
    "  =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "\u200b=1",
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
        "a; b - c",
        "9:16",
        "1; -5; 7",
        "wide, slow: a = b",
        "-5.5e3",
    ],
    ids=ascii,
)
def test_plain_text_and_plain_numbers_stay_as_they_are(text: str) -> None:
    assert guard(text) == text
    assert unguard(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("night;=cmd|' /C calc'!A0", "night;'=cmd|' /C calc'!A0"),
        ("a\t=1", "a\t'=1"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1+1", "\n'=1+1"),
        ("a\n\n@b", "a\n\n'@b"),
        ('he said "-no"', 'he said "\'-no"'),
        ("x|+1|-2 apples", "x|'+1|'-2 apples"),
        ("a,\u200b＝1", "a,'\u200b＝1"),
        ("a;'=1", "a;''=1"),
    ],
    ids=ascii,
)
def test_a_formula_anywhere_a_spreadsheet_may_split_gets_its_apostrophe(text: str, written: str) -> None:
    assert guard(text) == written
    assert unguard(written) == text


def fields(raw: str, separator: str) -> Iterator[str]:
    """Yield what a program may take for fields: with quotes heeded or not, whole, and line by line."""
    for line in re.split(r"\r\n|\r|\n", raw):
        yield from line.split(separator)
        yield from (field.strip('"') for field in line.split(separator))
    for row in csv.reader(io.StringIO(raw, newline=""), delimiter=separator):
        yield from row
        yield from (line for cell in row for line in re.split(r"\r\n|\r|\n", cell))


NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
split = st.text(st.sampled_from("'=+-@\t\r\n,;|\" 5ax＝\u2212\ufeff\u200b"), max_size=12)


@given(st.lists(st.one_of(split, split, st.text()), min_size=1, max_size=3))
def test_no_field_begins_like_a_formula_however_the_file_is_split(texts: list[str]) -> None:
    made = io.StringIO(newline="")
    csv.writer(made).writerow([guard(text) for text in texts])
    for separator in ",;\t|":
        for field in fields(made.getvalue(), separator):
            # A quote that opens in the middle of a row takes the row's own end for text.
            bare = field.removeprefix("\r\n").strip(" \ufeff\u200b\u00a0")
            # A plain number is no formula, nor with a separator behind it that the program does not split at.
            first = re.split(r'[,;|\t\r\n"]', bare)[0].rstrip(" ")
            assert NUMBER.fullmatch(first) or not bare.startswith(tuple(STARTERS)), (separator, field)


@given(st.one_of(nasty, split, st.text()))
def test_reading_gives_back_what_was_written(text: str) -> None:
    assert unguard(guard(text)) == text


@given(nasty, nasty)
def test_two_texts_are_never_written_alike(one: str, other: str) -> None:
    assert (guard(one) == guard(other)) == (one == other)


@given(st.sampled_from(STARTERS), st.text(max_size=5), st.text(" \n\u00a0", max_size=3))
@example("-", "0\r0", "")
def test_nothing_written_begins_like_a_formula_unless_it_is_a_number(
    start: str, rest: str, blanks: str
) -> None:
    written = guard(blanks + start + rest)
    first = written.lstrip()[:1]
    # A spreadsheet may end the cell at any joint.
    assert first not in set(STARTERS) or float(re.split('[,;|\t\r\n"]', written.lstrip())[0]) <= 0


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
