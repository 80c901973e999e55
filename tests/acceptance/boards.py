"""Manifests for the acceptance tests, made as a user would write them, and what a run leaves, read back or made up.

The readers use the report's columns and the state file's public reader; nothing here knows how a run works.
"""

from __future__ import annotations

import csv
import json
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.domain.errors import Position
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shots import Manifest, Plan, Take
from runner.domain.states import Accepted, Fact, LostContact, SubmissionStarted
from runner.store.reader import open_reader
from runner.store.state_file import StateFile

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "manifests"
MODEL = "pika/pikaframes"
OTHER_MODEL = "pika/pika-2-2/image-to-video"

ONE_SHOT = """\
version: 1
name: one-shot
shots:
  - id: s010
    model: pika/pikaframes
    inputs:
      keyFramesFirst: https://example.com/a.jpg
      keyFramesLast: https://example.com/b.jpg
      promptText: A boat.
      duration: 1
      seed: 1
"""


def write_csv(path: Path, takes: int) -> Path:
    """Write a CSV manifest of so many takes of one second, no two of them with the same request."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "model", "keyFramesFirst", "keyFramesLast", "promptText", "duration", "seed"])
        for number in range(takes):
            frames = (f"https://example.com/{number}{which}.jpg" for which in "ab")
            writer.writerow([f"t{number:04d}", MODEL, *frames, f"Shot number {number}.", 1, number])
    return path


def copy_examples(folder: Path) -> Path:
    """Copy the project's example manifests to `folder/manifests` and return that folder."""
    return shutil.copytree(EXAMPLES, folder / "manifests")


def takes_of(run_dir: Path) -> list[TakeRecord]:
    """Return every take a run has recorded, in the manifest's order."""
    with open_reader(run_dir / "state.db") as reader:
        return reader.takes()


def report_of(run_dir: Path) -> list[dict[str, str]]:
    """Return the rows of `report.csv` by column."""
    with (run_dir / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def charges_of(ledger: Path) -> list[dict[str, object]]:
    """Return the charges in a simulator's ledger file; a last line that a crash cut short was never a charge."""
    text = ledger.read_bytes() if ledger.exists() else b""
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == "charge"]


def boxes(clip: bytes) -> Iterator[str]:
    """Yield the kinds of an MP4's top-level boxes; fails if they do not fill the file exactly."""
    at = 0
    while at < len(clip):
        size, kind = struct.unpack(">I4s", clip[at : at + 8])
        assert size >= 8, f"a box of {size} bytes at {at}"
        yield kind.decode("latin-1")
        at += size
    assert at == len(clip), f"the boxes end at {at}, the file at {len(clip)}"


def is_whole_mp4(path: Path) -> bool:
    """Return whether a file is a complete MP4: its boxes fill it, `ftyp` first, and none needed is missing."""
    kinds = list(boxes(path.read_bytes()))
    return kinds[0] == "ftyp" and {"moov", "mdat"} <= set(kinds)


def record_many(place: Path, number: int) -> Path:
    """Record a run of so many takes in `place`, the first of them queued, the second held, and return `place`."""
    with recording(place, number):
        return place


def record_killed(place: Path, number: int) -> Path:
    """Leave in `place` what `record_many` records as a kill would leave it, with its log, and return `place`."""
    with recording(place.with_name(f"{place.name}-alive"), number) as alive:
        return shutil.copytree(alive, place)


@contextmanager
def recording(place: Path, number: int) -> Iterator[Path]:
    """Record a run of so many takes, as `record_many`, and keep it open while the block runs."""
    place.mkdir()
    takes = tuple(
        Take(
            id=f"t{each:04d}",
            shot_id=f"t{each:04d}",
            model=MODEL,
            body=json.dumps({"promptText": f"Shot number {each}. " * 10}),
            fingerprint=f"{each:064x}",
            seed=each,
            point={},
            at=Position("board.csv", each + 2),
        )
        for each in range(number)
    )
    header = RunHeader("run-1", "big", "../board.csv", False, "http://127.0.0.1:1", 1000.0, "0.1")
    with StateFile.create(place / "state.db", header) as state:
        state.begin(at=1000.0)
        state.adopt_plan(Plan(Manifest("big", "board.csv", "", "0" * 64), takes), renew=(), at=1000.0)
        queued, held = takes[:2]
        facts: list[tuple[Take, Fact]] = [
            (queued, SubmissionStarted("try-0", queued.fingerprint, state.epoch)),
            (queued, Accepted("try-0", "r-0")),
            (held, SubmissionStarted("try-1", held.fingerprint, state.epoch)),
            (held, LostContact("try-1", "sent", "cut")),
        ]
        for take, fact in facts:
            state.record(take.id, fact, at=1001.0).result(10)
        yield place
