"""`report` from the state file alone, also of a run that was killed; the CSV as pandas and a spreadsheet see it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest

from runner.domain.states import DeliveryState
from tests.acceptance.boards import ONE_SHOT, charges_of, copy_examples, report_of, takes_of
from tests.acceptance.command import Desk, new_desk
from tests.report_page import text_of

RESULTS = [
    *(
        "take",
        "label",
        "point",
        "state",
        "class",
        "flags",
        "pick",
        "stale_fields",
        "request_id",
        "seed",
        "outputs",
    ),
    *("file", "sha256", "bytes", "clip_seconds", "clip_width", "clip_height", "clip_fps", "submitted_at"),
    *("finished_at", "seconds", "cost", "estimate", "error", "fingerprint"),
]
PLACE = "reports/paper-boat-simulated"
FAST = ("--speed", 20, "--poll-interval", 0.1)


def killed_run(desk: Desk, board: Path, *, delivered: int) -> Path:
    life = desk.start("run", board, "--simulate", *FAST, "-j", 2)
    life.wait_until(lambda life: life.err.count(" delivered ") >= delivered)
    assert life.kill().code == -9
    return desk.folder / PLACE


def test_a_killed_run_is_reported_from_its_state_file_alone(desk: Desk) -> None:
    """The manifest gone, the ledger gone: every take has its row, and what is delivered has true values."""
    board = copy_examples(desk.folder) / "storyboard.yaml"
    place = killed_run(desk, board, delivered=3)
    ledger = place / "simulator" / "ledger.jsonl"
    charges = {str(charge["request_id"]): charge for charge in charges_of(ledger)}
    board.unlink()
    ledger.unlink()
    outcome = desk.run("report", place)
    assert {str(place / "report.csv"), str(place / "report.html")} <= set(outcome.out.split())
    takes, rows = takes_of(place), report_of(place)
    assert [row["take"] for row in rows] == [take.take_id for take in takes]
    home = [row for row in rows if row["state"] == "delivered"]
    assert 3 <= len(home) < len(rows)
    assert {row["state"] for row in rows} <= {
        *("delivered", "succeeded", "fetching", "running", "queued", "submitting", "pending")
    }
    for row in home:
        charge, content = charges[row["request_id"]], (place / row["file"]).read_bytes()
        assert urlsplit(row["outputs"]).path == f"/files/{charge['file']}"
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert len(content) == int(row["bytes"])
        assert float(row["cost"]) == pytest.approx(int(str(charge["price"])) / 1e6)
        assert json.loads(str(charge["body"]))["seed"] == int(row["seed"])
        accepted = float(str(charge["accepted_at"]))
        assert datetime.fromisoformat(row["submitted_at"]).timestamp() == pytest.approx(accepted, abs=1.5)
        submitted, finished = (datetime.fromisoformat(row[name]) for name in ("submitted_at", "finished_at"))
        assert submitted <= finished
        # How long the job took is measured at the service, whatever the looks were late.
        ended = float(str(charge["ends_at"]))
        assert float(row["seconds"]) == pytest.approx(ended - accepted, abs=0.1)
    page = text_of(place / "report.html")
    assert all(row["take"] in page for row in rows)
    assert all(row["file"] in page for row in home)


def test_pandas_reads_the_columns_as_they_are_specified(desk: Desk) -> None:
    """The manifest's own columns first and in their order, then the results in theirs; seeds stay whole numbers."""
    board = copy_examples(desk.folder) / "storyboard.csv"
    desk.run("run", board, "--simulate", *FAST, "--no-download", "--only", "s0[3-6]0")
    place = desk.folder / "reports" / "storyboard-simulated"
    table = pd.read_csv(place / "report.csv", encoding="utf-8-sig")
    # The seed is an input too and stays where the user put it; the other result columns are the report's own.
    own = [name for name in pd.read_csv(board).columns if name == "seed" or name not in RESULTS]
    assert list(table.columns) == [*own, *(name for name in RESULTS if name not in own)]
    assert list(table["id"].unique()) == list(pd.read_csv(board)["id"].unique())
    assert table["seed"].dtype.kind == "i"
    assert set(table["state"]) == {"succeeded", "pending"}
    done = table[table["state"] == "succeeded"]
    assert set(done["id"]) == {"s030", "s040", "s050", "s060"}
    assert bool((done["cost"] > 0).all())
    assert bool(done["file"].isna().all())
    assert bool(table["fingerprint"].is_unique)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a desk where one shot of the example board has come home and the others have not been sent."""
    desk = new_desk(tmp_path_factory.mktemp("finished"))
    board = copy_examples(desk.folder) / "storyboard.yaml"
    desk.run("run", board, "--simulate", *FAST, "--only", "s030")
    return desk


def test_a_yaml_boards_report_has_the_result_columns_in_order(finished: Desk) -> None:
    """All result columns stand together at the end, and the shots keep the manifest's order."""
    table = pd.read_csv(finished.folder / PLACE / "report.csv", encoding="utf-8-sig")
    assert list(table.columns)[-len(RESULTS) :] == RESULTS
    assert list(table.columns)[:2] == ["id", "model"]
    assert list(dict.fromkeys(table["id"])) == [f"s0{number}0" for number in range(1, 9)]


def test_a_report_is_itself_a_manifest_of_the_same_takes(finished: Desk) -> None:
    """The CSV of a finished run can be checked as a manifest and means the very same requests."""
    files = ("manifests/storyboard.yaml", f"{PLACE}/report.csv")
    plans = [json.loads(finished.run("check", file, "--output", "json").out)["takes"] for file in files]
    assert plans[0] == plans[1]


def test_show_tells_one_take_whole(finished: Desk) -> None:
    """Inputs as sent, the request, the file and its hash, for people and for programs; a wrong name gets a near one."""
    (take,) = [take for take in takes_of(finished.folder / PLACE) if take.delivery is DeliveryState.DELIVERED]
    shown = finished.run("show", PLACE, "s030").out
    facts = (take.request_id, take.sha256, take.file, "board/030a.jpg", "delivered", take.fingerprint)
    assert [fact for fact in facts if str(fact) not in shown] == []
    found = json.loads(finished.run("show", PLACE, "s030", "--output", "json").out)
    assert found["take"]["sha256"] == take.sha256
    assert [attempt["request_id"] for attempt in found["attempts"]] == [take.request_id]
    assert found["events"][0]["fact"] == "SubmissionStarted"
    assert "s030" in finished.run("show", PLACE, "s03", code=64).err


def test_cells_cannot_become_formulas_or_markup(desk: Desk) -> None:
    """A prompt and a note that a spreadsheet or a browser would run are shown as text."""
    board = desk.folder / "board.yaml"
    board.write_text(
        ONE_SHOT.replace("A boat.", '"=HYPERLINK(1)<script>alert(1)</script>"')
        + '    notes: "@SUM(1)"\n    tags: ["+1", "-x"]\n'
    )
    desk.run("run", board, "--simulate", *FAST, "--no-download")
    place = desk.folder / "reports" / "one-shot-simulated"
    (row,) = report_of(place)
    assert not [name for name, cell in row.items() if cell.startswith(("=", "@", "+", "-", "\t", "\r"))]
    assert "HYPERLINK" in row["promptText"]
    assert "<script>alert" not in (place / "report.html").read_text("utf-8")
    assert "<script>alert(1)</script>" in text_of(place / "report.html")
