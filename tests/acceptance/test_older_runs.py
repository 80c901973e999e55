"""Runs that an earlier version left go on as that version would have gone on: a finished, a killed, and a mixed one.

`older_runs.tar.xz` holds their folders as the program of November 2026 left them, and beside each what that program
said of it, before and after it went on. *killed* died by SIGKILL with jobs running and its log beside the state file;
*mixed* has a held, a failed, a stale, a renamed, a removed and a new take.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.boards import charges_of
from tests.acceptance.command import Desk

FAST = ("--simulate", "--speed", 50, "--poll-interval", 0.1)


def told(desk: Desk, command: str, *, like: dict[str, Any]) -> dict[str, Any]:
    """Return what a command says of the board for programs, as far as an earlier version said it."""
    said: dict[str, Any] = json.loads(desk.run(command, "board.csv", "--simulate", "--output", "json").out)
    for take in said.get("takes", ()):
        del take["label"], take["name"]
    return {name: said.get(name) for name in like}


def as_now(status: dict[str, Any]) -> dict[str, Any]:
    """Return an earlier status in the words of now: one state a take, and `usd` in the names of amounts."""
    clips = {word: count for word, count in status.pop("deliveries").items() if word != "none"}
    takes = status.pop("takes")
    takes["succeeded"] -= sum(clips.values())
    states = {word: count for word, count in {**takes, **clips}.items() if count}
    money = {f"{name}_usd": status.pop(name) for name in ("spent", "estimated")}
    return {**status, **money, "states": states}


def kept(folder: Path, name: str) -> dict[str, Any]:
    """Return what the earlier version said."""
    said: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
    return {name: value for name, value in said.items() if name != "run_dir"}


@pytest.mark.parametrize(("name", "code", "charges"), [("finished", 0, 6), ("killed", 0, 6), ("mixed", 4, 7)])
def test_a_run_of_an_earlier_version_goes_on_as_it_would_have(
    desk: Desk, name: str, code: int, charges: int
) -> None:
    """Plan, status and report are the same before and after, and nothing is paid for twice."""
    with tarfile.open(Path(__file__).with_name("older_runs.tar.xz")) as packed:
        packed.extractall(desk.folder, filter="data")
    folder = desk.folder / name
    here = Desk(folder, desk.environment)
    assert told(here, "plan", like=(then := kept(folder, "plan.json"))) == then
    assert told(here, "status", like=(then := as_now(kept(folder, "status.json")))) == then
    here.run("run", "board.csv", "--moved", *FAST, code=code)
    assert told(here, "plan", like=(then := kept(folder, "plan-after.json"))) == then
    assert told(here, "status", like=(then := as_now(kept(folder, "status-after.json")))) == then
    ledger = list(charges_of(folder / "reports" / "board-simulated" / "simulator" / "ledger.jsonl"))
    assert len(ledger) == charges == len({charge["body_sha256"] for charge in ledger})
