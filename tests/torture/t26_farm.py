"""T26: clips go to a store by way of Dask workers, and everything on the way is killed.

A worker is killed every ten seconds, the S3 server is killed and started again twice, and the runner is killed ten
times. At the end each clip is in the bucket once and whole, with its sidecar; nothing was paid twice; `verify` finds
nothing. Then `restore` brings the run to another folder: it continues there, and the first folder is refused.
"""

from __future__ import annotations

import importlib.util
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.outside.s3_disk import Object
from tests.torture import canary, core
from tests.torture.farm_stage import OUT, Farm
from tests.torture.life import Life
from tests.torture.recorded import read
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings

NAME = "T26 a farm"
TAKES, KILLS, RESTARTS = 500, 10, 2
_RUN_ELSEWHERE = 78
_LONG = 600.0
"""Seconds that a life may go on; the store is away in some of them."""

_ADDED = 3
"""Takes that the board gets after it was brought to another folder."""


@dataclass(frozen=True, slots=True)
class Night:
    """So many takes and blows; a worker is killed every `kill_every` seconds."""

    name: str
    seed: int
    takes: int
    kills: int
    restarts: int
    kill_every: float = 10.0
    dask: bool = True


def obstacle() -> str:
    """Say what is missing here."""
    missing = [name for name in ("s3fs", "distributed") if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(missing)}; they are the extras [cloud] and [dask]" if missing else ""


def cases(seed: int, scale: float) -> Iterator[Night]:
    """Yield one night on two workers and a smaller one on threads, at scale 1 with 500 and 100 takes."""
    takes = max(20, round(TAKES * scale))
    yield Night("dask", seed * 1033, takes, KILLS, RESTARTS)
    yield Night("threads", seed * 1033 + 1, max(20, takes // 5), KILLS, RESTARTS, dask=False)


def run(case: Night, workdir: Path, *, tree: Path = REPOSITORY) -> Verdict:
    """Live through the night, and look at everything in the morning."""
    chance, tally = random.Random(case.seed), Tally()
    farm = Farm(workdir / "farm", tree=tree, kill_every=case.kill_every)
    jobs = settings(service=0.5, clip_bytes=60_000)
    with (
        farm,
        Rig(
            workdir / "board", tally, takes=case.takes, settings=jobs, tree=tree, environ=farm.environ
        ) as rig,
    ):
        # Clips are in the store, and what the rig says of those on the disk is not asked.
        rig.spoilt.update(f"t{number:03}" for number in range(case.takes + _ADDED))
        command = _command(rig, farm if case.dask else None)
        for number in range(case.kills):
            _kill(rig, command, chance, accepted=case.takes * (number + 1) // (case.kills + 1))
            if number % (case.kills // case.restarts) == 1:
                farm.restart_store(away=chance.uniform(0.5, 3.0))
        farm.stop_killing()
        if case.dask and not farm.killed:
            rig.complain("no worker was killed")
        _end(rig, command)
        _look_at_store(rig, farm)
        _verify(rig)
        _go_elsewhere(rig, command)
        for words in canary.search(workdir):
            rig.complain(words)
    return tally.verdict()


def _command(rig: Rig, farm: Farm | None) -> list[str]:
    executor = f"dask:{farm.address}" if farm else "threads"
    return [*rig.run_arguments(download=True), "--no-inspect", "--out", OUT, "--executor", executor]


def _kill(rig: Rig, command: list[str], chance: random.Random, *, accepted: int) -> None:
    """Let a life go on until so many takes were accepted in all, and a moment longer."""
    life = rig.start(command)
    life.wait_until(lambda: len(rig.server.ledger()) >= accepted, within=_LONG)
    time.sleep(chance.uniform(0.0, 1.5))
    life.kill()
    rig.check(life)


def _end(rig: Rig, command: list[str]) -> None:
    """Answer the doubts as a person would, and run to the end."""
    rig.answer_doubts()
    life = rig.start(command)
    life.end(within=_LONG)
    rig.check(life, codes=frozenset({0}))


def _look_at_store(rig: Rig, farm: Farm) -> None:
    """Hold every clip and sidecar in the bucket against the record and against what the job made."""
    kept = farm.objects()
    clips = {name for name in kept if name.startswith("clips/") and not name.endswith(".json")}
    recorded = {take.file: take for take in rig.recorded.takes.values() if take.delivery == "delivered"}
    if len(recorded) != rig.takes:
        rig.complain(f"{len(recorded)} of {rig.takes} takes are delivered")
    if clips != set(recorded):
        rig.complain(
            f"in the store and not on record, or the reverse: {sorted(clips ^ set(recorded), key=str)[:4]}"
        )
    for name in sorted(clips & set(recorded)):
        take = recorded[name]
        sidecar = kept.get(str(Path(name).with_suffix(".json")))
        clip = rig.server.clip(take.request_id or "")
        if _bytes(kept[name]) != clip:
            rig.complain(f"{name} in the store is not what the job of {take.take_id} made")
        if sidecar is None:
            rig.complain(f"{name} has no sidecar in the store")
        elif json.loads(_bytes(sidecar))["request_id"] != take.request_id:
            rig.complain(f"the sidecar of {name} is about another job")


def _bytes(kept: Object) -> bytes:
    with Path(kept.file).open("rb") as file:
        return file.read(kept.size)


def _verify(rig: Rig) -> None:
    life = rig.start(["verify", str(rig.place)])
    if (code := life.end(within=_LONG)) != 0:
        rig.complain(f"verify ended with {code}: {life.said()}")


def _go_elsewhere(rig: Rig, command: list[str]) -> None:
    """Restore from the store into another folder, go on there with a longer board, and try the first folder."""
    # As deep as the first one, since a run knows its manifest by the way from its folder.
    other = rig.place.with_name("elsewhere")
    _expect(rig, rig.start(["restore", OUT, "--run-dir", str(other)]), 0, "restore from the store")
    rig.grow(rig.takes + _ADDED)
    _expect(rig, rig.start([*command, "--run-dir", str(other)]), 0, "the run elsewhere")
    paid = len(rig.server.ledger())
    _expect(rig, rig.start(command), _RUN_ELSEWHERE, "the run in the first folder")
    if len(rig.server.ledger()) != paid:
        rig.complain("the first folder paid after the run had moved")
    moved = read(other)
    bodies = {core.body_hash(take.body): take.take_id for take in moved.takes.values()}
    found = core.judge(moved, rig.server.ledger(), known_bodies=bodies, agreed={})
    if found.doubled or found.lost or found.mispaired or found.others:
        rig.complain(f"in the other folder: {found}")
    if (
        not all(take.delivery == "delivered" for take in moved.takes.values())
        or len(moved.takes) != rig.takes
    ):
        rig.complain(
            f"in the other folder {len(moved.takes)} of {rig.takes} takes are known, or not all delivered"
        )


def _expect(rig: Rig, life: Life, code: int, what: str) -> None:
    if (found := life.end(within=_LONG)) != code:
        rig.complain(f"{what} ended with {found} and not {code}: {life.said()}")
