"""T4: the power fails at every point of a recorded run, and every disk that may be left is opened and gone on from.

A process writes a state file under strace: it makes it, closes and opens it again, its disk fails now and then, ids go
through the emergency side file. Then each disk that the recording allows is laid out in memory and opened by the
product. A take whose POST may have left and that is pending would be paid again; an id that was promised to be safe and
is not there is lost. Two controls write the same with weaker settings, and must be caught, or the test sees nothing.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from runner.domain.errors import FileMissing, ShotrunnerError
from runner.domain.states import TakeState
from runner.store.disk_failure import NOTHING
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.torture.power_disk import Files, losses
from tests.torture.power_log import Operation, obstacle, promises, record
from tests.torture.power_victim import MACHINE
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY

NAME = "T4 power loss, every disk that may be left"
PRODUCT = "wal-full"
STATES = 7200
_PER_CASE = 720
_CONTROL_STATES = 300
_TAKES = 12
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Outage:
    """So many states of a recording in `mode`, drawn by `seed`."""

    name: str
    seed: int
    mode: str
    states: int


def cases(seed: int, scale: float) -> Iterator[Outage]:
    """Yield cases that add up to 7,200 drawn states at scale 1, and the two controls."""
    for number in range(max(1, round(STATES * scale / _PER_CASE))):
        yield Outage(f"{PRODUCT}-{number:02}", seed * 31 + number, PRODUCT, _PER_CASE)
    for mode in ("wal-normal", "delete-full"):
        yield Outage(f"control-{mode}", seed, mode, _CONTROL_STATES)


def run(case: Outage, workdir: Path) -> Verdict:
    """Record, replay, and hold each disk against what had been promised."""
    if why := obstacle():
        print(f"T4 {case.name}: skipped, {why}", flush=True)
        return Verdict()
    folder = workdir / "run"
    folder.mkdir(parents=True)
    operations = record(
        ["tests.torture.power_victim", str(folder), case.mode, str(_TAKES)],
        cwd=REPOSITORY,
        folder=folder,
        log=workdir / "calls.log",
    )
    verdict = Verdict()
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else workdir) as scratch:
        for loss in losses(operations, chance=random.Random(case.seed), number=case.states):
            verdict += _judge(case, operations[: loss.operations], loss.files, Path(scratch) / "run")
    print(
        f"T4 {case.name}: {verdict.cases} disks after {len(operations)} operations: "
        f"{verdict.doubled} takes would be paid again, {verdict.lost} ids are lost",
        flush=True,
    )
    return verdict if case.mode == PRODUCT else _of_control(case, verdict)


def _judge(case: Outage, done: Sequence[Operation], files: Files, place: Path) -> Verdict:
    """Lay one disk out, open it as the next run would, and count what was broken."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    sent, got = promises(done)
    where = f"{case.name} after {len(done)} operations"
    try:
        states, ids = _gone_on(place / "state.db")
    except FileMissing:
        return Verdict(cases=1, doubled=len(sent), failures=(f"{where}: no state file",) if sent else ())
    except ShotrunnerError as error:
        return Verdict(cases=1, failures=(f"{where}: {type(error).__name__}: {error}",))
    again = [take for take in sent if states.get(take, TakeState.PENDING) is TakeState.PENDING]
    lost = [take for take, request_id in got.items() if request_id not in ids]
    return Verdict(
        cases=1,
        doubled=len(again),
        lost=len(lost),
        failures=(f"{where}: paid again {again[:3]}, lost {lost[:3]}",) if again or lost else (),
    )


def _gone_on(path: Path) -> tuple[dict[str, TakeState], set[str | None]]:
    """Begin on the file and return the takes' states and every id in it."""
    with StateFile.open(path, Opening(patience=0.0, provision=NOTHING, machine=MACHINE)) as state:
        state.begin(at=2.0)
        with open_reader(path) as reader:
            states = {take.take_id: take.state for take in reader.takes()}
            ids = {attempt.request_id for take_id in states for attempt in reader.attempts(take_id)}
    return states, ids


def _of_control(case: Outage, verdict: Verdict) -> Verdict:
    """Turn the verdict round: what is found with weaker settings is no fault of the product, and must be found."""
    if verdict.doubled and verdict.lost:
        return Verdict(cases=verdict.cases)
    words = f"{case.name}: weaker settings lost nothing, so this test sees nothing"
    return Verdict(cases=verdict.cases, failures=(words,))


def few(seed: int, states: int) -> tuple[Outage, ...]:
    """Return a small case of the product and both controls."""
    product, *controls = islice(cases(seed, 0.0), 3)
    return (replace(product, states=states), *(replace(control, states=120) for control in controls))
