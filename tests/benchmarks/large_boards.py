"""What a command costs on boards of ten and a hundred thousand takes: `check`, `plan`, the same run again, `report`.

In: how often. Out: figures. The runs are made without a server (`finished_run`), in a process of their own, since a
child begins with the peak memory of its parent. Times are of whole commands, by the wall; `report.csv` alone
is written in this process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.output.csv_report import write_csv
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from tests.benchmarks.bench import say
from tests.benchmarks.contenders import own_program
from tests.benchmarks.figures import MIB, Load, Usage
from tests.benchmarks.harness import ROOT, Server, measure, server
from tests.benchmarks.reached import Figure

_LIMIT = 1200.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What the commands should reach at one size: seconds, MiB, and MiB of the page."""

    check: float | None = None
    check_mib: float | None = None
    plan: float | None = None
    again: float | None = None
    table: float | None = None
    status: float | None = None
    page: float | None = None


REACH: Mapping[int, Reach] = {
    10_000: Reach(plan=1.0, again=0.8, page=6.0),
    100_000: Reach(check=6.0, check_mib=400, plan=8.0, again=3.0, table=5.0, status=0.5, page=40.0),
}


def measure_board(takes: int, *, times: int, reach: Reach) -> Iterator[Figure]:
    """Make a run of so many takes, and measure every command on it so often."""
    size = f"{takes:,} takes"
    with tempfile.TemporaryDirectory(prefix="bench-") as name, server(Load()) as api:
        folder = Path(name)
        board, place = str(folder / "board.csv"), str(folder / "run")
        environment = {
            "RUNCOMFY_MODEL_API_BASE": f"{api.base}/v1",
            "RUNCOMFY_TOKEN": "bench-token",
            "XDG_STATE_HOME": str(folder / "state"),
        }

        def timed(*words: str, runs: int = times) -> list[Usage]:
            done = [
                measure(
                    [str(own_program()), *words],
                    environment=environment,
                    log=folder / "log",
                    limit=_LIMIT,
                    cwd=folder,
                )
                for _ in range(runs)
            ]
            if any(usage.exit_code for usage in done):
                say(f"shotrunner {' '.join(words)} failed:", (folder / "log").read_text()[-1000:])
            return done

        say(f"{size}: the run is made, of which 99 % has ended")
        _make(folder, "--takes", str(takes), "--done", "0.99", "--no-reports", "--api", api.base)
        yield from _figures(f"{size}: check", timed("check", board), most=reach.check, mib=reach.check_mib)
        plan = timed("plan", board, "--run-dir", place)
        yield from _figures(f"{size}: plan, 99 % done", plan, most=reach.plan)
        _make(folder, "--complete")
        again = ("run", "-y", board, "--run-dir", place, "--progress", "none")
        first = timed(*again, runs=1)
        yield from _figures(f"{size}: the first command after the last job", first)
        before = _asked(api)
        yield from _figures(f"{size}: the same command again", timed(*again), most=reach.again)
        yield Figure(f"{size}: requests to the API by it", (_asked(api) - before,), most=0)
        yield from _figures(f"{size}: report, table and page", timed("report", place))
        table = tuple(_seconds_of_table(RunDir(Path(place))) for _ in range(times))
        yield Figure(f"{size}: report.csv alone", table, "s", most=reach.table)
        files = (Path(place) / "report.html", *Path(place).glob("report-data/*.js"))
        page = sum(file.stat().st_size for file in files) / MIB
        yield Figure(f"{size}: size of the page and its data", (page,), "MiB", most=reach.page)
        with _held_open(folder):
            yield from _figures(
                f"{size}: status of a run that goes on", timed("status", place), most=reach.status
            )


def _asked(api: Server) -> float:
    """Return how many requests of the API the server has had, without those for its counts."""
    calls: Mapping[str, int] = api.stats()["calls"]
    return float(sum(number for route, number in calls.items() if route not in {"connect", "stats"}))


def _seconds_of_table(run: RunDir) -> float:
    """Return how long the table alone takes; the command writes the page with it."""
    with open_reader(run.state_file) as reader, tempfile.TemporaryFile() as file:
        begun = time.perf_counter()
        write_csv(file, reader.header, reader.each_take)
        return time.perf_counter() - begun


def _figures(
    name: str, done: Sequence[Usage], *, most: float | None = None, mib: float | None = None
) -> Iterator[Figure]:
    ended_well = [usage for usage in done if usage.exit_code == 0]
    cpu = Figure("", tuple(usage.cpu for usage in ended_well))
    beside = f"{cpu.median:.3g} s of CPU" if ended_well else "failed"
    yield Figure(name, tuple(usage.wall for usage in ended_well), "s", most=most, beside=beside)
    peaks = tuple(usage.peak_bytes / MIB for usage in ended_well)
    yield Figure(f"{name}, memory", peaks, "MiB", most=mib)


def measure_help(*, times: int) -> Iterator[Figure]:
    """Measure how long `--help` takes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        command, folder = [str(own_program()), "--help"], Path(name)
        done = [
            measure(command, environment={}, log=folder / "log", limit=60, cwd=folder) for _ in range(times)
        ]
    yield from _figures("--help", done, most=0.12)


def _make(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.finished_run", str(folder), *words]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _held_open(folder: Path) -> Iterator[None]:
    """Let a process hold the run open, as one that goes on does."""
    command = [sys.executable, "-m", "tests.benchmarks.finished_run", str(folder), "--hold"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        # The end of its input, by the `with` statement, ends it.
