"""Every command with a result prints it for people, and as one object that a schema describes, for programs."""

from __future__ import annotations

import pytest

from runner.cli.arguments import COMMANDS
from tests.acceptance.boards import copy_examples
from tests.acceptance.command import Desk, new_desk
from tests.json_documents import SCHEMAS, checked_document

BOARD, RUN = "board.yaml", "run"
TEXT = """\
version: 1
name: board
defaults: {model: pika/pikaframes, inputs: {keyFramesFirst: "https://example.com/a.jpg", duration: 1}}
shots:
  - {id: s010, inputs: {keyFramesLast: "https://example.com/b.jpg", promptText: A fox.}, sweep: {seed: [1, 2, 3]}}
  - {id: s020, inputs: {keyFramesLast: "https://example.com/c.jpg", promptText: A boat.}}
"""
LOST = "faults:\n  - {route: submit, fault: close, after: 1, count: 1}\n"
QUICK = ("--speed", "50", "--poll-interval", "0.1", "-j", "1", "--script", "lost.yaml")

# MODE stands for a word that differs between the two forms, so that nothing is there already.
CALLS = {
    "init": ("init", "MODE.yaml"),
    "import": ("import", "manifests/artist-board.csv", "-n", "--model", "pika/pikaframes"),
    "check": ("check", BOARD),
    "plan": ("plan", BOARD, "--simulate"),
    "summary": ("run", BOARD, "--simulate", "--run-dir", RUN, *QUICK),
    "status": ("status", RUN, "--by", "shot"),
    "runs": ("status", RUN, "nowhere"),
    "take": ("show", RUN, "s020"),
    "shot": ("show", RUN, "s010"),
    "held": ("reconcile", RUN),
    "verify": ("verify", RUN),
    "cancel": ("cancel", RUN, "--all"),
    "steer": ("tune", RUN, "-j", "2", "--rate", "pika/pikaframes=none"),
    "pause": ("pause", RUN),
    "resume": ("resume", RUN, "-n"),
    "reload": ("reload", RUN, "-n"),
    "picks": ("pick", RUN, "--list"),
    "models": ("models",),
    "model": ("models", "pika/pikaframes"),
    "doctor": ("doctor",),
    "report": ("report", RUN),
    "reports": ("report", RUN, "nowhere"),
    "share": ("report", RUN, "--share", "MODE"),
    "restore": ("restore", RUN, "-n"),
    "reroll": ("reroll", RUN, "s010", "--anyway"),
    "export": ("export", "csv", RUN, "--simulate"),
    "fetch": ("fetch", RUN),
    "reject": ("reject", RUN, "s010", "1", "-n"),
    "lock": ("export", "lock", BOARD, "-o", "MODE.lock.yaml"),
    "retry": ("retry", RUN, "s020"),
}
ELSEWHERE = {"decision", "error", "models-diff", "models-import", "watch"}
"""Formats of other tests, of commands that need a service, change the run, or do not end."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a desk with a simulated run, one of whose takes is held."""
    desk = new_desk(tmp_path_factory.mktemp("night"))
    copy_examples(desk.folder)
    (desk.folder / BOARD).write_text(TEXT)
    (desk.folder / "lost.yaml").write_text(LOST)
    desk.run(*CALLS["summary"], code=4)
    return desk


@pytest.mark.parametrize("name", CALLS)
def test_a_result_has_both_forms_with_one_exit_code(night: Desk, name: str) -> None:
    people, programs = (
        [word.replace("MODE", mode) for word in CALLS[name]] for mode in ("people", "programs")
    )
    said = night.run(*people, code=None)
    found = night.run(*programs, "--output", "json", code=said.code)
    document = checked_document(found.out)
    assert document["format"].startswith("shotrunner-")
    if (SCHEMAS / f"{name}.schema.json").exists():
        assert document["format"] == f"shotrunner-{name}/1"


def test_a_decision_is_an_object_wherever_the_flag_stands(night: Desk) -> None:
    (held,) = checked_document(night.run("reconcile", RUN, "--output", "json", code=4).out)["held"]
    said = night.run("reconcile", RUN, "drop", held["take"], "--yes", "--output", "json")
    document = checked_document(said.out)
    assert (document["decision"], document["takes"], document["held"]) == ("drop", [held["take"]], [])


def test_every_format_and_every_command_with_the_flag_is_tried() -> None:
    formats = {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert formats - {"manifest", "notice", "delivered", "events"} <= CALLS.keys() | ELSEWHERE
    tried = {words[0] for words in CALLS.values()}
    assert {command.name for command in COMMANDS} - tried == {
        "accept",
        "simulate",
        "schema",
        "completion",
        "watch",
    }


def test_an_export_that_is_printed_refuses_json(night: Desk) -> None:
    for words in (("export", "lock", BOARD), ("export", "csv", RUN, "-o", "-"), ("check", BOARD, "--diff")):
        said = night.run(*words, "--output", "json", code=64)
        assert checked_document(said.out)["error"]["code"] == "usage"
