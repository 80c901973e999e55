"""Several runs together: one page, one CSV and one line each, with exact sums that never mix paid and simulated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path

import pytest

from runner.commands.runs_report import report_of_runs
from runner.commands.runs_status import absent_shards, status_of_runs
from runner.commands.steps.find_runs import find_runs, names_of_runs
from runner.domain.errors import FileMissing, UsageError
from runner.domain.money import Charge, Spending
from runner.domain.picks import Decision, Pick, Picks
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shards import Shard
from runner.output.clip_links import ClipLinks
from runner.output.report_view import Beside, Card
from runner.output.runs_report import RunPart, RunsReport
from runner.output.runs_text import RunLine, absent_lines, run_lines, sum_lines
from runner.store.run_dir import STATE_FILE
from tests.integration.store_samples import HEADER, new_state_file
from tests.unit.output_records import NOW, delivered, header, pending

DIME = Spending((Charge("s010", cost=0.1),))


def part(
    name: str,
    takes: Sequence[TakeRecord],
    *,
    run: RunHeader | None = None,
    spending: Spending = DIME,
    simulated: bool = False,
    beside: Beside | None = None,
) -> RunPart:
    of = run or header(name="board")
    return RunPart(name, f"../{name}", of, spending, simulated, lambda: takes, beside or Beside())


def table(report: RunsReport) -> list[dict[str, str]]:
    file = BytesIO()
    report.write_csv(file)
    return [*csv.DictReader(StringIO(file.getvalue().decode("utf-8-sig")))]


def cards(report: RunsReport) -> list[Card]:
    return [*report.cards()]


def done(take_id: str, position: int | None = 0) -> TakeRecord:
    return delivered(replace(pending(take_id), position=position))


def test_takes_of_one_board_come_in_its_order_whichever_shard_has_them() -> None:
    report = RunsReport(
        [part("b-1", [done("s010", 0), done("s030", 2)]), part("b-2", [done("s020", 1), done("old", None)])],
        NOW,
    )
    assert [card["id"] for card in cards(report)] == ["s010", "s020", "s030", "old"]
    assert [row["take"] for row in table(report)] == ["s010", "s020", "s030", "old"]


def test_each_row_and_card_names_its_run_and_leads_into_its_folder() -> None:
    both = [part("one", [done("s010")]), part("a #2", [done("s010")])]
    report = RunsReport(both, NOW)
    first, second = cards(report)
    assert (first["point"][0], second["point"][0]) == ("run=one", "run=a #2")
    assert first["clip"] == "../one/clips/s010.mp4"
    # A link is quoted, the path in the table is as it is.
    assert second["clip"] == "../a%20%232/clips/s010.mp4"
    assert [(row["run"], row["file"]) for row in table(report)] == [
        ("one", "../one/clips/s010.mp4"),
        ("a #2", "../a #2/clips/s010.mp4"),
    ]


@pytest.mark.parametrize(
    ("link", "on_page"),
    [
        (None, None),
        ("previews/1.mp4", "../one/previews/1.mp4"),
        ("https://x.org/1.mp4", "https://x.org/1.mp4"),
    ],
)
def test_a_clip_in_a_store_has_its_address_in_the_table_and_the_link_that_leads_to_it(
    link: str | None, on_page: str | None
) -> None:
    stored = replace(header(name="board"), out="s3://bucket/x")
    beside = Beside(links=ClipLinks(page=lambda _: link))
    report = RunsReport([part("one", [done("s010")], run=stored, beside=beside)], NOW)
    assert [card["clip"] for card in cards(report)] == [on_page]
    assert table(report)[0]["file"] == "s3://bucket/x/clips/s010.mp4"


def test_shots_of_two_boards_are_two_rows_of_the_page_and_those_of_two_shards_are_one() -> None:
    shards = RunsReport([part("b-1", [done("s010")]), part("b-2", [done("s010")])], NOW)
    assert {card["shot"] for card in cards(shards)} == {"s010"}
    boards = RunsReport(
        [part("x", [done("s010")], run=header(name="x")), part("y", [done("s010")], run=header(name="y"))],
        NOW,
    )
    assert [card["shot"] for card in cards(boards)] == ["x/s010", "y/s010"]


def test_a_column_of_the_manifest_that_is_called_run_makes_room() -> None:
    run = header(columns=("id", "model", "Run"))
    take = replace(done("s010"), cells={"id": "s010", "model": "m", "Run": "mine"})
    (row,) = table(RunsReport([part("one", [take], run=run)], NOW))
    assert (row["run"], row["inputs.Run"]) == ("one", "mine")


def test_a_decision_is_that_of_the_run_and_not_of_a_take_with_the_same_id() -> None:
    picked = Beside.of(frozenset(), Picks((Pick("s010", "s010", Decision.PICK, "", "ada", ""),)))
    report = RunsReport([part("one", [done("s010")], beside=picked), part("two", [done("s010")])], NOW)
    assert [card["decision"] for card in cards(report)] == ["pick", ""]
    assert [row["pick"] for row in table(report)] == ["pick", ""]


def test_sums_are_exact_and_what_was_simulated_is_apart_in_every_one() -> None:
    thrice = [part(name, [done("s010")]) for name in "abc"]
    played = part("s", [done("s010")], spending=Spending((Charge("s010", cost=5.0),)), simulated=True)
    report = RunsReport([*thrice, played], NOW)
    assert ["simulated" in made["facts"] for made in cards(report)] == [False, False, False, True]
    assert [row["simulated"] for row in table(report)] == ["", "", "", "yes"]
    head = report.head()
    assert head["facts"][:3] == ["4 takes", "spent $0.30", "spent $5.00, simulated"]
    assert not head["simulated"]
    assert {row[0] for row in head["models"][1:]} == {"pika/pikaframes", "pika/pikaframes (simulated)"}


def test_the_lines_show_unknown_costs_as_unknown() -> None:
    unknown = Spending((Charge("s010", cost=0.1), Charge("s020")))
    lines = sum_lines(2, {"delivered": 2}, paid=unknown, simulated=Spending())
    assert lines == ["2 runs, 2 takes: 2 delivered", "spent $0.10; 1 job without a known cost"]
    (row,) = run_lines([RunLine("a\x1b[2J", {}, Spending(), False, "not running")])
    assert "\x1b" not in row
    assert "nothing spent" in row


def test_shards_that_are_not_among_the_runs_are_named() -> None:
    runs = [replace(HEADER, shard=f"{number}/3") for number in (1, 3)]
    assert absent_shards([*runs, replace(HEADER, name="other")]) == (("board", Shard(2, 3)),)
    assert absent_lines([("board", Shard(2, 3))]) == ["not among them: shard 2/3 of board"]
    # Simulated shards do not stand in for those that are paid for.
    assert len(absent_shards([runs[0], replace(runs[1], simulated=False)])) == 4


def recorded(folder: Path, *, name: str = "board", shard: str = "") -> Path:
    folder.mkdir(parents=True)
    new_state_file(folder, [], header=replace(HEADER, name=name, shard=shard)).close()
    return folder


def test_a_folder_stands_for_its_runs_and_a_manifest_for_its_shards(tmp_path: Path) -> None:
    manifest, reports = tmp_path / "board.yaml", tmp_path / "reports"
    manifest.write_text("version: 1\nname: board\nshots: []\n")
    shards = [recorded(reports / f"board-shard-{number}-of-10", shard=f"{number}/10") for number in (10, 2)]
    other = recorded(reports / "other")
    (reports / "no-run").mkdir()
    assert find_runs([manifest]) == [shards[1], shards[0]]
    assert find_runs([reports, other]) == sorted([*shards, other])
    assert find_runs([tmp_path / "nowhere"]) == [tmp_path / "nowhere"]
    whole = recorded(reports / "board")
    assert find_runs([manifest]) == [whole]


def test_too_many_runs_are_refused_with_the_number_that_works(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="201 runs are too many"):
        find_runs(tmp_path / str(number) for number in range(201))


def test_runs_are_called_by_their_folders_unless_two_have_one_name(tmp_path: Path) -> None:
    names = names_of_runs([tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "c"])
    assert names == [str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run"), "c"]


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    good, bad = recorded(tmp_path / "good"), tmp_path / "bad"
    bad.mkdir()
    (bad / STATE_FILE).write_text("not a state file")
    found = status_of_runs([bad, good])
    assert [name for name, _ in found.runs] == ["good"]
    assert [(each.run, each.error.exit_code) for each in found.unread] == [(bad, 78)]
    written = report_of_runs([bad, good])
    assert (written.runs, [each.run for each in written.unread]) == ((good,), [bad])
    with pytest.raises(FileMissing):
        status_of_runs([tmp_path / "nowhere"])


def test_the_reports_lie_beside_the_first_run_and_replace_no_report_of_something_else(tmp_path: Path) -> None:
    runs = [recorded(tmp_path / "reports" / name, name="board") for name in ("one", "two")]
    other = recorded(tmp_path / "reports" / "three", name="other")
    folder = tmp_path / "reports" / "board-all-runs"
    for _ in range(2):
        assert report_of_runs(runs).reports.html == folder / "report.html"
    assert report_of_runs([*runs, other]).reports.csv == tmp_path / "reports" / "all-runs" / "report.csv"
    with pytest.raises(UsageError, match="is a run itself"):
        report_of_runs(runs, to=runs[0])
    (folder / "report.html").write_text("<title>mine</title>")
    with pytest.raises(UsageError, match="something else"):
        report_of_runs(runs)
    assert (folder / "report.html").read_text() == "<title>mine</title>"
