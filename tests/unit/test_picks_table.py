"""The user's file of picks: read however a spreadsheet wrote it, merged by the newest word, and written as it was."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.commands.pick import meant_takes
from runner.domain.errors import PicksInvalid, UsageError
from runner.domain.picks import Decision, Pick, Picks, newest, settled
from runner.domain.take_names import FormerName, NamedTake, TakeNames
from runner.store.picks_table import PicksTable, moment, read_table

EARLY, LATE = "2027-01-31T07:00:00Z", "2027-01-31T08:00:00Z"
HEADER = "shot,take,decision,note,who,when\r\n"
NAMES = TakeNames([NamedTake("s010@seed=7", "s010", 1, 10.0), NamedTake("s010@seed=8", "s010", 2, 20.0)])

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).map(str.strip)
picks = st.builds(
    Pick,
    shot=st.sampled_from(["s010", "s020"]),
    take=st.sampled_from(["s010", "s010@seed=7", "s020"]),
    decision=st.none() | st.sampled_from(Decision),
    note=texts,
    who=st.sampled_from(["ann", "bob", ""]),
    when=st.sampled_from(["", EARLY, LATE]),
    at=st.none() | st.sampled_from([0.0, 2.5]),
)


def pick(decision: Decision | None, who: str = "ann", when: str = EARLY, *, take: str = "s010") -> Pick:
    return Pick("s010", take, decision, who=who, when=when)


def read(text: str, who: str = "", when: str = "") -> PicksTable:
    return read_table(text.encode(), file="picks.csv", who=who, when=when)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_file_is_read_as_any_spreadsheet_writes_it_and_stays_so(
    mark: str, separator: str, line_end: str
) -> None:
    lines = ["Take,Shot,mine,DECISION,who", "s010,s010,=A1,pick,ann", ",,kept,,"]
    text = mark + "".join(line.replace(",", separator) + line_end for line in lines)
    table = read(text)
    assert table.rows == (Pick("s010", "s010", Decision.PICK, who="ann"),)
    assert table.to_bytes() == text.encode()


def test_a_changed_row_keeps_its_place_and_the_cells_of_unknown_columns() -> None:
    table = read("take,mine,decision,who\ns010,a,pick,ann\ns020,b,pick,ann\n")
    merged = table.merged([pick(Decision.REJECT)])
    lines = merged.table.to_bytes().decode().splitlines()
    assert lines[0] == "take,mine,decision,who,shot,note,when"
    assert lines[1] == f"s010,a,reject,ann,s010,,{EARLY}"
    assert lines[2].startswith("s020,b,pick,ann")


def test_every_bad_cell_is_named_with_its_line_and_column() -> None:
    text = HEADER + 's010,s010,pick,"two\r\nlines",ann,\r\ns010,s010,perhaps,,,yesterday\r\ns010,,pick,,,\r\n'
    with pytest.raises(PicksInvalid) as refused:
        read(text)
    assert refused.value.message == (
        "picks.csv: line 4, column decision: 'perhaps' is not a decision; "
        "line 4, column when: 'yesterday' is not a time such as 2027-01-31T07:00:00Z; "
        "line 5, column take: is empty"
    )


@pytest.mark.parametrize("text", ["id,decision\n", "shot,take\n", "one line"])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(PicksInvalid, match="first line"):
        read(text)


def test_a_file_that_is_not_utf_8_is_refused_with_what_to_do() -> None:
    with pytest.raises(PicksInvalid, match="byte 35 is not UTF-8"):
        read_table(HEADER.encode() + b"\xe9", file="picks.csv")


def test_a_report_whose_column_pick_was_filled_in_is_read_with_the_words_that_people_use() -> None:
    table = read("id,take,pick,note\ns,s@a,X,n\ns,s@b,ok,\ns,s@c,-,\ns,s@d,,\n", "me", LATE)
    assert table.is_report
    assert [(row.take, row.decision) for row in table.rows] == [
        ("s@a", Decision.PICK),
        ("s@b", Decision.PICK),
        ("s@c", Decision.REJECT),
    ]
    assert {(row.who, row.when, row.note) for row in table.rows} == {("me", LATE, "")}
    assert table.read_as == {
        ("X", Decision.PICK): 1,
        ("ok", Decision.PICK): 1,
        ("-", Decision.REJECT): 1,
    }


@pytest.mark.parametrize(
    ("cell", "second"), [("2.5", 2.5), ("0:02.5", 2.5), ("1:00:01", 3601.0), ('"2,5"', 2.5)]
)
def test_a_row_with_a_note_alone_is_a_comment_at_its_time(cell: str, second: float) -> None:
    (row,) = read(f"take,decision,note,at\ns010,,too dark,{cell}\n").rows
    assert (row.is_comment, row.at, row.note) == (True, second, "too dark")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-31T08:00:00+01:00", EARLY),
        ("2027-01-31 07:00", EARLY),
        ("2027-01-31T07:00:00.500Z", "2027-01-31T07:00:00.500Z"),
        ("0001-01-01T00:00:00+23:00", None),
        ("31.1.2027", None),
        ("31.01.2027 07:00", EARLY),
        ("31.1.2027 7:00:00", EARLY),
        ("2027-01-31 7:00", EARLY),
        # The first of February, or the second of January.
        ("1/2/2027 7:00", None),
    ],
)
def test_times_are_understood_in_any_zone(text: str, expected: str | None) -> None:
    assert moment(text) == expected


def test_the_newest_word_counts_and_of_two_at_once_the_later() -> None:
    rows = (pick(Decision.PICK, when=LATE), pick(Decision.REJECT, "bob"), pick(Decision.MAYBE))
    assert newest(rows)["s010"].decision is Decision.PICK
    assert newest(rows[1:])["s010"].decision is Decision.MAYBE


def test_a_row_without_decision_and_note_takes_back_only_the_word_of_its_person() -> None:
    rows = (pick(Decision.PICK), pick(Decision.REJECT, "bob"), pick(None, "bob", LATE))
    assert Picks(rows).decisions == {"s010": Decision.PICK}


def test_people_who_differ_are_a_conflict_until_one_agrees() -> None:
    differ = (pick(Decision.PICK), pick(Decision.REJECT, "bob"))
    assert Picks(differ).conflicts == {"s010": differ}
    assert not Picks((*differ, pick(Decision.PICK, "bob", LATE))).conflicts


def test_names_that_people_write_become_ids_and_unknown_ones_are_kept() -> None:
    rows = read("shot,take,decision\ns010,2,pick\n,s010_t01,reject\ns,s9,pick\n").named(NAMES).rows
    found = settled(rows, NAMES)
    assert [row.take for row in found.rows] == ["s010@seed=8", "s010@seed=7", "s9"]
    assert found.unknown == ("s9",)


def test_a_decision_belongs_to_the_clip_that_it_was_made_for() -> None:
    finished = 1801378800.9  # 2027-01-31T07:00:00.9Z
    again = [NamedTake("s010", "s010", 1, finished), NamedTake("s010~1", "s010", 1, 10.0)]
    early, same = pick(Decision.PICK, when="2027-01-31T06:59:59Z"), pick(Decision.REJECT, "bob")
    found = settled([early, same], TakeNames(again))
    assert (found.rows, found.older) == ((same,), (early,))
    # Without an older render nothing was rendered anew, whatever the clocks say.
    assert not settled([early], TakeNames(again[:1])).older


@given(st.lists(picks, max_size=8), st.lists(picks, max_size=8))
def test_a_merge_is_done_once_and_comes_back_from_the_file(first: list[Pick], second: list[Pick]) -> None:
    once = PicksTable().merged(first).table.merged(second).table
    again = once.merged(sorted(second, key=lambda row: row.moment)).table
    assert again.merged(second).table.merged(again.rows).changed == ()
    assert read_table(once.to_bytes(), file="picks.csv").rows == tuple(
        row for row in once.rows if row.take or row.note
    )


@given(st.lists(picks, max_size=12))
def test_the_order_in_which_files_are_merged_decides_nothing_but_ties(rows: list[Pick]) -> None:
    timed = {(row.take, row.who, row.when): row for row in rows if row.when and not row.is_comment}
    forward = PicksTable().merged(timed.values()).table.rows
    backward = PicksTable().merged(reversed(timed.values())).table.rows
    assert set(forward) == set(backward)


@given(texts)
def test_no_cell_that_is_written_can_be_a_formula(note: str) -> None:
    data = PicksTable().merged([Pick("=s", "=t", Decision.PICK, note, "@who")]).table.to_bytes()
    (_, cells) = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert not any(cell[:1] in {"=", "+", "@"} for cell in cells)
    assert not cells[3].startswith("-") or cells[3][1:2].isdigit()


LIKE_LABELS = TakeNames(
    [
        NamedTake("s010@seed=7", "s010", 1, 10.0),
        NamedTake("s010@seed=8", "s010", 2, 10.0),
        NamedTake("s010_t02", "s010_t02", 1, 10.0),
        NamedTake("010@seed=1", "010", 1, 10.0),
        NamedTake("010@seed=2", "010", 2, 10.0),
        NamedTake("020", "020", 1, 10.0),
        NamedTake("0020", "0020", 1, 10.0),
        NamedTake("030", "030", 1, 10.0),
    ]
)


@pytest.mark.parametrize(
    ("shot", "cell", "expected"),
    [
        ("s010", "s010_t02", "s010@seed=8"),
        ("s010_t02", "s010_t02", "s010_t02"),
        ("10", "2", "010@seed=2"),
        ("10", "010@seed=1", "010@seed=1"),
        ("30", "30", "030"),
        # Two shots differ by zeros alone.
        ("20", "20", "20"),
    ],
)
def test_the_shot_of_a_row_and_zeros_that_a_spreadsheet_dropped_are_understood(
    shot: str, cell: str, expected: str
) -> None:
    (row,) = read(f"shot,take,decision\n{shot},{cell},pick\n").named(LIKE_LABELS).rows
    assert row.take == expected


def test_a_word_that_is_a_shot_and_the_label_of_another_take_is_refused_with_both() -> None:
    with pytest.raises(UsageError) as refused:
        meant_takes(LIKE_LABELS, ["s010_t02"])
    assert refused.value.message == (
        "'s010_t02' means two takes: s010_t02 of shot s010_t02, and take 2 of shot s010"
    )
    assert refused.value.advice == "write s010_t02 1, or s010 2"
    assert [take.take_id for take in meant_takes(LIKE_LABELS, ["s010_t02", "1"])] == ["s010_t02"]
    assert [take.take_id for take in meant_takes(LIKE_LABELS, ["s010", "2"])] == ["s010@seed=8"]


@pytest.mark.parametrize(
    ("when", "expected"), [(EARLY, "s020"), (LATE, "s010"), ("", "s010")], ids=["before", "after", "unknown"]
)
def test_a_decision_follows_its_take_when_ids_move_on(when: str, expected: str) -> None:
    # A shot was inserted before: s010 became s020, and s020 became s030.
    at = datetime.fromisoformat("2027-01-31T07:30:00Z").timestamp()
    names = TakeNames(
        [NamedTake(shot, shot, 1, 10.0) for shot in ("s010", "s020", "s030")],
        [FormerName("s020", "s010", at), FormerName("s030", "s020", at)],
    )
    table = read(HEADER + f"s010,s010,pick,,ann,{when}\r\n").named(names)
    assert settled(table.rows, names).decisions == {expected: Decision.PICK}
    # An import writes the id of that time, so that the next reader finds the same take.
    written = PicksTable().merged(table.rows).table.to_bytes()
    assert read_table(written, file="picks.csv").named(names).rows == table.rows
    # The next word of the same person is about the same take.
    again = table.merged([Pick(expected, expected, Decision.REJECT, who="ann", when="2027-02-01T07:00:00Z")])
    assert len(again.table.rows) == 1


def test_a_decision_on_a_take_whose_old_id_is_free_follows_it_at_any_time() -> None:
    names = TakeNames([NamedTake("new", "new", 1, 10.0)], [FormerName("new", "old", 0.0)])
    (row,) = read(HEADER + f"old,old,pick,,ann,{LATE}\r\n").named(names).rows
    assert row.take == "new"
