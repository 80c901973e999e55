"""How fast clips reach a store: `python -m tests.benchmarks.uploads`, beside s5cmd and the AWS CLI, over loopback.

Shotrunner goes on with a run of which every job has ended: it downloads each clip, hashes it, uploads it with its
sidecar and removes it here, once on its own threads and once on two Dask workers. The others only upload files that
are on the disk already. So its uploads are measured alone as well, on the same files.

The server verifies every byte. It is that of the tests, in a process of its own, because it needs less processor time
than `rclone serve s3` and moto.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench import say
from tests.benchmarks.downloads import files
from tests.benchmarks.figures import MIB, Usage
from tests.benchmarks.finished_run import existing
from tests.benchmarks.harness import ROOT, measure
from tests.benchmarks.reached import Figure, markdown
from tests.outside.s3_disk import Disk
from tests.outside.s3_server import BUCKET, KEY_ID, SECRET

CLIPS, CLIP_BYTES = 2000, 5_000_000
REACH, DASK_REACH = 0.8, 0.9
"""The least share of the fastest other's rate, and of the rate on threads with two Dask workers."""

MOST_MIB, MOST_HELD_MS = 300, 50
THREADS, DASK = "shotrunner", "shotrunner, two Dask workers"
ALONE = "shotrunner, uploads alone"
_EXECUTORS = {THREADS: "threads", DASK: "dask"}
OTHERS = ("s5cmd", "aws")
_LIMIT = 1800.0
_ADDRESS = f"s3://{BUCKET}/night"


@dataclass(frozen=True, slots=True)
class Stored:
    """One contender's try: `clips` files of `size` bytes are in the store, or fewer if it is not `sound`.

    `held_ms` and `peak_mib` are Shotrunner's own: how long its loop was held at most, and its memory without workers.
    """

    clips: int
    size: int
    usage: Usage
    sound: bool
    held_ms: float = 0.0
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        """MiB a second, over the whole process."""
        return self.clips * self.size / MIB / self.usage.wall


def contenders() -> list[str]:
    """Return who takes part on this machine."""
    others = [name for name in OTHERS if _program(name)]
    if not others:
        say(f"none of {', '.join(OTHERS)} is on this machine: pip install 'shotrunner[bench]'")
    return [THREADS, DASK, ALONE, *others]


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))


@contextlib.contextmanager
def store(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run an S3 server in a process of its own, and yield the environment that leads there."""
    command = [sys.executable, "-m", "tests.outside.s3_server", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            endpoint = f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
            yield {
                "AWS_ENDPOINT_URL": endpoint,
                "S3_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            process.terminate()


def run(contender: str, *, clips: int, size: int) -> Stored:
    """Let one contender fill an empty store, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, files(size) as origin:
        folder = Path(name)
        with store(folder / "store") as environment:
            command, more = _prepared(contender, folder, origin, clips=clips, size=size)
            environment = {**environment, **more, "PYTHONPATH": str(ROOT)}
            usage = measure(command, environment=environment, log=folder / "log", limit=_LIMIT, cwd=folder)
        kept = Disk(folder / "store").objects(BUCKET).values()
        whole = sum(each.key.endswith(".mp4") and each.size == size for each in kept)
        words = (folder / "log").read_text()
        sound = usage.exit_code == 0 and whole == clips
        if not sound:
            print(words[-2000:], file=sys.stderr)
        own = json.loads(words.splitlines()[-1]) if sound and contender in _EXECUTORS else {}
    return Stored(clips, size, usage, sound, **own)


def _prepared(
    contender: str, folder: Path, origin: str, *, clips: int, size: int
) -> tuple[list[str], Mapping[str, str]]:
    """Make what the contender begins with, and return its command and the environment that this needs."""
    if executor := _EXECUTORS.get(contender):
        words = [str(folder), "--takes", str(clips), "--no-download", "--no-reports", "--api", origin]
        maker = [sys.executable, "-m", "tests.benchmarks.finished_run", *words, "--out", _ADDRESS]
        subprocess.run(maker, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        made = existing(folder, api=origin)
        module = [sys.executable, "-m", "tests.benchmarks.held_loop"]
        flags = ["--out", _ADDRESS, "--executor", executor]
        return [*module, str(made.manifest), str(made.run_dir), *flags], made.environment
    (folder / "clips").mkdir()
    filler = os.urandom(size)
    for number in range(clips):
        clip = f"{number:016}".encode() + filler[16:]
        (folder / "clips" / f"{number:05}.mp4").write_bytes(clip)
    if contender == ALONE:
        return [sys.executable, "-m", "tests.benchmarks.put_files", "clips", _ADDRESS], {}
    program = _program(contender)
    assert program is not None
    if contender == "s5cmd":
        return [program, "cp", "clips/*", f"{_ADDRESS}/clips/"], {}
    return [program, "s3", "cp", "--only-show-errors", "--recursive", "clips", f"{_ADDRESS}/clips"], {}


def measure_uploads(*, clips: int, size: int, times: int) -> Iterator[Figure]:
    """Let all contenders upload in turn, so often, and yield the figures."""
    tries: dict[str, list[Stored]] = {name: [] for name in contenders()}
    for _ in range(times):
        for name, done in tries.items():
            say(f"{name}: {clips:,} clips of {size / 1e6:g} MB to S3")
            done.append(run(name, clips=clips, size=size))
            say(
                f"{name}: {done[-1].rate:.0f} MiB/s, {done[-1].usage.cpu * 1000 / clips:.1f} ms of CPU a clip"
            )
    if unsound := [name for name, done in tries.items() if not all(one.sound for one in done)]:
        say(f"NOT SOUND: {', '.join(unsound)}")
    what = f"{clips:,} clips of {size / 1e6:g} MB to S3"
    mine, dask = tries[THREADS], tries[DASK]
    others = [tries[name] for name in OTHERS if name in tries]
    rates = "; ".join(
        f"{name} {statistics.median(one.rate for one in done):.0f} MiB/s" for name, done in tries.items()
    )
    for name, about in ((ALONE, "uploads alone"), (THREADS, "downloads and uploads")):
        ratios = tuple(
            one.rate / max(other.rate for other in beside)
            for one, *beside in zip(tries[name], *others, strict=True)
            if beside
        )
        about = f"{what}: {about}, over the uploads of the fastest other"
        yield Figure(about, ratios, "×", least=REACH, beside=rates)
    ratios = tuple(other.rate / one.rate for one, other in zip(mine, dask, strict=True))
    yield Figure(f"{what}: two Dask workers over threads", ratios, "×", least=DASK_REACH)
    peaks = tuple(one.peak_mib for one in mine)
    yield Figure(f"{what}: peak memory of the engine's process", peaks, "MiB", most=MOST_MIB)
    for name, done in ((THREADS, mine), (DASK, dask)):
        held = tuple(one.held_ms for one in done)
        yield Figure(f"{what}, {name}: loop held at most", held, "ms", most=MOST_HELD_MS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.uploads", description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--bytes", type=int, default=CLIP_BYTES, help="size of each clip")
    parser.add_argument("--times", type=int, default=3, help="runs of each, of which the median counts")
    given = parser.parse_args(arguments)
    print(markdown(list(measure_uploads(clips=given.clips, size=given.bytes, times=given.times))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
