"""T25: a share of looks, submits or downloads fails all the time; the run is slower by about that share, and no more.

Each case lives one life on a board of its own and then another in the weather. All takes must end, each lost answer
may leave one take in doubt, and the time must be within 1.5 times what the failing share itself costs, with slack for
the back-off of the unluckiest take.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.outside.faults import BASIC, Fault, Reply
from tests.torture.life import HUNG
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Chances, Weather, spread

NAME = "T25 the cliff"
SHARES = (0.07, 0.15, 0.25, 0.33, 0.5)
TAKES, JOBS = 100, 50
_STRETCH = 1.5
_SLACK = 20.0
"""Seconds for start, end, and a busy machine."""
_UNLUCKIEST = 60.0
"""Seconds of back-off, times the share, that one take of a hundred may meet."""

_500 = Fault(effect=False, reply=Reply(500, b'{"error_message": "internal"}'))
_HTML_502 = Fault(effect=False, reply=Reply(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}))
_READS = (_500, _HTML_502, BASIC["closed before effect"])
_SUBMITS = (BASIC["closed after effect"], BASIC["closed before effect"], BASIC["503 after effect"])
_KINDS: dict[str, tuple[Sequence[str], Sequence[Fault]]] = {
    "looks": (("status", "result"), _READS),
    "files": (("file",), _READS),
    "submits": (("submit",), _SUBMITS),
}


@dataclass(frozen=True, slots=True)
class Cliff:
    """A share of one kind of request that fails, or of all kinds."""

    name: str
    seed: int
    kind: str
    share: float
    takes: int = TAKES


def cases(seed: int, scale: float) -> Iterator[Cliff]:
    """Yield five shares of looks, files, submits and everything at scale 1, and fewer below."""
    every = [
        Cliff(f"{kind}-{share:.0%}", seed * 1039 + number, kind, share)
        for number, share in enumerate(SHARES)
        for kind in (*_KINDS, "everything")
    ]
    yield from every[:: max(1, round(1 / scale))] if scale < 1 else every


def run(case: Cliff, workdir: Path) -> Verdict:
    """Measure calm and storm, one after the other, and hold them against each other."""
    tally = Tally()
    play(case, workdir, tally)
    return tally.verdict()


def play(case: Cliff, workdir: Path, tally: Tally, *, tree: Path = REPOSITORY) -> None:
    """Live both lives below `workdir`."""
    calm = _lived(case, workdir / "calm", tally, Weather(case.seed), tree, limit=120.0)
    limit = _STRETCH * calm / (1 - case.share) + _SLACK + _UNLUCKIEST * case.share
    _lived(case, workdir / "storm", tally, Weather(case.seed, weather_of(case)), tree, limit=limit)


def weather_of(case: Cliff) -> Chances:
    """Return the chances by route; among everything, submits fail at a third of the share."""
    if case.kind != "everything":
        routes, faults = _KINDS[case.kind]
        return {route: spread(case.share, faults) for route in routes}
    return {
        route: spread(case.share / (3 if kind == "submits" else 1), faults)
        for kind, (routes, faults) in _KINDS.items()
        for route in routes
    }


def _lived(case: Cliff, folder: Path, tally: Tally, weather: Weather, tree: Path, *, limit: float) -> float:
    """Live one life to its end and return how long it took; every take must have ended, or be a lost answer."""
    service = settings(service=0.4, slots=JOBS, clip_bytes=2000)
    with Rig(folder, tally, takes=case.takes, weather=weather, settings=service, jobs=JOBS, tree=tree) as rig:
        began = time.monotonic()
        life = rig.start()
        code = life.end(within=limit)
        took = time.monotonic() - began
        if code == HUNG:
            rig.complain(f"not at its end after {limit:.0f} s: {_standing(rig)}; {life.said()}")
        rig.check(life)
        if code != HUNG and rig.unfinished:
            rig.complain(f"it ended with {code} after {took:.0f} s, and takes are left: {_standing(rig)}")
        if not tally.found:
            rig.finish()
    return took


def _standing(rig: Rig) -> str:
    stats = rig.server.stats()
    return f"{stats['submits']} of {rig.takes} submitted, calls {stats['calls']}"
