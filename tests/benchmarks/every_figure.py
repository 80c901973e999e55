"""All figures of speed in one table: `make bench`, or `python -m tests.benchmarks`.

Each group of figures is measured five times, beside what a user would pick instead, and the table shows medians.
`--quick` measures a smaller load once. `--only NAME` takes one group. It takes half an hour and 30 GB below the folder
for temporary files; nothing fails for being slow. Talk goes to stderr, the table to stdout.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tests.benchmarks import downloads, uploads
from tests.benchmarks.bench import say
from tests.benchmarks.harness import ROOT, processors
from tests.benchmarks.large_boards import REACH, measure_board, measure_help
from tests.benchmarks.reached import Figure, markdown
from tests.benchmarks.whole_runs import SCENARIOS, measure_scenario

Group = Callable[[], Iterator[Figure]]

_TIMES = 5
_WITHIN = 1.15
"""How far the processor time of a take at 100,000 may be above that at 1,000."""

_GROWN_MIB = 50
"""By how much the memory may grow in 100,000 deliveries: 500 bytes for each, of which an id, a link and a hash stay."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the groups that were asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller loads, once")
    parser.add_argument(
        "--times", type=int, help=f"runs of each, of which the median counts (default {_TIMES})"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="the group NAME alone; may be repeated"
    )
    given = parser.parse_args(arguments)
    every = groups(times=given.times or (1 if given.quick else _TIMES), quick=given.quick)
    if unknown := sorted(set(given.only or ()) - set(every)):
        parser.error(f"no group is called {', '.join(unknown)}; there are {', '.join(every)}")
    chosen = given.only or list(every)
    said, figures = conditions(sys.argv[1:] if arguments is None else arguments), list[Figure]()
    say(*said)
    # Who stops it sees what was measured so far.
    with contextlib.suppress(KeyboardInterrupt):
        for name in chosen:
            begun = time.perf_counter()
            for figure in every[name]():
                figures.append(figure)
                say(" ".join(filter(None, figure.cells())))
            say(f"{name}: measured in {time.perf_counter() - begun:.0f} s")
    print("\n".join(said), markdown(figures), sep="\n\n")
    return 0


def groups(*, times: int, quick: bool) -> Mapping[str, Group]:
    """Return every group of figures by its name, in the order in which they are measured."""
    boards = {1_000: REACH[10_000]} if quick else REACH
    clips = 100 if quick else downloads.CLIPS
    found: dict[str, Group] = {"help": partial(measure_help, times=times)}
    found |= {
        f"board-{takes}": partial(measure_board, takes, times=times, reach=reach)
        for takes, reach in boards.items()
    }
    found |= {key: partial(measure_scenario, key, times=times, quick=quick) for key in SCENARIOS}
    # Ten gigabytes each time, so that a slow disk would take an hour for five.
    found["downloads"] = partial(
        downloads.measure_downloads, clips=clips, size=downloads.CLIP_BYTES, times=min(times, 3)
    )
    found["uploads"] = partial(
        uploads.measure_uploads, clips=clips, size=uploads.CLIP_BYTES, times=min(times, 3)
    )
    found["scale"] = partial(measure_scale, large=not quick)
    found["deliveries"] = partial(measure_deliveries, 1_000 if quick else 100_000)
    found["simulated"] = simulated
    return found


def conditions(words: Sequence[str]) -> list[str]:
    """Say when, on what machine, of what commit and by what command this is measured; `words` are its flags."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    asked_for = " ".join(["python -m tests.benchmarks", *words])
    machine = (
        f"{processors():g} usable processors, {platform.machine()}, {platform.system()} {platform.release()}"
    )
    return [
        f"{time.strftime('%Y-%m-%d')}, commit {asked.stdout.strip() or 'unknown'}: `{asked_for}`",
        f"{machine}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start",
    ]


def measure_scale(*, large: bool) -> Iterator[Figure]:
    """Run `tests.benchmarks.scale` once, and compare the sizes of its table."""
    output = _output_of("scale", *(["--large"] if large else []))
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in output.splitlines()]
    sizes = [row for row in rows if row[0].replace(",", "").isdigit()]
    if len(sizes) < 2:
        yield Figure("CPU a take, from few takes to many", (), most=_WITHIN)
        return
    (few, cpu_of_few, *_), (many, cpu_of_many, *_, peak) = sizes[0], sizes[-1]
    ratio = float(cpu_of_many) / float(cpu_of_few)
    beside = f"{cpu_of_few} and {cpu_of_many} ms"
    yield Figure(f"CPU a take at {many} takes over that at {few}", (ratio,), "×", most=_WITHIN, beside=beside)
    yield Figure(f"{many} takes in virtual time: peak memory", (float(peak),), "MiB", most=500)


def measure_deliveries(takes: int) -> Iterator[Figure]:
    """Deliver so many clips of a fake API in virtual time, and show by how much the memory grew."""
    *_, start, peak = (
        _output_of("scale", "--takes", str(takes), "--deliver").splitlines()[-1].strip("| ").split("|")
    )
    grown, beside = float(peak) - float(start), f"{float(peak):.0f} MiB at the peak"
    yield Figure(
        f"{takes:,} simulated deliveries: memory grown", (grown,), "MiB", most=_GROWN_MIB, beside=beside
    )


def simulated() -> Iterator[Figure]:
    """Show the tables of what is simulated: the submit window and the looks. They are the same on every machine."""
    for name in ("submit_window", "looks"):
        _output_of(name)
    return iter(())


def _output_of(name: str, *words: str) -> str:
    """Run a script of this folder, show what it prints, and return it."""
    module = f"tests.benchmarks.{name}"
    if importlib.util.find_spec(module) is None:
        say(f"{module} is not there")
        return ""
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    say(f"{module} {' '.join(words)}", done.stdout)
    return done.stdout
