"""No two takes, outputs or purposes can have one name, on any system, whatever the ids are."""

from __future__ import annotations

import unicodedata
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.ids import why_no_take
from runner.media.clips.clip_names import (
    SEPARATOR,
    clip_name,
    part_name,
    part_note_name,
    rejected_name,
    rejected_note_name,
    set_aside_word,
    sidecar_name,
    stem_of,
)
from runner.media.file_kinds import BIN, KINDS
from runner.plan.identity import take_id

EXTENSIONS = sorted({*KINDS, BIN.extension})
ASIDE = ["", "changed", "moving", set_aside_word("2"), set_aside_word("req-1")]
# Pieces with which older names, other outputs and hidden files could be imitated.
PIECES = st.sampled_from(
    [
        "s",
        "S",
        "1",
        ".",
        "-",
        "_",
        "2",
        ".2",
        ".mp4",
        ".json",
        ".part",
        ".rejected",
        ".moving",
        ".tmp",
        ".changed",
    ]
)
SHOTS = st.lists(PIECES, max_size=5).map(lambda pieces: f"s{''.join(pieces)}".rstrip("."))
VALUES = st.one_of(
    st.sampled_from([1, 2.5, True, "2", "a+2", "a#2", ".2", "x.mp4", "É"]), st.text(max_size=5)
)
POINTS = st.dictionaries(st.sampled_from(["seed", "n.2", "a+b", "model"]), VALUES, max_size=2)
TAKES = st.builds("{}{}".format, st.builds(take_id, SHOTS, POINTS), st.sampled_from(["", "~1", "~2"]))


def folded(name: str) -> str:
    """Return a name as a system sees it that knows neither case nor forms of letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def names(take: str, outputs: int = 64) -> list[str]:
    """Return every name that files of one take can get, each once."""
    indexes, numbers = range(outputs), (1, 2, 3)
    return [
        *(
            clip_name(take, index, ext, aside=word)
            for index, ext, word in product(indexes, EXTENSIONS, ASIDE)
        ),
        *(sidecar_name(take, aside=word) for word in ASIDE),
        *(rejected_name(take, index, number=number) for index, number in product(indexes, numbers)),
        *(name(take, index) for name in (part_name, part_note_name, rejected_note_name) for index in indexes),
    ]


@settings(max_examples=30, deadline=None)
@given(takes=st.lists(TAKES, min_size=2, max_size=4, unique_by=folded))
def test_no_two_names_are_one(takes: list[str]) -> None:
    """With those under which a file is written before it has its own."""
    visible = [name for take in takes for name in names(take, outputs=12)]
    every = [*visible, *(f".{name}.tmp" for name in visible)]
    assert len({folded(name) for name in every}) == len(every)


def test_all_the_names_of_one_take_differ() -> None:
    every = names("s010@seed=2")
    assert len({folded(name) for name in every}) == len(every)


@given(
    take=TAKES, index=st.integers(0, 63), extension=st.sampled_from(EXTENSIONS), word=st.sampled_from(ASIDE)
)
def test_a_name_says_whose_it_is(take: str, index: int, extension: str, word: str) -> None:
    assert stem_of(clip_name(take, index, extension, aside=word)) == take
    assert stem_of(sidecar_name(take, aside=word)) == take
    assert stem_of(rejected_name(take, index)) == take


@given(take=TAKES)
def test_every_take_is_a_stem_and_its_names_are_short_enough(take: str) -> None:
    assert not take.startswith(".")
    assert not set(take) & {SEPARATOR, "/"}
    longest = max((f".{name}.tmp" for name in names(take, outputs=2)), key=lambda name: len(name.encode()))
    assert len(longest.encode()) - len(take.encode()) + 200 <= 255


@pytest.mark.parametrize("take", ["s010@x+2", "s010@+", "s010@a+b=2"])
def test_no_manifest_can_bring_the_separator_in(take: str) -> None:
    assert SEPARATOR in take
    assert why_no_take(take, shot="s010") == "holds characters that a file name cannot have"


def test_no_kind_of_file_has_an_extension_that_other_files_beside_it_have() -> None:
    assert not {"json", "rejected", "part", "tmp"}.intersection(EXTENSIONS)
    assert all(ext.isascii() and ext.isalnum() and ext == ext.lower() for ext in EXTENSIONS)


def test_the_first_output_has_the_name_of_its_take() -> None:
    assert [clip_name("s010", index, "mp4") for index in range(3)] == ["s010.mp4", "s010+2.mp4", "s010+3.mp4"]
