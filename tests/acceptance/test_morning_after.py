"""The morning after a night of twelve shots with four seeds each: odd clips are found, takes chosen, the cut handed on.

Every step is the command as a user gives it. Other people's programs read back what it wrote.
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import av
import opentimelineio as otio
import pytest

from tests.acceptance.boards import charges_of, copy_examples
from tests.acceptance.command import Desk
from tests.report_page import head_in, takes_in

SHOTS, SEEDS = 12, 4
ODD = {
    "s010_t03": "size",
    "s030_t02": "duration",
    "s060_t02": "black",
    "s080_t04": "frozen",
    "s120_t01": "truncated",
}
QUICK = ("--simulate", "--speed", 50, "-j", 8, "--poll-interval", 0.05)

pytestmark = [pytest.mark.slow, pytest.mark.inspects]


def rows_of(run: Path) -> dict[str, Mapping[str, str]]:
    """Return the rows of the report's table by the takes' short names."""
    with (run / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["label"]: row for row in csv.DictReader(file)}


def seconds_of(path: Path) -> float:
    """Return the length of the pictures of a film, counted frame by frame."""
    with av.open(str(path)) as film:
        (video,) = film.streams.video
        frames = list(film.decode(video))
        last, rate = frames[-1], video.average_rate
        assert last.time is not None
        assert rate is not None
        return float(last.time + 1 / rate)


def test_twelve_shots_from_the_night_to_the_cutting_room(desk: Desk) -> None:
    board = copy_examples(desk.folder) / "dailies.yaml"
    run = desk.folder / "reports" / "lighthouse-dailies-simulated"

    # The night: every job succeeds and is paid for, and five clips are not what was asked for.
    night = desk.run("run", board, *QUICK, "--script", board.with_name("faults-clips.yaml"))
    assert "5 clips flagged" in night.err
    rows = rows_of(run)
    assert {label: row["flags"].partition(":")[0] for label, row in rows.items() if row["flags"]} == ODD
    flagged = json.loads(desk.run("status", board, "--output", "json").out)["flagged"]
    assert {each["label"] for each in flagged} == set(ODD)
    assert len({row["sha256"] for row in rows.values()}) == SHOTS * SEEDS
    stems = {path.name.partition(".")[0] for path in (run / "previews").iterdir()}
    assert len(stems) == SHOTS * SEEDS

    # The morning: one person picks, another one disagrees, and a shot is rejected as a whole.
    for shot in sorted({row["id"] for row in rows.values()} - {"s120"}):
        desk.run("pick", board, shot, 1, "--who", "ada")
    desk.run("reject", board, "s120", 1, 2, 3, 4, "--who", "ada")
    theirs = desk.folder / "picks.csv"
    theirs.write_text(
        "shot,take,decision,note,who,when\r\ns010,s010_t01,reject,too dark,ben,2020-01-01T00:00:00Z\r\n"
    )
    merged = desk.run("pick", board, "--import", theirs)
    assert "ben" in merged.out + merged.err
    assert desk.run("plan", board, "--simulate", "--only", "picked").code == 0
    desk.run("report", board)
    assert {label for label, row in rows_of(run).items() if row["pick"] == "pick"} == {
        f"{row['id']}_t01" for row in rows.values() if row["id"] != "s120"
    }

    # Further seeds are proposed and not written, until a person says so. Nothing is rendered a second time.
    before = board.read_bytes()
    assert "+      seed: {from: 1200, count: 6}" in desk.run("reroll", board, "s120", "--takes", 2).out
    assert board.read_bytes() == before
    desk.run("reroll", board, "s120", "--takes", 2, "--write", "-y", "--output", "json")
    desk.run("run", board, *QUICK)
    bodies = [charge["body_sha256"] for charge in charges_of(run / "simulator" / "ledger.jsonl")]
    assert (len(bodies), len(set(bodies))) == (SHOTS * SEEDS + 2, SHOTS * SEEDS + 2)
    desk.run("pick", board, "s120_t05")
    asked = [float(json.loads(row["point"] or "{}") and row["duration"]) for row in rows_of(run).values()]
    wanted = sum(
        float(row["clip_seconds"])
        for row in rows_of(run).values()
        if row["pick"] == "pick" or row["label"] == "s120_t05"
    )
    assert len(asked) == SHOTS * SEEDS + 2

    # The cut: other programs read every form, in board order and with the lengths of the clips.
    for form in ("otio", "edl", "fcpxml", "otioz"):
        desk.run("export", form, board, "-o", desk.folder / f"cut.{form}")
    timeline = otio.adapters.read_from_file(str(desk.folder / "cut.otio"))
    (clips,) = (list(track) for track in timeline.video_tracks())
    assert [clip.name for clip in clips] == [f"s{number:03}_t01" for number in range(10, 120, 10)] + [
        "s120_t05"
    ]
    assert timeline.duration().to_seconds() == pytest.approx(wanted, abs=SHOTS / 12)
    assert {len(clip.media_references()) for clip in clips[:-1]} == {SEEDS}
    edl = otio.adapters.read_from_file(str(desk.folder / "cut.edl"))
    assert len(list(edl.find_clips())) == SHOTS
    assert edl.duration().to_seconds() == pytest.approx(wanted, abs=SHOTS / 12)

    desk.run("export", "cut", board, "-o", desk.folder / "cut.mp4")
    assert seconds_of(desk.folder / "cut.mp4") == pytest.approx(wanted, abs=SHOTS / 12)
    desk.run("export", "contact-sheet", board, "-o", desk.folder / "sheet.png")

    # The director: a page without money, ids and errors.
    desk.run("report", board, "--share", desk.folder / "for-nora.zip")
    with zipfile.ZipFile(desk.folder / "for-nora.zip") as shared:
        names = shared.namelist()
        shared.extractall(desk.folder / "nora")
    assert len([name for name in names if name.endswith(".mp4")]) == SHOTS
    (page,) = (desk.folder / "nora").rglob("index.html")
    assert {take["label"] for take in takes_in(page)} == {clip.name for clip in clips}
    said = json.dumps([head_in(page), takes_in(page)])
    ids = [row["request_id"] for row in rows_of(run).values()]
    assert not [word for word in ("$", *ids) if word in said]

    # Every file is what it was, and nothing else was paid for.
    assert desk.run("verify", board).code == 0
    assert len(list(charges_of(run / "simulator" / "ledger.jsonl"))) == SHOTS * SEEDS + 2
