"""The benchmark as a command: every contender in turn against a fresh server, then one table or JSON.

Talk goes to stderr, figures to stdout. Exit code 1 if a contender that took part did not do the work soundly.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.contenders import Contender, Setting, contenders
from tests.benchmarks.figures import Load, Measurement, at_floor, peak_mib
from tests.benchmarks.harness import measure, processors, server, write_manifest

HEADERS = (
    *("contender", "takes", "makespan x", "wall x", "cpu ms/take", "looks/take", "results/take", "peak MiB"),
    *("submits", "distinct", "peak out", "downloads", "state", "resume", "checks", "exit", "sound"),
)
LOG_TAIL_LINES = 15


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit code."""
    given = parse(arguments)
    load = Load(given.takes, given.cap, given.slots, given.service, given.jitter, given.poll, given.seed)
    done: list[tuple[Contender, Measurement]] = []
    absent: dict[str, str] = {}
    say(conditions(load))
    for contender in contenders(shell_takes=given.shell_takes):
        if given.only and not any(part in contender.name for part in given.only):
            continue
        if reason := contender.absence():
            absent[contender.name] = reason
            say(f"{contender.name}: skipped, {reason}")
            continue
        done.append((contender, run(contender, load, factor=given.limit)))
    if given.json:
        print(json.dumps(as_json(load, done, absent), indent=2))
    else:
        print(table(done))
    return 0 if all(measured.sound for _, measured in done) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the flags; the defaults are the load of the published figures."""
    usual = Load()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench", description=__doc__)
    parser.add_argument("--takes", type=int, default=usual.takes)
    parser.add_argument("--cap", type=int, default=usual.cap, help="takes in flight")
    parser.add_argument("--slots", type=int, default=usual.slots, help="jobs the server runs at a time")
    parser.add_argument("--service", type=float, default=usual.service, help="seconds a job takes")
    parser.add_argument("--jitter", type=float, default=usual.jitter, help="spread of that, as a share")
    parser.add_argument("--poll", type=float, default=usual.poll, help="the peers' seconds between looks")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--shell-takes", type=int, default=500, help="the most takes for GNU parallel")
    parser.add_argument("--limit", type=float, default=30.0, help="give up after so many times the least")
    parser.add_argument("--only", action="append", metavar="NAME", help="contenders whose name contains NAME")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    return parser.parse_args(arguments)


def run(contender: Contender, load: Load, *, factor: float) -> Measurement:
    """Run one contender against a server of its own, in a folder of its own."""
    takes = min(load.takes, contender.takes_at_most or load.takes)
    load = replace(load, takes=takes)
    fewer = "" if contender.takes_at_most != takes else ", no more because it is slow"
    say(f"{contender.name}: {takes} takes{fewer}, {load.least:.1f} s at the least")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, server(load) as api:
        at = Setting(api.base, Path(name) / "board.csv", Path(name))
        write_manifest(at.manifest, takes)
        log, limit = at.folder / "log", max(20.0, factor * load.least)
        command = contender.command(load, at)
        usage = measure(command, environment=at.environment, log=log, limit=limit, cwd=at.folder)
        stats = api.stats()
        calls = stats.pop("calls")
        measured = Measurement(contender.name, load, usage, stats, calls)
        if not measured.sound:
            tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            say(f"{contender.name}: exit {usage.exit_code}, NOT SOUND", *tail)
    return measured


def conditions(load: Load) -> str:
    """Say on what machine, how busy it is, and what is asked."""
    busy = os.getloadavg()[0]
    machine = f"{processors():g} usable processors, Python {platform.python_version()}, load {busy:.2f}"
    asked = f"{load.takes} takes, cap {load.cap}, {load.slots} slots, jobs of {load.service:g} s ± {load.jitter:.0%}"
    return f"{machine}\n{asked}, peers look every {load.poll:g} s; least possible {load.least:.1f} s"


def table(done: Sequence[tuple[Contender, Measurement]]) -> str:
    """Return the figures as one aligned table: names to the left, numbers to the right."""
    lines = [HEADERS, *(cells(contender, measured) for contender, measured in done)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADERS))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )


def cells(contender: Contender, measured: Measurement) -> tuple[str, ...]:
    """Return one row of the table."""
    ratios = (measured.makespan_ratio, measured.wall_ratio, measured.cpu_ms_per_take)
    reads = (measured.looks_per_take, measured.results_per_take)
    usage, stats = measured.usage, measured.stats
    peak = ("≤" if at_floor(usage) else "") + str(peak_mib(usage))
    counted = (str(int(stats[name])) for name in ("submits", "distinct", "peak_outstanding"))
    offers = (contender.downloads, contender.state, contender.resume, contender.checks)
    return (
        *(contender.name, str(measured.load.takes)),
        *(f"{number:.2f}" for number in (*ratios, *reads)),
        *(peak, *counted, *map(yes_no, offers), str(usage.exit_code), yes_no(measured.sound)),
    )


def as_json(
    load: Load, done: Sequence[tuple[Contender, Measurement]], absent: dict[str, str]
) -> dict[str, object]:
    """Return everything that was measured, and who did not take part and why."""
    offers = ("downloads", "state", "resume", "checks")
    rows = [{**m.as_json(), **{name: getattr(c, name) for name in offers}} for c, m in done]
    machine = {"processors": processors(), "python": platform.python_version(), "system": platform.platform()}
    return {"machine": machine, "least": load.least, "contenders": rows, "absent": absent}


def yes_no(value: bool) -> str:
    """Return a word for a table cell."""
    return "yes" if value else "no"


def say(*lines: str) -> None:
    """Talk to whoever waits."""
    print(*lines, sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
