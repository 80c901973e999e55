"""T22: state files with flipped bits, cut off, swapped and mixed up; what is not sound is refused, nothing paid twice.

The file is one of a killed run: in part in the main file, in part in the log, with a take in every state. A file that
opens all the same must not have forgotten that a take was sent, must know every take, and may begin no attempt but for
one that was pending. A flip in the very last transaction of the log, or a log that was cut off, cannot be told from a
power loss in that transaction, so flips end before it. Which bits are flipped depends on the seed.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from runner.domain.errors import ShotrunnerError
from runner.domain.states import CostSeen, TakeState
from runner.store.disk_failure import NOTHING
from runner.store.marker import MARKER
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.schema import MIGRATIONS
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, drive, make_plan, make_take, tell
from tests.torture.registry import Verdict

NAME = "T22 damaged state files"
FLIPS, CUTS = 1000, 200
_PER_CASE = 100
_UNUSABLE = 78
_MEMORY = Path("/dev/shm")
_COPIES = 4


@dataclass(frozen=True, slots=True)
class Damage:
    """So many damaged copies of one kind: `flip`, `cut`, or the name of a mix-up."""

    name: str
    seed: int
    kind: str
    copies: int = 1


def cases(seed: int, scale: float) -> Iterator[Damage]:
    """Yield 1,000 flips and 200 cuts at scale 1, and every mix-up."""
    for kind, number in (("flip", round(FLIPS * scale)), ("cut", round(CUTS * scale))):
        for start in range(0, number, _PER_CASE):
            yield Damage(f"{kind}-{start}", seed * 1009 + start, kind, min(_PER_CASE, number - start))
    for kind in MIX_UPS:
        yield Damage(kind, seed, kind)


def run(case: Damage, workdir: Path) -> Verdict:
    """Make the file, damage copies of it, and open each."""
    chance = random.Random(case.seed)
    verdict = Verdict()
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else workdir) as scratch:
        sound = killed_run(Path(scratch) / "sound")
        before = standing(sound)
        for number in range(case.copies):
            place = Path(scratch) / "copy"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(sound, place)
            damage = {"flip": flip, "cut": cut}.get(case.kind) or MIX_UPS[case.kind]
            what = damage(place, chance)
            verdict += judge(place, before, f"{case.name} {number}: {what}", refused=case.kind in MIX_UPS)
    wrong = len(verdict.failures)
    print(f"T22 {case.name}: {case.copies} damaged files, {wrong} objections; the last: {what}", flush=True)
    return verdict


def killed_run(folder: Path) -> Path:
    """Return a folder as a kill leaves it: old facts in the main file, newer ones in the log."""
    takes = [make_take(f"{state}-{number}") for state in TakeState for number in range(_COPIES)]
    live = folder.with_name(f"{folder.name}-live")
    with StateFile.create(live / "state.db", HEADER, Opening(patience=0.0, provision=NOTHING)) as first:
        first.begin(at=1.0)
        first.adopt_plan(make_plan(takes), renew=(), at=1.0)
        for take in takes[::2]:
            drive(first, TakeState(take.id.partition("-")[0]), take_id=take.id)
    with StateFile.open(first.path, Opening(patience=0.0, provision=NOTHING)) as second:
        second.begin(at=2.0)
        for take in takes[1::2]:
            drive(second, TakeState(take.id.partition("-")[0]), take_id=take.id)
        # The last transaction is one that may be lost without harm.
        tell(second, CostSeen(0.5), take_id=takes[0].id)
        shutil.copytree(live, folder)
    return folder


def standing(folder: Path) -> Mapping[str, TakeState]:
    """Return the state of every take in the sound file, before anybody begins on it."""
    with open_reader(folder / "state.db") as reader:
        return {take.take_id: take.state for take in reader.takes()}


def judge(place: Path, before: Mapping[str, TakeState], what: str, *, refused: bool) -> Verdict:
    """Open the file as a run would, and hold what it would do against what had been recorded."""
    untouched = (place / "state.db").read_bytes() if (place / "state.db").is_file() else b""
    try:
        with StateFile.open(place / "state.db", Opening(patience=0.0, provision=NOTHING)) as state:
            state.begin(at=3.0)
            now = {ticket.take_id: ticket.state for ticket in state.tickets()}
    except ShotrunnerError as error:
        words = [] if error.exit_code == _UNUSABLE else [f"{type(error).__name__}: {error}"]
        if refused and untouched and (place / "state.db").read_bytes() != untouched:
            words.append("a file that was refused has been changed")
        return Verdict(cases=1, failures=tuple(f"{what}: {word}" for word in words))
    except Exception as error:  # noqa: BLE001 - that anything else comes out is what is looked for
        return Verdict(cases=1, failures=(f"{what}: {type(error).__name__}: {error}",))
    doubled = [
        take for take, state in now.items() if state is TakeState.PENDING and before.get(take) is not state
    ]
    missing = {take for take, state in before.items() if state is not TakeState.DROPPED} - set(now)
    words = [f"{take} would be paid again" for take in doubled] + [f"{take} is forgotten" for take in missing]
    words += ["was opened"] if refused else []
    return Verdict(cases=1, doubled=len(doubled), failures=tuple(f"{what}: {word}" for word in words))


def flip(place: Path, chance: random.Random) -> str:
    """Flip some bits of the main file or of the log."""
    path = place / chance.choice(("state.db", "state.db-wal"))
    text = bytearray(path.read_bytes())
    end = len(text) if path.name == "state.db" else last_transaction(bytes(text))
    places = [chance.randrange(end) for _ in range(chance.choice((1, 1, 1, 8, 64)))]
    for byte in places:
        text[byte] ^= 1 << chance.randrange(8)
    path.write_bytes(text)
    return f"{path.name} flipped at {places[:3]}"


def last_transaction(log: bytes) -> int:
    """Return where the last transaction of a log begins."""
    size = int.from_bytes(log[8:12], "big") + 24
    starts = range(32, len(log) - size + 1, size)
    ours = [start for start in starts if log[start + 8 : start + 16] == log[16:24]]
    ends = [start for start in ours if log[start + 4 : start + 8] != bytes(4)]
    return ends[-2] + size


def cut(place: Path, chance: random.Random) -> str:
    """Cut the main file off, at any byte or at the end of a page."""
    path = place / "state.db"
    size = chance.randrange(path.stat().st_size)
    size -= size % 4096 if chance.random() < 0.5 else 0
    os.truncate(path, size)
    return f"cut to {size} bytes"


def _foreign(place: Path, _chance: random.Random) -> str:
    path = place / "state.db"
    for old in place.iterdir():
        if old.name != MARKER:
            old.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE takes (take_id, state)")
        connection.commit()
    return "another program's database"


def _newer(place: Path, _chance: random.Random) -> str:
    with closing(sqlite3.connect(place / "state.db")) as connection:
        connection.execute("UPDATE run SET at_rest = 1")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.commit()
    return "a newer version"


def _zero(place: Path, _chance: random.Random) -> str:
    (place / "state.db").write_bytes(b"")
    return "zero length"


def _zeros(place: Path, _chance: random.Random) -> str:
    path = place / "state.db"
    path.write_bytes(bytes(path.stat().st_size))
    return "all zeros"


def _text(place: Path, _chance: random.Random) -> str:
    (place / "state.db").write_text("shopping: milk, eggs\n" * 500)
    return "a text"


def _directory(place: Path, _chance: random.Random) -> str:
    (place / "state.db").unlink()
    (place / "state.db").mkdir()
    return "a directory"


def _gone(place: Path, _chance: random.Random) -> str:
    (place / "state.db").unlink()
    return "gone"


def _no_log(place: Path, _chance: random.Random) -> str:
    (place / "state.db-wal").unlink()
    (place / "state.db-shm").unlink(missing_ok=True)
    return "the log is gone"


def _zero_log(place: Path, _chance: random.Random) -> str:
    path = place / "state.db-wal"
    path.write_bytes(bytes(path.stat().st_size))
    return "the log is all zeros"


def _log_of_another(place: Path, _chance: random.Random) -> str:
    other = place.with_name("other")
    shutil.rmtree(other, ignore_errors=True)
    with StateFile.create(
        other / "state.db", replace(HEADER, run_id="run-2"), Opening(provision=NOTHING)
    ) as state:
        state.begin(at=1.0)
        state.adopt_plan(make_plan([make_take("x")]), renew=(), at=1.0)
        shutil.copy(other / "state.db-wal", place / "state.db-wal")
    return "the log of another run"


def _older_log(place: Path, _chance: random.Random) -> str:
    """Put the log of an earlier moment beside a file that has since been closed."""
    log = (place / "state.db-wal").read_bytes()
    with StateFile.open(place / "state.db", Opening(provision=NOTHING)) as state:
        state.begin(at=4.0)
        drive(state, TakeState.QUEUED, take_id="pending-0")
    (place / "state.db-wal").write_bytes(log)
    return "an older log of the same run"


def _of_another(place: Path, _chance: random.Random) -> str:
    _log_of_another(place, _chance)
    (place / "state.db-wal").unlink()
    shutil.copy(place.with_name("other") / "state.db", place / "state.db")
    return "the file of another run"


def _another_machine(place: Path, _chance: random.Random) -> str:
    with StateFile.open(place / "state.db", Opening(provision=NOTHING, machine="elsewhere", moved=True)):
        return "from another machine"


MIX_UPS: Mapping[str, Callable[[Path, random.Random], str]] = {
    "foreign": _foreign,
    "newer": _newer,
    "zero": _zero,
    "zeros": _zeros,
    "text": _text,
    "directory": _directory,
    "gone": _gone,
    "no log": _no_log,
    "zero log": _zero_log,
    "log of another run": _log_of_another,
    "older log": _older_log,
    "file of another run": _of_another,
    "another machine": _another_machine,
}
"""By name what may be found in place of the file, all of which must be refused."""
