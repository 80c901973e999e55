"""A process killed with SIGKILL at any moment loses nothing that it had acknowledged."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from runner.domain.states import TakeState
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER

ROUNDS = 16
ROOT = Path(__file__).parents[2]


def run_and_kill(path: Path, *, life: int, after: int) -> list[str]:
    """Start a victim, kill it when it has said `after` lines, and return all whole lines that it said."""
    command = [sys.executable, "-m", "tests.integration.store_victim", str(path), str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        lines = [victim.stdout.readline() for _ in range(after)]
        victim.kill()
        lines += victim.stdout.readlines()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


def test_every_acknowledged_fact_survives_kills_in_mid_run(tmp_path: Path) -> None:
    """The moments are drawn over whole sessions, so that opening and closing are hit too."""
    chance = random.Random(20)
    path = tmp_path / "state.db"
    StateFile.create(path, HEADER).close()
    acknowledged: defaultdict[str, list[str]] = defaultdict(list)
    epoch = 0
    for life in range(ROUNDS):
        for line in run_and_kill(path, life=life, after=chance.randrange(1, 120)):
            word, *rest = line.split()
            if word == "epoch":
                epoch = int(rest[0])
            else:
                acknowledged[rest[0]].append(rest[1])
        check(path, acknowledged, epoch)
    assert sum(map(len, acknowledged.values())) > ROUNDS


def check(path: Path, acknowledged: dict[str, list[str]], epoch: int) -> None:
    with open_reader(path) as reader:
        recorded: defaultdict[str, list[str]] = defaultdict(list)
        for event in reader.events():
            recorded[event.take_id].append(event.fact)
        sending = {take.take_id for take in reader.takes() if take.state is TakeState.SUBMITTING}
        assert reader.epoch >= epoch
    for take_id, facts in acknowledged.items():
        assert recorded[take_id][: len(facts)] == facts
    with StateFile.open(path) as state_file:
        assert set(state_file.begin(at=2.0)) == sending
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
