"""A new user's story, from a spreadsheet with mistakes in it to a board that was edited after it was paid for.

Every step is the installed command; the simulator's ledger says in the end that each body was paid for once.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.acceptance.boards import MODEL, OTHER_MODEL, REPOSITORY, charges_of, report_of
from tests.acceptance.command import Desk, Outcome

COLUMNS = (
    "id", "model", "image", "keyFramesFirst", "keyFramesLast", "promptText", "duration", "seeds", "price", "tags",
)  # fmt: skip
SHOTS = 40
PRICE = 0.25
QUICK = ("--simulate", "--speed", 50, "-j", 8, "--poll-interval", 0.05)
Row = dict[str, str]


def board() -> list[Row]:
    """Return forty shots on two models, each with one seed."""
    rows = []
    for number in range(1, SHOTS + 1):
        frames = number % 2 == 1
        media = {"keyFramesFirst": "a", "keyFramesLast": "b"} if frames else {"image": "c"}
        rows.append(
            {
                "id": f"s{number:03d}",
                "model": MODEL if frames else OTHER_MODEL,
                **{name: f"https://example.com/{number}{which}.jpg" for name, which in media.items()},
                "promptText": f"A boat passes house number {number}.",
                "duration": "5",
                "seeds": str(number),
                "price": str(PRICE),
                "tags": "street" if number <= 10 else "sea",
            }
        )
    return rows


def write(desk: Desk, rows: list[Row]) -> Path:
    """Write the rows as a spreadsheet would."""
    path = desk.folder / "board.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def plan(desk: Desk, path: Path, *more: object) -> Mapping[str, list[dict[str, object]]]:
    """Return the takes of the plan by action; what it prints fits the published schema."""
    schema = json.loads((REPOSITORY / "schemas" / "plan.schema.json").read_text())
    document = json.loads(desk.run("plan", path, "--simulate", "--output", "json", *more).out)
    Draft202012Validator(schema).validate(document)
    by_action: dict[str, list[dict[str, object]]] = {}
    for take in document["takes"]:
        by_action.setdefault(take["action"], []).append(take)
    return by_action


def ids(takes: list[dict[str, object]]) -> list[object]:
    """Return the ids of planned takes."""
    return [take["take"] for take in takes]


def run(desk: Desk, path: Path, *more: object, code: int = 0) -> Outcome:
    """Run against the simulator."""
    return desk.run("run", path, *QUICK, *more, code=code)


def charges(desk: Desk) -> list[Mapping[str, object]]:
    """Return what the simulator charged."""
    return list(charges_of(desk.folder / "reports" / "board-simulated" / "simulator" / "ledger.jsonl"))


def paid_once_each(desk: Desk, number: int) -> None:
    """Hold the ledger against the number of different bodies that were to be paid for."""
    counts = Counter(str(charge["body_sha256"]) for charge in charges(desk))
    assert (len(counts), set(counts.values())) == (number, {1})


@pytest.mark.installed
def test_forty_shots_from_their_first_mistake_to_their_last_edit(desk: Desk) -> None:
    rows = board()
    broken = [dict(row) for row in rows]
    broken[4]["duration"], broken[11]["model"], broken[29]["image"] = "99", "pika/pikafames", ""
    told = desk.run("check", write(desk, broken), "--simulate", code=65).err
    assert "G6" in told
    assert "did you mean pika/pikaframes?" in told
    assert "shot s030, inputs.image" in told
    errors = [line for line in told.splitlines() if "shot s0" in line and "warning" not in line]
    assert len(errors) == 3, told

    path = write(desk, rows)
    desk.run("check", path, "--simulate")
    shown = desk.run("plan", path, "--simulate", "--exit-code", code=2).out
    assert "40 takes: 40 submit" in shown
    assert "$10.00 estimated" in shown
    assert "no history yet" in shown

    half = run(desk, path, "--max-cost", 5, code=3)
    # Costs that are known by then count instead of estimates, so the last job may or may not fit.
    paid = len(charges(desk))
    assert paid in {19, 20}
    assert "go on with: shotrunner run" in half.last_line
    left = plan(desk, path, "--max-cost", 5)
    assert {action: len(takes) for action, takes in left.items()} == {
        "skip": paid,
        "blocked": 40 - paid,
    }

    run(desk, path, "--max-cost", 12)
    paid_once_each(desk, 40)
    assert "nothing was submitted, everything is complete" in run(desk, path).out

    rows[6]["promptText"] += " It rains."
    rows[9]["seeds"] = "10; 11; 12"
    write(desk, rows)
    edited = plan(desk, path)
    assert ids(edited["stale"]) == ["s007@seed=7"]
    changes = edited["stale"][0]["changes"]
    assert isinstance(changes, list)
    assert [change["field"] for change in changes] == ["inputs.promptText"]
    assert (ids(edited["submit"]), {take["reason"] for take in edited["submit"]}) == (
        ["s010@seed=11", "s010@seed=12"],
        {"new"},
    )
    assert len(edited["skip"]) == 39

    run(desk, path, "--stale")
    paid_once_each(desk, 43)
    clips = desk.folder / "reports" / "board-simulated" / "clips"
    assert (clips / "s007@seed=7.mp4").read_bytes() != (clips / "s007@seed=7~1.mp4").read_bytes()
    states = Counter(row["state"] for row in report_of(clips.parent))
    assert states == {"delivered": 43}
    assert "nothing was submitted, everything is complete" in run(desk, path).out


@pytest.fixture
def small(desk: Desk) -> tuple[Desk, Path, list[Row]]:
    """Return four shots that were rendered."""
    rows = board()[:4]
    path = write(desk, rows)
    run(desk, path)
    paid_once_each(desk, 4)
    return desk, path, rows


def test_a_renumbered_board_costs_nothing_and_its_clips_follow(
    small: tuple[Desk, Path, list[Row]],
) -> None:
    """A shot is put in front, and the others move up by one."""
    desk, path, rows = small
    clips = desk.folder / "reports" / "board-simulated" / "clips"
    before = (clips / "s001@seed=1.mp4").read_bytes()
    first = {**rows[0], "promptText": "An opening.", "seeds": "50"}
    for number, row in enumerate(rows, 2):
        row["id"] = f"s{number:03d}"
    write(desk, [first, *rows])
    shown = plan(desk, path)
    assert ids(shown["adopt"]) == ["s002@seed=1", "s003@seed=2", "s004@seed=3", "s005@seed=4"]
    assert ids(shown["submit"]) == ["s001@seed=50"]
    said = run(desk, path)
    assert "renamed in the manifest" in said.err
    paid_once_each(desk, 5)
    assert (clips / "s002@seed=1.mp4").read_bytes() == before
    desk.run("verify", path, "--simulate")


def test_an_edit_that_is_taken_back_costs_nothing(small: tuple[Desk, Path, list[Row]]) -> None:
    desk, path, rows = small
    clip = desk.folder / "reports" / "board-simulated" / "clips" / "s001@seed=1.mp4"
    first, before = rows[0]["promptText"], clip.read_bytes()
    rows[0]["promptText"] = "Something else."
    write(desk, rows)
    run(desk, path, "--stale")
    assert clip.read_bytes() != before
    rows[0]["promptText"] = first
    write(desk, rows)
    assert ids(plan(desk, path)["adopt"]) == ["s001@seed=1"]
    run(desk, path)
    paid_once_each(desk, 5)
    assert clip.read_bytes() == before
    desk.run("verify", path, "--simulate")


def test_a_stale_clip_that_is_accepted_is_current_until_the_row_changes_again(
    small: tuple[Desk, Path, list[Row]],
) -> None:
    desk, path, rows = small
    rows[1]["promptText"] = "Something else."
    write(desk, rows)
    assert "1 stale" in run(desk, path).out
    kept = desk.run("accept", path, "--simulate", "s002@seed=2")
    assert "kept as it is" in kept.out
    assert "stale" not in plan(desk, path)
    assert "everything is complete" in run(desk, path, "--stale").out
    rows[1]["promptText"] = "Yet something else."
    write(desk, rows)
    assert ids(plan(desk, path)["stale"]) == ["s002@seed=2"]
    desk.run("accept", path, "--simulate", "s001@seed=1", code=64)
    paid_once_each(desk, 4)


def test_takes_are_chosen_by_what_they_are_and_how_many(desk: Desk) -> None:
    path = write(desk, board()[:14])
    first = run(desk, path, "--tag", "sea", "--limit", 2, code=0)
    assert "2 takes: 2 delivered" in first.out
    assert ids(plan(desk, path, "--tag", "street", "--exclude", "s00?", "--status", "pending")["submit"]) == [
        "s010@seed=10"
    ]
    run(desk, path, "--exclude", "tag:street")
    paid_once_each(desk, 4)


def test_a_plan_changes_nothing_and_takes_no_lock(desk: Desk) -> None:
    path = write(desk, board()[:3])
    desk.run("plan", path, "--simulate")
    desk.run("run", path, "-n", "--simulate")
    assert not (desk.folder / "reports").exists()
    run(desk, path, "--only", "s001")
    place = desk.folder / "reports" / "board-simulated"
    before = {file: file.read_bytes() for file in place.iterdir() if file.is_file()}
    assert "2 submit" in desk.run("plan", path, "--simulate").out
    assert before == {file: file.read_bytes() for file in place.iterdir() if file.is_file()}


def test_the_same_request_twice_is_told_and_paid_only_when_that_was_said(desk: Desk) -> None:
    """Where nobody is asked, a copied row is not paid for by accident."""
    rows = board()[:3]
    copied = {**rows[0], "id": "s099"}
    path = write(desk, [*rows, copied])
    assert "send the same request" in desk.run("check", path).err
    service = desk.with_environment(RUNCOMFY_TOKEN="token", RUNCOMFY_MODEL_API_BASE="http://127.0.0.1:9")
    refused = service.run("run", path, "-y", code=64)
    assert "s099@seed=1" in refused.err
    assert "--allow-duplicates" in refused.err
    assert (
        "3 paid jobs at"
        in service.run("run", path, "-y", "--exclude", "s099", "--outage-limit", "1s", code=69).err
    )


def test_a_plan_is_refused_where_its_run_would_be(small: tuple[Desk, Path, list[Row]]) -> None:
    """Another board beside this one may have the same name, and its run must not be taken for this one's."""
    desk, path, _ = small
    other = desk.folder / "other"
    other.mkdir()
    copy = other / path.name
    copy.write_bytes(path.read_bytes())
    place = desk.folder / "reports" / "board-simulated"
    for verb in ("plan", "run"):
        refused = desk.run(verb, copy, "--simulate", "--run-dir", place, code=78)
        assert "was made for the manifest" in refused.err
    assert "4 skip" in desk.run("plan", copy, "--simulate", "--run-dir", place, "--moved").out
