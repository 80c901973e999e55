"""Choosing takes of a real, simulated run: decisions in the user's own file, files of others, and further takes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.commands.pick import choices_of, decide, import_picks
from runner.commands.plan import preview
from runner.commands.report import report
from runner.commands.reroll import propose_takes
from runner.commands.run import run_manifest
from runner.commands.status import status
from runner.commands.steps.request import RunRequest
from runner.domain.errors import PicksInvalid, UsageError
from runner.domain.picks import Decision
from runner.plan.actions import Action
from runner.plan.selection import Choice
from runner.simulator.settings import SimulatorSettings
from runner.store.picks_file import read_picks
from runner.system.clock import SystemClock

FAST = SimulatorSettings(speed=500.0, render=False)
HEAD = """version: 1
defaults:
  model: pika/pika-2-2/image-to-video
  inputs: {image: https://example.com/a.jpg, duration: 5, promptText: "%s"}
  sweep: {seed: {random: 3}}
shots:
"""
BOARD = f"""{HEAD % "A boat."}
  - id: s010
  - id: s020
    sweep:
      seed:
        - 1   # the first
        - 2   # the last
  - id: s030
    sweep: {{}}
  - {{id: s040, sweep: {{seed: 1000-1001, resolution: [720p, 1080p]}}}}
"""
FIRST, SECOND, THIRD = "s010_t01", "s010_t02", "s010_t03"


class PastClock(SystemClock):
    """A clock of a minute ago."""

    def wall(self) -> float:
        return super().wall() - 60.0


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a board and its finished run."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "board.yaml").write_text(BOARD)
    assert run_manifest(folder / "board.yaml", simulate=FAST, inspect=False).counts
    return folder


@pytest.fixture
def board(rendered: Path, tmp_path: Path) -> Path:
    """Return a board of its own with the same finished run."""
    shutil.copytree(rendered, tmp_path / "b")
    return tmp_path / "b" / "board.yaml"


def place(board: Path) -> Path:
    return board.parent / "reports" / "board-simulated"


def said(board: Path) -> Mapping[str, Decision]:
    found = choices_of(board)
    return {found.label(take): decision for take, decision in found.picks.decisions.items()}


def test_a_take_is_named_by_shot_and_number_by_label_or_by_id(board: Path) -> None:
    decide(board, ["s010", "2", "3", "s020", "t01"], Decision.PICK, who="ann")
    decide(board, ["s030", "s020@seed=2"], Decision.REJECT, who="ann")
    assert said(board) == {
        SECOND: Decision.PICK,
        THIRD: Decision.PICK,
        "s020_t01": Decision.PICK,
        "s030_t01": Decision.REJECT,
        "s020_t02": Decision.REJECT,
    }


@pytest.mark.parametrize(
    ("words", "message", "advice"),
    [
        (["s010"], "shot 's010' has 3 takes; which?", "name them by number: 1, 2, 3"),
        (["s010", "9"], "shot 's010' has no take 9", "it has 1, 2, 3"),
        (["s01_t01"], "there is no take 's01_t01'", "did you mean s010_t01"),
    ],
)
def test_a_name_that_means_no_take_is_refused_and_nothing_is_written(
    board: Path, words: list[str], message: str, advice: str
) -> None:
    with pytest.raises(UsageError) as refused:
        decide(board, words, Decision.PICK, who="ann")
    assert refused.value.message == message
    assert advice in refused.value.advice
    assert not (place(board) / "picks.csv").exists()


def test_the_same_decision_again_changes_nothing_and_a_dry_run_writes_nothing(board: Path) -> None:
    assert decide(board, [FIRST], Decision.PICK, who="ann", dry_run=True).changed
    assert not (place(board) / "picks.csv").exists()
    assert decide(board, [FIRST], Decision.PICK, who="ann").changed
    assert not decide(board, [FIRST], Decision.PICK, who="ann").changed


def test_a_decision_is_taken_back_with_its_note_kept_as_a_comment(board: Path) -> None:
    decide(board, [FIRST], Decision.PICK, who="ann", note="lovely")
    decide(board, [FIRST], None, who="ann")
    picks = read_picks(place(board))
    assert not picks.decisions
    assert [row.note for row in picks.rows if row.is_comment] == ["lovely"]


def test_conflicts_are_shown_until_one_is_settled_and_an_import_cannot_bring_it_back(board: Path) -> None:
    bobs = board.parent / "bob.csv"
    # A clock that is fast on the other machine decides nothing for ever.
    bobs.write_text("shot,take,decision,note,who,when\ns010,1,no,,bob,2127-01-31T07:00:00Z\n")
    decide(board, [FIRST], Decision.PICK, who="ann")
    done = import_picks(board, bobs, who="ann")
    assert done.read_as == {("no", Decision.REJECT): 1}
    (rows,) = done.choices.picks.conflicts.values()
    assert {row.who: row.decision for row in rows} == {"ann": Decision.PICK, "bob": Decision.REJECT}
    decide(board, [FIRST], Decision.PICK, who="ann", settle=True)
    assert not import_picks(board, bobs, who="ann").changed
    assert not choices_of(board).picks.conflicts
    assert said(board) == {FIRST: Decision.PICK}


@pytest.mark.parametrize(("at", "counts"), [("", {}), (",at", {FIRST: Decision.PICK})])
def test_a_lone_note_takes_back_a_decision_unless_the_file_is_one_of_comments(
    board: Path, at: str, counts: Mapping[str, Decision]
) -> None:
    decide(board, [FIRST], Decision.PICK, who="ann", clock=PastClock())
    pages = board.parent / "page.csv"
    pages.write_text(f"shot,take,decision,note,who{at}\ns010,1,,not sure,ann{',' if at else ''}\n")
    import_picks(board, pages, who="bob")
    assert said(board) == counts
    assert [row.note for row in read_picks(place(board)).rows if row.is_comment] == ["not sure"]
    assert not import_picks(board, pages, who="bob").changed


def test_a_report_makes_the_round_trip_with_the_cells_that_were_changed_alone(board: Path) -> None:
    decide(board, ["s010", "1", "2"], Decision.PICK, who="ann")
    path = report(board).csv
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    place_of = header.index("pick")
    assert [row[place_of] for row in rows[:3]] == ["pick", "pick", ""]
    rows[1][place_of], rows[2][place_of] = "-", "x"
    with (board.parent / "bobs.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *rows])
    done = import_picks(board, board.parent / "bobs.csv", who="bob")
    assert [(row.who, row.decision) for row in done.changed] == [
        ("bob", Decision.REJECT),
        ("bob", Decision.PICK),
    ]
    assert not import_picks(board, board.parent / "bobs.csv", who="bob").changed


def test_a_file_with_a_bad_cell_is_left_alone_and_stops_no_run(board: Path) -> None:
    path = place(board) / "picks.csv"
    path.write_text("take,decision\ns030,perhaps\n")
    with pytest.raises(PicksInvalid, match="line 2, column decision"):
        decide(board, [FIRST], Decision.PICK, who="ann")
    assert path.read_text() == "take,decision\ns030,perhaps\n"
    counts = status(board).choices
    assert counts is not None
    assert "line 2" in counts.fault
    summary = run_manifest(board, simulate=FAST, inspect=False, moved=True)
    assert summary.reports is not None
    assert "the reports have no picks: picks.csv: line 2" in summary.remarks[0]


def test_status_counts_shots_with_a_pick_and_rejected_takes(board: Path) -> None:
    assert status(board).choices is None
    decide(board, ["s010", "1", "2", "s020", "1"], Decision.PICK, who="ann")
    decide(board, [THIRD], Decision.REJECT, who="ann")
    counts = status(board).choices
    assert counts is not None
    assert (counts.picked, counts.shots, counts.rejected) == (2, 4, 1)


def test_a_decision_does_not_count_for_a_clip_that_was_rendered_later(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(f"{HEAD % 'A boat.'}  - {{id: s010, sweep: {{}}}}\n")
    run_manifest(board, simulate=FAST, inspect=False)
    decide(board, ["s010"], Decision.PICK, who="ann", clock=PastClock())
    board.write_text(f"{HEAD % 'A ship.'}  - {{id: s010, sweep: {{}}}}\n")
    run_manifest(board, simulate=FAST, inspect=False, stale=True)
    picks = read_picks(place(board))
    assert not picks.decisions
    assert [row.take for row in picks.older] == ["s010"]
    decide(board, ["s010"], Decision.REJECT, who="ann")
    assert read_picks(place(board)).decisions == {"s010": Decision.REJECT}


# reroll


@pytest.mark.parametrize(
    ("shot", "line", "count"),
    [
        ("s010", "    sweep: {seed: {random: 5}}", 2),
        ("s020", "        - 974843030", 2),
        ("s030", "    takes: 3", 2),
        ("s040", "  - {id: s040, sweep: {seed: 1000-1003, resolution: [720p, 1080p]}}", 4),
    ],
)
def test_a_reroll_submits_the_new_takes_alone(board: Path, shot: str, line: str, count: int) -> None:
    found = propose_takes(board, shot, takes=2, anyway=True)
    assert found.proposal is not None
    assert f"+{line}" in found.proposal.diff
    assert board.read_text() == BOARD
    board.write_bytes(found.proposal.after)
    steps = preview(RunRequest(board, simulate=FAST)).steps
    sent = [step.take_id for step in steps if step.action is Action.SUBMIT]
    assert sent == [take.id for take in found.added]
    assert len(sent) == count
    assert {step.action for step in steps} == {Action.SUBMIT, Action.SKIP}


def test_a_reroll_waits_until_every_take_is_rejected(board: Path) -> None:
    decide(board, ["s010", "1", "2"], Decision.REJECT, who="ann")
    with pytest.raises(UsageError, match=r"not all takes .* s010_t03 \(undecided\)"):
        propose_takes(board, "s010")
    decide(board, [THIRD], Decision.REJECT, who="ann")
    assert len(propose_takes(board, "s010").added) == 3


@pytest.mark.parametrize(
    ("cells", "changed"),
    [
        (",", "s010,{model},https://e.com/a.jpg,3,"),
        ("2,", "s010,{model},https://e.com/a.jpg,4,"),
        (",1000-1001", "s010,{model},https://e.com/a.jpg,,1000-1003"),
        (",0-100:50", "s010,{model},https://e.com/a.jpg,,0-200:50"),
        (",random 2", "s010,{model},https://e.com/a.jpg,,random 4"),
        (',"7; 8"', 's010,{model},https://e.com/a.jpg,,"7; 8; 165241460; 1488684392"'),
    ],
)
def test_a_reroll_changes_one_cell_of_a_sheet(tmp_path: Path, cells: str, changed: str) -> None:
    model, board = "pika/pika-2-2/image-to-video", tmp_path / "board.csv"
    head = "id,model,image,takes,seeds\r\n"
    board.write_text(f"{head}s010,{model},https://e.com/a.jpg,{cells}\r\n", newline="")
    run_manifest(board, simulate=FAST, inspect=False)
    found = propose_takes(board, "s010", takes=2, anyway=True)
    assert found.proposal is not None
    assert found.proposal.after.decode() == f"{head}{changed.format(model=model)}\r\n"


@pytest.mark.parametrize(
    "shot",
    [
        "{id: s010, sweep: {}, inputs: {seed: 7}}",
        "{id: s010, sweep: {'[seed, duration]': [[7, 5], [8, 10]]}}",
        "{id: s010, sweep: {seed: '{{ first }}'}}",
    ],
)
def test_a_form_that_cannot_be_changed_safely_gets_the_seeds_to_write(tmp_path: Path, shot: str) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(f"vars: {{first: 5}}\n{HEAD % 'A boat.'}  - {shot}\n")
    run_manifest(board, simulate=FAST, inspect=False)
    found = propose_takes(board, "s010", takes=2, anyway=True)
    assert found.proposal is None
    assert len(found.seeds) == 2


def test_a_shared_sweep_is_not_changed_for_another_shot(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    shots = "  - {id: s010, sweep: &two {seed: [1, 2]}}\n  - {id: s020, sweep: *two}\n"
    board.write_text(f"{HEAD % 'A boat.'}{shots}")
    run_manifest(board, simulate=FAST, inspect=False)
    assert propose_takes(board, "s010", takes=2, anyway=True).proposal is None


def test_every_command_that_chooses_takes_knows_decisions(board: Path) -> None:
    decide(board, [SECOND], Decision.PICK, who="ann")
    chosen = preview(RunRequest(board, simulate=FAST, choice=Choice(("picked",)))).steps
    assert [step.take_id for step in chosen] == [choices_of(board).names.shots["s010"][1].take_id]


# the commands


def shotrunner(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> tuple[str, str]:
    """Return what a command prints: its result, and what it says beside it."""
    assert main([str(word) for word in words]) == code
    said = capsys.readouterr()
    return said.out, said.err


def test_the_list_shows_every_shot_and_where_people_differ(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = shotrunner(capsys, "pick", board, "s010", 1, 2, "--who", "ann", "--note", "\x1b[31mfine")
    assert out == f"{FIRST}: picked\n{SECOND}: picked\n"
    assert err == f"s010 has 2 picked takes; {FIRST} plays in a cut\n"
    shotrunner(capsys, "reject", board, FIRST, "--who", "bob")
    out, _ = shotrunner(capsys, "pick", board, "--list")
    assert out.splitlines()[:3] == [
        "shot  picked  rejected  maybe  undecided  notes",
        r"s010  2       1         -      3          1: \x1b[31mfine; 2: \x1b[31mfine",
        "s020  -       -         -      1 2",
    ]
    assert f"  {FIRST}  ann: picked, bob: rejected; rejected counts" in out.splitlines()
    found = json.loads(shotrunner(capsys, "pick", board, "--list", "--output", "json")[0])
    assert found["format"] == "shotrunner-picks/1"
    assert [each["label"] for each in found["conflicts"]] == [FIRST]
    assert "picked 1 of 4 shots · 1 rejected" in shotrunner(capsys, "status", board)[0].splitlines()


def test_a_reroll_is_written_only_on_request_and_names_the_next_commands(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shotrunner(capsys, "reject", board, "s030", "--who", "ann")
    out, _ = shotrunner(capsys, "reroll", board, "s030")
    verbs = [line.split()[2] for line in out.splitlines() if line.startswith("  → shotrunner")]
    assert verbs == ["reroll", "plan", "run"]
    assert board.read_text() == BOARD
    shotrunner(capsys, "reroll", board, "s030", "--write", "-y")
    assert "  - id: s030\n    takes: 2\n" in board.read_text()


@pytest.mark.parametrize(
    "words",
    [["pick"], ["pick", "s010", "1", "--list"], ["pick", "s010", "1", "--maybe", "--clear"], ["reject"]],
)
def test_a_command_that_does_not_say_one_thing_is_refused(
    board: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    verb, *others = words
    assert shotrunner(capsys, verb, board, *others, code=64)[0] == ""


def test_decisions_follow_takes_whose_ids_the_manifest_changed(board: Path) -> None:
    decide(board, ["s020_t02"], Decision.PICK, who="ann")
    board.write_text(board.read_text().replace("id: s020\n", "id: s025\n", 1))
    run_manifest(board, simulate=FAST, moved=True)
    assert said(board) == {"s025_t02": Decision.PICK}
    decide(board, ["s025_t02"], Decision.REJECT, who="ann")
    assert said(board) == {"s025_t02": Decision.REJECT}
    assert len(read_picks(place(board)).rows) == 1


def test_of_decisions_at_one_time_none_is_lost(board: Path) -> None:
    people = [f"person {number}" for number in range(8)]
    with ThreadPoolExecutor(len(people)) as threads:
        list(threads.map(lambda who: decide(board, [FIRST], Decision.PICK, who=who), people))
    assert {row.who for row in read_picks(place(board)).rows} == set(people)


def test_a_decision_of_the_last_moment_there_is_can_be_settled(board: Path) -> None:
    decide(board, [FIRST], Decision.PICK, who="ann")
    path = place(board) / "picks.csv"
    path.write_text(re.sub(r"2\d{3}-\S+Z", "9999-12-31T23:59:59.999999Z", path.read_text()))
    decide(board, [FIRST], Decision.REJECT, who="bob", settle=True)
    assert said(board) == {FIRST: Decision.REJECT}
