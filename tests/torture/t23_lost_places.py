"""T23: the run's folder is renamed, deleted or replaced, its record set back or cut, in mid-run or after a kill.

The same command is given again, as people do: it must end with 78, name the folder, and pay for nothing. Then what was
moved is put back, or `restore` enters what is still known, and the run must complete with every charge known. Where
the whole folder was deleted nothing can be put back: there the test ends with the refusal.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.store.marker import MARKER
from tests.outside.faults import Fault
from tests.torture.life import Life
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Weather

NAME = "T23 lost places"
ROUNDS = 4
TAKES = 16
_UNUSABLE, _HELD = 78, 4
_BY_ITSELF = frozenset({0, 2, 4})
_ANY_CODE = frozenset(range(128))
_KEPT = 100
"""Seconds a life may go on after its place was lost; it sees its jobs through."""
_LOGS = ("state.db-wal", "state.db-shm")


@dataclass(frozen=True, slots=True)
class Loss:
    """What becomes of the run's folder, and how it is mended.

    `lose` does it, given the folder, an older copy of its record, and luck. `is_live` says that it can happen while
    the run goes on; a log cannot be cut under a program that has it open. `mend` makes good what a person can; None
    where nothing can. `restores` says that `restore` must be asked after a refusal. `may_heal` says that the program
    need not refuse: nothing that was sent may be unknown, or it knows it from elsewhere.
    """

    lose: Callable[[Path, Path, random.Random], None]
    mend: Callable[[Path], None] | None
    is_live: bool = True
    restores: bool = False
    may_heal: bool = False


def _aside(place: Path) -> Path:
    return place.with_name(f"{place.name}-aside")


def _rename(place: Path, _older: Path, _chance: random.Random) -> None:
    place.rename(_aside(place))


def _delete(place: Path, _older: Path, _chance: random.Random) -> None:
    # Renamed first, so that it is gone at once; what is still being written into it makes a deletion fail.
    place.rename(_aside(place))
    while _aside(place).exists():
        shutil.rmtree(_aside(place), ignore_errors=True)


def _replace(place: Path, _older: Path, _chance: random.Random) -> None:
    place.rename(_aside(place))
    place.mkdir()


def _put_back(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    _aside(place).rename(place)


def _set_back(place: Path, older: Path, _chance: random.Random) -> None:
    """Put an older copy of the record in place of it, as a backup program does."""
    shutil.copy(older / "state.db", place / "state.db.copy")
    for name in _LOGS:
        (place / name).unlink(missing_ok=True)
    (place / "state.db.copy").replace(place / "state.db")


def _set_folder_back(place: Path, older: Path, chance: random.Random) -> None:
    """Put an older copy of the whole folder in place of it; nothing in there knows what came later."""
    _delete(place, older, chance)
    # The run may have marked its old place already.
    shutil.copytree(older, place, dirs_exist_ok=True)


def _lose_record(place: Path, _older: Path, _chance: random.Random) -> None:
    for name in ("state.db", *_LOGS, MARKER):
        (place / name).unlink(missing_ok=True)


def _lose_marker(place: Path, _older: Path, _chance: random.Random) -> None:
    (place / MARKER).unlink()


def _cut_log(place: Path, _older: Path, chance: random.Random) -> None:
    """Cut the log at the end of one of its transactions, which no checksum can tell from an earlier end."""
    log = place / "state.db-wal"
    text = log.read_bytes() if log.exists() else b""
    if len(text) < 32:
        return
    size = int.from_bytes(text[8:12], "big") + 24
    starts = range(32, len(text) - size + 1, size)
    ends = [start + size for start in starts if text[start + 4 : start + 8] != bytes(4)]
    os.truncate(log, chance.choice([32, *ends[:-1]]))


def _nothing(_place: Path) -> None:
    """Nothing has to be put back."""


LOSSES: Mapping[str, Loss] = {
    "renamed": Loss(_rename, _put_back),
    "deleted": Loss(_delete, None),
    "replaced by an empty one": Loss(_replace, _put_back),
    "set back": Loss(_set_back, _nothing, restores=True),
    "folder set back": Loss(_set_folder_back, _nothing, restores=True),
    "record lost": Loss(_lose_record, _nothing, restores=True),
    "marker lost": Loss(_lose_marker, _nothing, restores=True, may_heal=True),
    "log cut": Loss(_cut_log, _nothing, is_live=False, restores=True, may_heal=True),
}
"""By name what happens to a run's folder."""


class When(StrEnum):
    """When the place is lost: while the run goes on, just before it is killed, or after."""

    LIVE = "live"
    BEFORE_KILL = "before a kill"
    AFTER_KILL = "after a kill"


@dataclass(frozen=True, slots=True)
class LostPlace:
    """One loss at one of three moments."""

    name: str
    seed: int
    loss: str
    when: When


def cases(seed: int, scale: float) -> Iterator[LostPlace]:
    """Yield every loss at every moment, four times at scale 1; less is a share of that, at least once each."""
    for number in range(max(1, round(ROUNDS * scale))):
        for name, loss in LOSSES.items():
            for when in When:
                if loss.is_live or when is When.AFTER_KILL:
                    yield LostPlace(f"{name}, {when} {number}", seed * 1049 + number, name, when)


def run(case: LostPlace, workdir: Path) -> Verdict:
    """Lose the place, give the same command again, mend it, and complete the run."""
    tally = Tally()
    play(case, workdir / "board", tally)
    return tally.verdict()


def play(case: LostPlace, folder: Path, tally: Tally, *, tree: Path = REPOSITORY) -> None:
    """Play one case in `folder`."""
    chance, loss = random.Random(f"{case.seed} {case.name}"), LOSSES[case.loss]
    weather = Weather(case.seed, {"submit": [(1.0, Fault(delay=0.03))]})
    service = settings(service=0.3, slots=4, clip_bytes=4000)
    with Rig(folder, tally, takes=TAKES, weather=weather, settings=service, jobs=4, tree=tree) as rig:
        life = _lived_until_lost(rig, loss, chance, case.when)
        _check_charges(rig, "before the second command")
        again = _given_again(rig, loss)
        if loss.mend is None:
            tally.kills += life.killed
            return
        loss.mend(rig.place)
        if loss.restores and again.code == _UNUSABLE:
            _restored(rig)
        _check_charges(rig, "before the last command")
        if not tally.found:
            # The answer that was on its way when its place was lost may be in doubt, as after a kill.
            rig.check(life, codes=_ANY_CODE, hurried=1)
            rig.finish()


def _lived_until_lost(rig: Rig, loss: Loss, chance: random.Random, when: When) -> Life:
    """Live for some submits, take an older copy, live for some more, and lose the place; return the ended life."""
    older = rig.folder / "older"
    early = chance.randint(1, 4)
    late = early + chance.randint(1, 6)
    life = rig.start()
    life.wait_until(lambda: _submits(rig) >= early)
    _copy_record(rig.place, older)
    life.wait_until(lambda: _submits(rig) >= late)
    life.wait_until(lambda: False, within=chance.uniform(0.0, 0.15))
    if when is When.AFTER_KILL:
        life.kill()
    loss.lose(rig.place, older, chance)
    before = _submits(rig)
    if when is When.BEFORE_KILL:
        life.wait_until(lambda: False, within=chance.uniform(0.0, 0.3))
        life.kill()
    life.end(within=_KEPT)
    if not life.killed and not (loss.may_heal and life.code in _BY_ITSELF):
        _check_refusal(rig, life, "the run whose place was lost")
    # One was begun when it happened, and the next may have passed its check.
    if _submits(rig) > before + 2 and not loss.may_heal:
        rig.complain(f"{_submits(rig) - before} submits came after the place was lost")
    return life


def _given_again(rig: Rig, loss: Loss) -> Life:
    """Give the same command again: it is refused, names the folder, and charges nothing."""
    before = _submits(rig)
    again = rig.start()
    again.end()
    if loss.may_heal and again.code in _BY_ITSELF:
        return again
    _check_refusal(rig, again, "the same command again")
    if _submits(rig) != before:
        rig.complain(f"the same command again sent {_submits(rig) - before}")
    if again.code == _UNUSABLE and rig.place.name not in again.words():
        rig.complain(f"the refusal does not name the folder: {again.said()}")
    return again


def _restored(rig: Rig) -> None:
    """Ask for what is still known to be entered; it pays for nothing."""
    before = _submits(rig)
    life = rig.start(["restore", str(rig.manifest)])
    life.end()
    if life.code not in {0, _HELD}:
        rig.complain(f"restore ended with {life.code}: {life.said()}")
    if _submits(rig) != before:
        rig.complain("restore has sent something")


def _check_refusal(rig: Rig, life: Life, who: str) -> None:
    if life.code != _UNUSABLE:
        rig.complain(f"{who} ended with {life.code} and not {_UNUSABLE}: {life.said()}")
    if "Traceback" in life.words():
        rig.complain(f"{who} showed a traceback: {life.said()}")


def _check_charges(rig: Rig, when: str) -> None:
    doubled = int(rig.server.stats()["doubled"])
    if doubled > rig.tally.doubled:
        rig.complain(f"{doubled} bodies were charged twice {when}")
        rig.tally.doubled = doubled


def _submits(rig: Rig) -> int:
    return int(rig.server.stats()["submits"])


def _copy_record(place: Path, older: Path) -> None:
    """Copy the folder as it is now, with the log folded into the record, as a good backup program does."""
    shutil.copytree(place, older, ignore=shutil.ignore_patterns("state.db", *_LOGS, ".*.part*"))
    with (
        closing(sqlite3.connect(f"file:{place / 'state.db'}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(older / "state.db")) as target,
    ):
        source.backup(target)
