"""T12: the volume that holds the run fills up at many points of a run, on small disks of three sizes.

The run lies on a tmpfs of its own. At a chosen moment another program takes all the room there is; the command must
end with 74 and lose no id; room is given back, and the same command ends with 0. Making a small disk needs a right
that not everybody has: where it is missing the cases are skipped and say so.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.store.reserve import MIB, room
from tests.outside.faults import Fault
from tests.torture.registry import Verdict
from tests.torture.rig import Rig, Tally, settings
from tests.torture.weather import Weather

NAME = "T12 disk full"
SIZES = (80, 96, 128)
"""MiB: all are above the low-water mark plus the ballast, or no run could begin."""

_ROUTES = ("submit", "status", "result", "file")
_MOMENTS = 5
_TAKES = 12
_FULL, _DONE = 74, 0


@dataclass(frozen=True, slots=True)
class FullDisk:
    """A disk of `size` MiB that fills up at the `nth` call of `route`; `low` leaves a little below the mark.

    `download` says whether clips are fetched to it too.
    """

    name: str
    seed: int
    size: int
    route: str
    nth: int
    low: bool
    download: bool = True


def cases(seed: int, scale: float) -> Iterator[FullDisk]:
    """Yield 20 points on each of three sizes at scale 1, every fourth of them only just below the low-water mark."""
    every = [
        FullDisk(f"{size}M-{route}-{nth}", seed, size, route, nth, low=nth == _MOMENTS - 1)
        for size in SIZES
        for route in _ROUTES
        for nth in range(_MOMENTS)
    ]
    number = max(1, round(len(every) * min(scale, 1.0)))
    yield from every if scale >= 1 else random.Random(seed).sample(every, number)


def run(case: FullDisk, workdir: Path) -> Verdict:
    """Fill the disk in mid-run, see how the run ends, free it, and go on."""
    disk, tally = workdir / "disk", Tally()
    disk.mkdir(parents=True)
    if not mounted(disk, case.size):
        print(f"{case.name}: skipped, no file system may be mounted here")
        return Verdict()
    try:
        slow = Weather(case.seed, {"submit": [(1.0, Fault(delay=0.03))]})
        with Rig(
            disk / "board",
            tally,
            takes=_TAKES,
            weather=slow,
            settings=settings(service=0.6),
            jobs=4,
            download=case.download,
        ) as rig:
            _fill_in_mid_run(case, rig, disk / "filler")
            rig.finish()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False, capture_output=True)
    return tally.verdict()


def mounted(place: Path, size: int) -> bool:
    """Mount an empty disk of so many MiB at `place`; return False where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=700", "none", str(place)]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _fill_in_mid_run(case: FullDisk, rig: Rig, filler: Path) -> None:
    seen = [0]

    def count() -> None:
        seen[0] += 1
        if seen[0] <= case.nth:
            rig.weather.strike_at(case.route, after=0.0, blow=count)
        else:
            fill(filler, leaving=32 * MIB if case.low else 0)

    rig.weather.strike_at(case.route, after=0.0, blow=count)
    life = rig.start()
    life.end()
    filled = filler.exists() and filler.stat().st_size
    filler.unlink(missing_ok=True)
    # Where all is submitted by then, there may be room enough for the rest.
    rig.check(life, codes=frozenset({_FULL}) if case.route == "submit" else frozenset({_FULL, _DONE}))
    if not filled:
        rig.complain("the disk was never filled")
    elif life.code == _DONE and rig.unfinished:
        rig.complain("exit code 0 although takes are left")


def fill(filler: Path, *, leaving: int) -> None:
    """Take all the room of a disk, but for so many bytes."""
    with filler.open("wb", buffering=0) as file:
        for block in (bytes(MIB), bytes(4096)):
            with suppress(OSError):
                while room(filler) > leaving or not leaving:
                    file.write(block)


def few(seed: int) -> tuple[FullDisk, ...]:
    """Return a disk that fills up while ids come back, and one that gets close to it."""
    return (
        FullDisk("pr-full", seed, SIZES[0], "submit", 1, low=False, download=False),
        FullDisk("pr-low", seed, SIZES[0], "submit", 1, low=True, download=False),
    )
