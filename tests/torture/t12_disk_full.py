"""T12: the volume of the run directory, or that of the clips alone, fills up at every point of a run, and is freed.

The volume is a small disk in memory that only the case itself can see. At a chosen moment another program takes all
the room there is, or all but a little, or all the inodes; the command must end with 74, lose no id and leave no short
clip under a whole one's name. The same command must end so again while the disk is still full, and with 0 once there
is room. Making a disk needs a namespace of mounts, which not every machine allows: `obstacle` says why not.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from runner.media.clips.sidecar import CLIPS
from runner.store.disk_failure import MIB, room
from tests.outside.faults import Fault
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Weather

NAME = "T12 disk full"
SIZES = {"run": (70, 80, 128), "clips": (18, 32, 64), "all": (80,)}
"""MiB by volume: all are above the mark below which nothing is begun, and the smallest has no room for a ballast.

`run` is the run directory, `clips` its folder of clips alone, `all` holds the words to a person too.
"""

_TAKES = 12
POINTS = (
    ("start", 0),
    *((route, nth) for route in ("submit", "status", "result") for nth in range(5)),
    *(("file", nth) for nth in (0, 1, 2, 4, _TAKES - 1)),
)
"""Which call of which route it is that finds the disk full; `start` is before the command begins."""

_LEFT = {"run": 32, "clips": 8, "all": 32}
_INODES = 300
_FULL, _DONE = 74, 0
_PATIENCE = 300.0
_NAMESPACES = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))


@dataclass(frozen=True, slots=True)
class FullDisk:
    """A disk of `size` MiB for a `volume` that fills up at the `nth` call of `route`.

    `way` is `full`, `low` (a little is left, below the product's mark) or `inodes` (room for bytes, none for files).
    """

    name: str
    seed: int
    volume: str
    size: int
    route: str
    nth: int
    way: str
    download: bool = True


def cases(seed: int, scale: float) -> Iterator[FullDisk]:
    """Yield 21 points on three sizes of each volume at scale 1, and on one disk that holds everything."""
    every = [
        FullDisk(f"{volume}-{size}M-{route}-{nth}-{way}", seed, volume, size, route, nth, way)
        for volume, sizes in SIZES.items()
        for column, size in enumerate(sizes)
        for row, (route, nth) in enumerate(POINTS)
        for way in [("full", "low", "full", "inodes")[(row + column) % 4]]
    ]
    number = max(1, round(len(every) * min(scale, 1.0)))
    yield from every if scale >= 1 else random.Random(seed).sample(every, number)


# -- a place of its own ------------------------------------------------------------------------------------------


@cache
def namespace() -> tuple[str, ...]:
    """Return the words before a command that let it mount a disk which nobody else sees; empty if there are none."""
    with tempfile.TemporaryDirectory() as place:
        for words in _NAMESPACES:
            with suppress(OSError):
                command = [*words, "mount", "-t", "tmpfs", "none", place]
                if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                    return words
    return ()


def obstacle() -> str:
    """Return why this test cannot be run here, or nothing."""
    if namespace():
        return ""
    if shutil.which("unshare") is None:
        return "unshare is not installed, so no small disk can be made"
    return "neither this user nor a namespace of its own may mount a small disk"


def run(case: FullDisk, workdir: Path) -> Verdict:
    """Fill the disk in mid-run, see how the run ends, free it, and go on."""
    if why := obstacle():
        print(f"T12 {case.name}: skipped, {why}", flush=True)
        return Verdict()
    command = [*namespace(), sys.executable, "-m", "tests.torture.t12_disk_full", str(workdir)]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        input=json.dumps(asdict(case)),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    if done.returncode:
        raise RuntimeError(f"ended with {done.returncode}: {done.stderr[-500:]}")
    story, verdict = done.stdout.splitlines()
    print(f"T12 {case.name}: {story}", flush=True)
    return Verdict.from_json(json.loads(verdict))


def _main(workdir: Path) -> None:
    """Be the process inside: the case comes on standard input, a line for people and the verdict go out."""
    case, tally = FullDisk(**json.load(sys.stdin)), Tally()
    rig = _rig(case, workdir, tally)
    place = {"run": rig.place, "clips": rig.place / CLIPS, "all": rig.folder}[case.volume]
    place.mkdir(parents=True)
    _mount(place, case)
    with rig:
        story = _live(case, rig, Filler(place / "filler", case))
    verdict = tally.verdict()
    if not verdict.clean:
        # Nobody outside can look at the disk.
        shutil.copytree(place, workdir / "left", ignore=shutil.ignore_patterns("filler*"))
    print(story)
    print(json.dumps(verdict.to_json()))


def _rig(case: FullDisk, workdir: Path, tally: Tally) -> Rig:
    # The product looks for room once a second, so a run that is to see it get short must last longer.
    quick = settings(service=0.6 if case.way == "low" else 0.25)
    slow = Weather(case.seed, {"submit": [(1.0, Fault(delay=0.03))]})
    return Rig(
        workdir / "board",
        tally,
        takes=_TAKES,
        weather=slow,
        settings=quick,
        jobs=4,
        download=case.download,
    )


def _mount(place: Path, case: FullDisk) -> None:
    inodes = f",nr_inodes={_INODES}" if case.way == "inodes" else ""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={case.size}m,mode=700{inodes}", "none", str(place)], check=True
    )


class Filler:
    """Another program that takes all the room of a disk, and gives it back."""

    def __init__(self, path: Path, case: FullDisk) -> None:
        self._path = path
        self._few = case.way == "inodes"
        self._leaving = _LEFT[case.volume] * MIB if case.way == "low" else 0
        self.struck = False

    def fill(self) -> None:
        """Take the room."""
        self.struck = True
        if self._few:
            with suppress(OSError):
                for number in range(_INODES):
                    self._path.with_name(f"{self._path.name}-{number}").touch()
            return
        with self._path.open("wb", buffering=0) as file:
            for block in (bytes(MIB), bytes(4096)):
                with suppress(OSError):
                    while not self._leaving or room(self._path) > self._leaving:
                        file.write(block)

    def free(self) -> None:
        """Give it back."""
        for path in self._path.parent.glob(f"{self._path.name}*"):
            path.unlink()


# -- the case ----------------------------------------------------------------------------------------------------


def _live(case: FullDisk, rig: Rig, filler: Filler) -> str:
    """Live on the disk as it fills up, once more on the full one, and to the end on the free one; tell of it."""
    codes = [_first(case, rig, filler)]
    if not filler.struck:
        rig.complain("the disk was never filled")
    if rig.unfinished:
        codes.append(_once(rig))
    filler.free()
    submitted = len(rig.server.ledger())
    rig.finish()
    _check_names(rig)
    return f"exit codes {' and '.join(map(str, codes))} on a full disk with {submitted} of {_TAKES} submitted"


def _first(case: FullDisk, rig: Rig, filler: Filler) -> int | None:
    if case.route == "start":
        filler.fill()
    else:
        rig.weather.strike_at(case.route, after=0.0, blow=filler.fill, skip=case.nth)
    return _once(rig)


def _once(rig: Rig) -> int | None:
    """Live, and hold the exit code against what is left: 74 unless all there was to do was done."""
    life = rig.start()
    life.end()
    # The take whose id could only be kept beside the record still looks doubtful in it; `_check_ids` knows better.
    rig.weather.losses += 1
    rig.check(life, codes=frozenset({_FULL, _DONE}))
    _check_ids(rig)
    _check_names(rig)
    if life.code == _DONE and rig.unfinished:
        rig.complain("exit code 0 although takes are left")
    return life.code


def _check_ids(rig: Rig) -> None:
    """Complain of every charge whose id is neither in the state file nor beside it: no answer was lost on the way."""
    kept = b"".join(path.read_bytes() for path in sorted(rig.folder.rglob("*.ids")))
    for entry in rig.server.ledger():
        if entry.request_id not in rig.recorded.known and entry.request_id.encode() not in kept:
            rig.complain(f"{entry.request_id} was charged and is written nowhere")


def _check_names(rig: Rig) -> None:
    """Complain of every clip that has its final name and is not what a job made."""
    whole = {rig.server.clip(entry.request_id) for entry in rig.server.ledger()}
    for path in sorted((rig.place / CLIPS).glob("[!.]*.mp4")):
        if (found := path.read_bytes()) not in whole:
            rig.complain(f"{path.name} is named as a whole clip, and has {len(found)} bytes")


def few(seed: int) -> tuple[FullDisk, ...]:
    """Return a disk that fills up while ids come back, one that gets close to it, and one of clips alone."""
    return (
        FullDisk("pr-full", seed, "run", 80, "submit", 1, "full"),
        FullDisk("pr-low", seed, "all", 80, "submit", 1, "low", download=False),
        FullDisk("pr-clips", seed, "clips", 32, "file", 1, "full"),
        FullDisk("pr-inodes", seed, "run", 70, "submit", 1, "inodes"),
    )


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
