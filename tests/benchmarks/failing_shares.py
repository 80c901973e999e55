"""How much slower a run gets when a share of the calls fails: `python -m tests.benchmarks.failing_shares`.

Each point is a run of the installed command against the outside server, which answers that share of the looks, submits
or downloads with 500. Beside it stands what the share itself costs: the time without failures, divided by what is left.
Exit code 1 if a run took more than 1.5 times that, or did not do its work.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.benchmarks.contenders import TOKEN, own_program
from tests.benchmarks.harness import measure, write_manifest
from tests.outside.faults import Fault, Reply, Shares
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

SHARES = (0.0, 0.07, 0.15, 0.25, 0.33, 0.5)
ROUTES = {"looks": ("status", "result"), "submits": ("submit",), "downloads": ("file",)}
MOST = 1.5
"""Times what the share itself costs."""

_500 = Reply(500, b'{"error_message": "internal"}')
_BAR = 40


@dataclass(frozen=True, slots=True)
class Load:
    """What is rendered: `takes` jobs of `service` seconds, `jobs` at once."""

    takes: int
    jobs: int
    service: float
    seed: int


@dataclass(frozen=True, slots=True)
class Point:
    """One run: seconds it took, its exit code, how many jobs the server took, and `ideal` seconds at that share."""

    kind: str
    share: float
    seconds: float
    exit_code: int
    accepted: int
    ideal: float = 0.0

    @property
    def is_good(self) -> bool:
        """True if it did its work in time; lost answers leave takes held, which is exit code 4."""
        return self.seconds <= MOST * self.ideal and self.exit_code in (
            {0, 4} if self.kind == "submits" else {0}
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every point and print them as a table with bars, or as JSON."""
    given = parse(arguments)
    load = Load(given.takes, given.jobs, given.service, given.seed)
    points: list[Point] = []
    for kind in given.only or ROUTES:
        calm = 0.0
        for share in given.shares:
            point = run(kind, share, load)
            calm = calm or point.seconds * (1.0 - share)
            points.append(replace(point, ideal=calm / (1.0 - share)))
            print(line(points[-1]), file=sys.stderr if given.json else sys.stdout, flush=True)
    if given.json:
        print(json.dumps([asdict(point) for point in points], indent=1))
    return 0 if all(point.is_good for point in points) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the flags; the defaults are the load of the published figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.failing_shares", description=__doc__)
    parser.add_argument("--takes", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=50, help="takes in flight")
    parser.add_argument("--service", type=float, default=0.4, help="seconds a job takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="the first is the yardstick")
    parser.add_argument("--only", action="append", choices=ROUTES, help="looks, submits or downloads alone")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    return parser.parse_args(arguments)


def run(kind: str, share: float, load: Load) -> Point:
    """Render a board once while `share` of the calls of a kind is answered with 500."""
    # A submit whose answer is lost may have been charged: here it was.
    fault = Fault(effect=kind == "submits", reply=_500)
    weather = Shares({route: [(share, fault)] for route in ROUTES[kind]}, seed=load.seed)
    settings = Settings(slots=load.takes, service=load.service, token=TOKEN)
    with OutsideServer(settings, faults=weather) as api, tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        board = folder / "board.csv"
        write_manifest(board, load.takes)
        flags = ["-y", "-j", str(load.jobs), "--max-unknown", str(load.takes), "--progress", "none"]
        usage = measure(
            [str(own_program()), "run", str(board), "--run-dir", str(folder / "run"), *flags],
            environment={"RUNCOMFY_MODEL_API_BASE": f"{api.url}/v1", "RUNCOMFY_TOKEN": TOKEN},
            log=folder / "log",
            limit=600.0,
            cwd=folder,
        )
        return Point(kind, share, usage.wall, usage.exit_code, int(api.stats()["submits"]))


def line(point: Point) -> str:
    """Return one row: what fails, how much of it, seconds, what the share itself costs, their ratio, and a bar."""
    ratio = point.seconds / point.ideal
    bar = "#" * min(_BAR, round(10 * ratio))
    text = f"{point.kind:<9} {point.share:4.0%} {point.seconds:7.1f} s, share alone {point.ideal:6.1f} s, {ratio:4.2f}"
    return f"{text}  {bar}{'' if point.is_good else '  NOT GOOD'}"


if __name__ == "__main__":
    raise SystemExit(main())
