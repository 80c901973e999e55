"""A board repeated exactly: by its lock, by its report, and with the catalogue held against the schemas."""

from __future__ import annotations

import json

from tests.acceptance.command import Desk
from tests.acceptance.service import simulating

BOARD = """version: 1
name: board
defaults: {model: pika/pika-2-2/image-to-video, inputs: {image: "https://example.com/a.jpg"}}
shots:
  - {id: a, inputs: {promptText: "16:9"}, sweep: {seed: [1, 2]}}
  - {id: b, inputs: {promptText: "no", negativePrompt: ""}}
"""


def bodies(desk: Desk, manifest: str) -> list[tuple[str, object, str]]:
    found = json.loads(desk.run("check", manifest, "--output", "json").out)
    return [(take["take"], take["body"], take["fingerprint"]) for take in found["takes"]]


def test_a_lock_and_a_report_are_the_same_takes_and_nothing_is_paid_twice(desk: Desk) -> None:
    (desk.folder / "board.yaml").write_text(BOARD, "utf-8")
    with simulating(desk, "--speed", "1000") as service:
        service.desk.run("run", "board.yaml", "-y")
        service.desk.run("run", "reports/board/report.csv", "--run-dir", "reports/board", "-y")
        service.desk.run("run", "board.yaml", "-y")
        service.desk.run("export", "lock", "board.yaml", "-o", "lock.yaml")
        service.desk.run("export", "lock", "reports/board", "--recorded", "-o", "sent.yaml")
        assert service.ledger()["submits"] == 3
        service.desk.run("run", "lock.yaml", "--run-dir", "again", "-y")
        ledger = service.ledger()
    assert (ledger["submits"], ledger["distinct"]) == (6, 3)
    wanted = bodies(desk, "board.yaml")
    assert [bodies(desk, name) for name in ("lock.yaml", "sent.yaml", "reports/board/report.csv")] == [
        wanted
    ] * 3
    assert "schema " in desk.run("show", "board.yaml", "b").out


def test_schemas_are_held_against_the_catalogue_and_taken_from_it(desk: Desk) -> None:
    model = "pika/pikaframes"
    with simulating(desk) as service:
        service.desk.run("models", "diff")
        service.desk.run("models", "add", model, "--output", "json")
        path = desk.folder / "schemas" / f"{model}.json"
        service.desk.run("models", "add", model, code=73)
        service.desk.run("models", "add", "../x", code=64)
        document = json.loads(path.read_text("utf-8"))
        document["input"]["properties"]["duration"]["maximum"] = 7
        document.pop("sha256")
        path.write_text(json.dumps(document), "utf-8")
        outcome = service.desk.run(
            "models", "diff", model, "--schema-dir", "schemas", "--output", "json", code=2
        )
        away = service.desk
    (found,) = json.loads(outcome.out)["models"]
    assert [change["input"] for change in found["changes"]] == ["duration"]
    away.run("models", "diff", model, code=69)
