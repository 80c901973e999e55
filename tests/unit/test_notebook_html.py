"""What a notebook shows of values: short, and no text of a manifest becomes markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.commands.check import check
from runner.commands.report import to_frame
from runner.commands.steps.summary import RunSummary
from runner.domain.errors import ManifestInvalid, Position, Problem
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.states import DeliveryState, TakeState
from runner.system.notebook_html import figures, table

EVIL = "<script>alert(1)</script>"
SAFE = "&lt;script&gt;alert(1)&lt;/script&gt;"
BOARD = Path(__file__).parents[2] / "manifests" / "storyboard.yaml"
SUMMARY = RunSummary(
    run_dir=Path("reports/board"),
    simulated=True,
    ending=Ending(EndingKind.LIMIT, f"--max-cost {EVIL}"),
    submitted=2,
    counts={TakeState.SUCCEEDED: 2, TakeState.PENDING: 1},
    deliveries={DeliveryState.DELIVERED: 2},
    clips=(),
    held=(),
    reports=None,
    name="board",
)


def test_problems_are_a_table() -> None:
    shown = ManifestInvalid(
        [Problem(Position("board.yaml", 3, 5), "shot s010", EVIL, ("5", "8"))]
    )._repr_html_()
    assert ">board.yaml:3:5</td>" in shown
    assert "5, 8" in shown
    assert SAFE in shown
    assert EVIL not in shown


def test_the_text_of_an_error_names_the_first_problems_and_counts_the_others() -> None:
    problems = [Problem(Position("board.yaml", line), "shot s010", "is wrong") for line in range(1, 13)]
    shown = str(ManifestInvalid(problems)).splitlines()
    assert shown[1] == "board.yaml:1: shot s010: is wrong"
    assert (len(shown), shown[-1]) == (12, "… and 2 more in `problems`")


def test_a_table_says_how_many_rows_it_leaves_out() -> None:
    shown = table(("take",), [(str(number),) for number in range(103)])
    assert (shown.count("<tr>"), "… and 3 more" in shown) == (101, True)


def test_a_picture_is_part_of_the_page() -> None:
    assert 'src="data:image/jpeg;base64,YWJj"' in figures([(EVIL, b"abc")])
    assert SAFE in figures([(EVIL, b"abc")])


def test_a_summary_is_one_line_and_its_page_is_safe() -> None:
    assert repr(SUMMARY) == (
        "<RunSummary board: 3 takes: 2 delivered · 1 pending; exit code 3; reports/board>"
    )
    shown = replace(SUMMARY, name=EVIL)._repr_html_()
    assert shown.count(SAFE) == 2
    assert EVIL not in shown
    assert "<img" not in shown


def test_a_plan_is_one_line_and_a_frame_with_its_inputs() -> None:
    plan = check(BOARD)
    frame = to_frame(plan)
    assert repr(plan).startswith(f"<Plan {plan.manifest.name}: takes: {len(plan.takes)}, shots: ")
    assert list(frame["take"]) == [take.id for take in plan.takes]
    assert {"estimate", "promptText", "seed"} <= set(frame.columns)
    assert plan.takes[0].id in plan._repr_html_()
