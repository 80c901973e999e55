"""Against a server written from the API's description alone: 200 takes from a spreadsheet, 50 at a time."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlsplit

from tests.acceptance.boards import is_whole_mp4, report_of, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer


def test_two_hundred_takes_are_delivered_once_each_and_never_more_than_fifty_at_a_time(desk: Desk) -> None:
    """All are delivered and paid for once, the cap holds, no file request has a token, each clip is its take's."""
    board = write_csv(desk.folder / "board.csv", 200)
    with OutsideServer(Settings(slots=100, service=0.6, jitter=0.4)) as server:
        outcome = pointed_at(server, desk).run("run", board, "-j", 50, "-y", "--poll-interval", 0.3)
        stats, ledger = server.stats(), {entry.request_id: entry for entry in server.ledger()}
    assert "200 takes: 200 delivered" in outcome.out
    assert (stats["submits"], stats["distinct"], stats["doubled"]) == (200, 200, 0)
    assert stats["peak_outstanding"] <= 50
    assert stats["leaks"] == 0
    print(f"peak {stats['peak_outstanding']}, looks {stats['looks']}, {outcome.seconds:.1f} s")
    place = desk.folder / "reports" / "board"
    rows = report_of(place)
    assert [row["id"] for row in rows] == [f"t{number:04d}" for number in range(200)]
    for row in rows:
        entry = ledger.pop(row["request_id"])
        assert json.loads(entry.body)["seed"] == int(row["seed"])
        assert urlsplit(row["outputs"]).path == f"/files/{entry.request_id}.mp4"
        clip = (place / row["file"]).read_bytes()
        assert entry.request_id.encode() in clip
        assert hashlib.sha256(clip).hexdigest() == row["sha256"]
    assert ledger == {}
    assert all(is_whole_mp4(clip) for clip in (place / "clips").glob("*.mp4"))
