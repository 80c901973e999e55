"""The command of `--on-delivered` in a run that is killed: each clip gets it, and a recorded one never twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.acceptance.boards import write_csv
from tests.acceptance.command import Desk

CUT = "t0001"
HOOK = f"""\
#!/bin/sh
echo "$1" >> began.txt
# This one is not over when the kill comes.
if [ "$1" = {CUT} ] && mkdir slept; then sleep 20; fi
"""


def test_a_kill_in_a_hook_repeats_that_clip_alone_and_no_address_is_shown(desk: Desk) -> None:
    board, hook = write_csv(desk.folder / "board.csv", 4), desk.folder / "hook.sh"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    flags = (
        "--simulate",
        "--speed",
        50,
        "--on-delivered",
        "./hook.sh",
        "--notify",
        "cmd:true http://host/SECRET",
    )
    place = desk.folder / "reports" / "board-simulated"
    record, owner = place / "hooks.jsonl", place / ".lock-owner.json"
    life = desk.start("run", board, *flags)
    life.wait_until(lambda _: record.exists() and len(recorded(record)) == 3)
    assert "SECRET" not in owner.read_text()
    assert "SECRET" not in life.kill().err
    outcome = desk.run("run", board, *flags)
    began = Counter((desk.folder / "began.txt").read_text().split())
    assert began == {take: 1 + (take == CUT) for take in ("t0000", "t0001", "t0002", "t0003")}
    assert sorted(recorded(record)) == sorted(began)
    assert "SECRET" not in outcome.err


def recorded(record: Path) -> list[str]:
    """Return the takes whose hook is on record."""
    lines = record.read_text().splitlines(keepends=True)[1:]
    return [json.loads(line)["take"] for line in lines if line.endswith("\n")]
