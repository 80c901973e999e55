"""T24: clips of several outputs and of names with dots, from a host that breaks off, refuses parts and lies about them.

The command is killed at random moments, most of them while files come home, and delivered clips are deleted by hand.
At the end each file must hold, byte for byte, what one job made as one output, under the name of that job's take.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.outside import changes
from tests.outside.faults import Change, End, Fault, Reply
from tests.outside.wire import Request
from tests.torture.life import Life
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Chances, Weather, spread

NAME = "T24 clips"
CASES = 24
LIVES = 4
IDS = (
    "sc1",
    "sc1.2",
    "sc1.2.3",
    "sc1-2",
    "sc1_2",
    "sc1.mp4",
    "sc1.2.mp4",
    "SC2",
    "sc2.2",
    "s.3",
    "s.3.2",
    "s",
)
"""Names that a careless join of take and output number would confuse."""

_SIZE = 240_000
_OTHER = random.Random(24).randbytes(_SIZE)
_BREAKS = (
    Fault(change=changes.cut_at(0.5), end=End.CLOSE),
    Fault(change=changes.cut_at(0.3), end=End.RESET),
    Fault(cut=-100, end=End.CLOSE),
    Fault(drip=(32_000, 0.02)),
)
"""Ways to break off or be slow, parts of files too."""

_LIES = (
    changes.lying_range(start=100),
    changes.lying_range(total=-100),
    changes.lying_range(total=4096),
    changes.lying_range(other=_OTHER, etag=None),
    changes.lying_range(other=_OTHER),
    changes.lying_range(other=_OTHER, etag='"another"'),
    changes.lying_range(other=_OTHER[: _SIZE - 500], etag='W/"1"'),
    changes.lying_range(header=False),
    changes.on_range(changes.instead(Reply(416))),
    changes.on_range(changes.instead(Reply(403, b"<html>no parts</html>", {"Content-Type": "text/html"}))),
)
"""Lies about parts of a file."""


def _lie(lie: Change, tag: Change) -> Fault:
    """Break off who asks for a whole file, and lie to who asks for the rest of it."""
    return Fault(change=changes.chained(changes.on_whole(changes.cut_at(0.6)), tag, lie), end=End.CLOSE)


@dataclass(frozen=True, slots=True)
class Clips:
    """One board of so many outputs a job, and so many lives."""

    name: str
    seed: int
    outputs: int
    lives: int = LIVES


def cases(seed: int, scale: float) -> Iterator[Clips]:
    """Yield 24 boards at scale 1, of one, two and three outputs."""
    for number in range(max(1, round(CASES * scale))):
        outputs = (2, 3, 1)[number % 3]
        yield Clips(f"{outputs}-outputs-{number:02}", seed * 1033 + number, outputs)


def run(case: Clips, workdir: Path) -> Verdict:
    """Kill, delete, and look at every file at the end."""
    tally = Tally()
    play(case, workdir / "board", tally)
    return tally.verdict()


def play(case: Clips, folder: Path, tally: Tally, *, tree: Path = REPOSITORY) -> None:
    """Live the lives of one board in `folder`."""
    chance = random.Random(case.seed)
    host = settings(clip_bytes=_SIZE, outputs=case.outputs)
    weather = Weather(chance.getrandbits(32), a_lying_host())
    with Rig(
        folder, tally, takes=len(IDS), ids=IDS, weather=weather, settings=host, jobs=6, tree=tree
    ) as rig:
        for _ in range(case.lives):
            _live(rig, chance)
            if chance.random() < 0.5:
                _delete_one(rig, chance)
        rig.finish()
        _check_files(rig, case.outputs)


def a_lying_host() -> Chances:
    """Return the weather of a host that breaks off every second file and lies about the rest, often without ETag."""
    lies = [_lie(lie, tag) for lie in _LIES for tag in (_true_tag, changes.without_etag)]
    return {"file": [*spread(0.15, _BREAKS), *spread(0.45, lies)]}


def _true_tag(reply: Reply, _request: Request) -> Reply:
    return reply


def _live(rig: Rig, chance: random.Random) -> None:
    """Live until just after a file was asked for, or for so long that the rest of broken files is asked for too."""
    if chance.random() < 0.5:
        rig.weather.strike_at(
            "file", after=chance.uniform(0, 0.05), blow=lambda: life.kill(), skip=chance.randrange(12)
        )
    life: Life = rig.start()
    life.wait_until(lambda: False, within=chance.uniform(3.0, 7.0))
    rig.weather.forget_strike()
    life.kill()
    rig.check(life)


def _delete_one(rig: Rig, chance: random.Random) -> None:
    """Delete the clip of a take that has been delivered, as a person does to have it again."""
    delivered = [take for take in rig.recorded.takes.values() if take.delivery == "delivered" and take.file]
    if delivered:
        take = chance.choice(delivered)
        rig.spoilt.add(take.take_id)
        (rig.place / (take.file or "")).unlink(missing_ok=True)


def _check_files(rig: Rig, outputs: int) -> None:
    """Hold every file in `clips/` against what the jobs made, and every output of a job against the files."""
    files = {path.name: path.read_bytes() for path in (rig.place / "clips").glob("[!.]*.mp4")}
    made = {
        (take.take_id, number): rig.server.clip(take.request_id or "", number)
        for take in rig.recorded.takes.values()
        for number in range(1, outputs + 1)
    }
    owners = {clip: owner for owner, clip in made.items()}
    for name, content in sorted(files.items()):
        owner = owners.get(content)
        if owner is None:
            rig.complain(f"{name} is the output of no job: {_origin(content, owners)}")
        elif not name.startswith(owner[0]):
            rig.complain(f"{name} is output {owner[1]} of {owner[0]}")
    for (take_id, number), clip in made.items():
        if clip not in files.values():
            rig.complain(f"output {number} of {take_id} is nowhere")


def _origin(content: bytes, owners: dict[bytes | None, tuple[str, int]]) -> str:
    """Say of which outputs a file that is none is made."""
    heads = [owner for clip, owner in owners.items() if clip and clip[:500] == content[:500]]
    tails = [owner for clip, owner in owners.items() if clip and clip[-200:] == content[-200:]]
    return f"{len(content)} bytes, begins as {heads[:1]}, ends as {tails[:1] or 'none'}"
