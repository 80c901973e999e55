"""How fast clips come: `python -m tests.benchmarks.downloads`, beside aria2c, from one fast server on loopback.

Shotrunner goes on with a run of which every job has ended and no clip has come, so its figure is that of a whole
command: it hashes each clip, checks that it is whole, flushes it to the disk and writes a sidecar and the reports.
aria2c only writes files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench import say
from tests.benchmarks.contenders import own_program
from tests.benchmarks.figures import MIB, Usage, peak_mib
from tests.benchmarks.finished_run import existing
from tests.benchmarks.harness import ROOT, measure
from tests.benchmarks.reached import Figure, markdown

CLIPS, CLIP_BYTES = 2000, 5_000_000
ARIA2C = "aria2c -j 16"

REACH = 0.9
"""The least share of aria2c's throughput."""

MOST_MIB = 150
_LIMIT = 900.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """One contender's try: `clips` files of `size` bytes came, or fewer if it is not `sound`."""

    contender: str
    clips: int
    size: int
    usage: Usage
    sound: bool

    @property
    def rate(self) -> float:
        """MiB a second, over the whole process."""
        return self.clips * self.size / MIB / self.usage.wall

    @property
    def cpu_ms(self) -> float:
        """User and system milliseconds a clip."""
        return self.usage.cpu * 1000 / self.clips


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to download: `prepare` fills a folder and returns a command, its environment, and where clips come."""

    name: str
    prepare: Callable[[Path, str, int], tuple[list[str], dict[str, str], Path]]


def shotrunner(folder: Path, origin: str, clips: int) -> tuple[list[str], dict[str, str], Path]:
    """Make a run whose clips are all to be downloaded."""
    # In a process of its own, since a child begins with the peak memory of its parent.
    words = [str(folder), "--takes", str(clips), "--no-download", "--no-reports", "--api", origin]
    maker = [sys.executable, "-m", "tests.benchmarks.finished_run", *words]
    subprocess.run(maker, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    made = existing(folder, api=origin)
    flags = ["-y", "--progress", "none", "--run-dir", str(made.run_dir)]
    return (
        [str(own_program()), "run", str(made.manifest), *flags],
        dict(made.environment),
        made.run_dir / "clips",
    )


def aria2c(folder: Path, origin: str, clips: int) -> tuple[list[str], dict[str, str], Path]:
    """Make a list of as many links."""
    links, out = folder / "links", folder / "clips"
    links.write_text("".join(f"{origin}/files/{number:05}.mp4\n" for number in range(clips)))
    return ["aria2c", "-q", "-j", "16", "--file-allocation=none", "-d", str(out), "-i", str(links)], {}, out


def contenders() -> list[Contender]:
    """Return who takes part on this machine."""
    found = [Contender("shotrunner", shotrunner)]
    return [*found, Contender(ARIA2C, aria2c)] if shutil.which("aria2c") else found


@contextlib.contextmanager
def files(size: int) -> Iterator[str]:
    """Run a fresh server of files in a process of its own, and yield its origin."""
    command = [sys.executable, "-m", "tests.benchmarks.file_server", "--bytes", str(size)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.terminate()


def run(contender: Contender, *, clips: int, size: int) -> Fetched:
    """Let one contender download `clips` files into an empty folder, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, files(size) as origin:
        folder = Path(name)
        command, environment, landed = contender.prepare(folder, origin, clips)
        usage = measure(command, environment=environment, log=folder / "log", limit=_LIMIT, cwd=folder)
        whole = [path for path in landed.glob("*.mp4") if path.stat().st_size == size]
        sound = usage.exit_code == 0 and len(whole) == clips
        if not sound:
            print((folder / "log").read_text()[-2000:], file=sys.stderr)
    return Fetched(contender.name, clips, size, usage, sound)


def measure_downloads(*, clips: int, size: int, times: int) -> Iterator[Figure]:
    """Let all contenders download in turn, so often, and yield the figures."""
    taking_part = contenders()
    tries: dict[str, list[Fetched]] = {each.name: [] for each in taking_part}
    for _ in range(times):
        for contender in taking_part:
            say(f"{contender.name}: {clips:,} clips of {size / 1e6:g} MB")
            tries[contender.name].append(run(contender, clips=clips, size=size))
    unsound = [name for name, done in tries.items() if not all(one.sound for one in done)]
    if unsound:
        say(f"NOT SOUND: {', '.join(unsound)}")
    what = f"{clips:,} clips of {size / 1e6:g} MB"
    mine, peer = tries["shotrunner"], tries.get(ARIA2C, [])
    if not peer:
        say("aria2c: not on this machine; Debian has it in the package aria2")
    ratios = tuple(one.rate / other.rate for one, other in zip(mine, peer, strict=False))
    yield Figure(f"{what}: rate over that of {ARIA2C}", ratios, "×", least=REACH)
    beside = f"{ARIA2C} {statistics.median(one.rate for one in peer):.0f} MiB/s" if peer else ""
    yield Figure(f"{what}: rate", tuple(one.rate for one in mine), "MiB/s", beside=beside)
    beside = f"{ARIA2C} {statistics.median(one.cpu_ms for one in peer):.1f} ms" if peer else ""
    yield Figure(f"{what}: CPU a clip", tuple(one.cpu_ms for one in mine), "ms", beside=beside)
    peaks = tuple(float(peak_mib(one.usage)) for one in mine)
    yield Figure(f"{what}: peak memory", peaks, "MiB", most=MOST_MIB)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.downloads", description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--bytes", type=int, default=CLIP_BYTES, help="size of each clip")
    parser.add_argument("--times", type=int, default=5, help="runs of each, of which the median counts")
    given = parser.parse_args(arguments)
    print(markdown(list(measure_downloads(clips=given.clips, size=given.bytes, times=given.times))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
