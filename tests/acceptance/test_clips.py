"""Clips end up under their own take's name, whole and of whatever kind, from hosts that are late, rude or wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.boards import report_of
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside import changes
from tests.outside.faults import Change, End, Fault, Reply
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

FAST = ("-y", "--poll-interval", 0.1, "-j", 2)
SIZE = 60_000
SHOTS = ("sc1", "sc1.2")
GONE = changes.instead(Reply(404, b"<html>not yet</html>", {"Content-Type": "text/html"}))


class Host:
    """Treats the first files it serves by `faults`, and the rest by the last of them; truthful without any."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __call__(self, route: str, nth: int) -> Fault | None:  # noqa: ARG002 - the signature of Faults
        if route != "file" or not self.faults:
            return None
        return self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]

    def bends(self, change: Change) -> None:
        self.faults = [Fault(change=change)]


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def server(host: Host) -> Iterator[OutsideServer]:
    with OutsideServer(Settings(service=0.1, clip_bytes=SIZE, outputs=2), faults=host) as outside:
        yield outside


@pytest.fixture
def here(desk: Desk, server: OutsideServer) -> Desk:
    return pointed_at(server, desk)


def board(desk: Desk, shots: tuple[str, ...] = SHOTS) -> Path:
    path = desk.folder / "board.csv"
    lines = ["id,model,keyFramesFirst,keyFramesLast,promptText,duration,seed"]
    frames = "https://a.example/1.jpg,https://a.example/2.jpg"
    lines += [f"{shot},pika/pikaframes,{frames},A hand.,1,{seed}" for seed, shot in enumerate(shots)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def clips_of(desk: Desk) -> Path:
    return desk.folder / "reports" / "board" / "clips"


def made(server: OutsideServer, desk: Desk, shot: str, number: int = 1) -> bytes:
    (row,) = [row for row in report_of(clips_of(desk).parent) if row["take"] == shot]
    clip = server.clip(row["request_id"], number)
    assert clip is not None
    return clip


def check_all(server: OutsideServer, desk: Desk) -> None:
    """Hold each file against what its job made."""
    clips = clips_of(desk)
    assert {path.name for path in clips.glob("*.mp4")} == {
        "sc1.mp4",
        "sc1+2.mp4",
        "sc1.2.mp4",
        "sc1.2+2.mp4",
    }
    for shot in SHOTS:
        assert (clips / f"{shot}.mp4").read_bytes() == made(server, desk, shot)
        assert (clips / f"{shot}+2.mp4").read_bytes() == made(server, desk, shot, 2)
    assert len(server.ledger()) == 2


@pytest.mark.parametrize(
    ("verb", "gone"), [("run", "sc1.2.mp4"), ("run", "sc1+2.mp4"), ("fetch", "sc1.2.mp4")]
)
def test_a_clip_that_was_deleted_comes_back_as_itself(
    server: OutsideServer, here: Desk, verb: str, gone: str
) -> None:
    here.run("run", board(here), *FAST)
    check_all(server, here)
    (clips_of(here) / gone).unlink()
    here.run("verify", "board.csv", code=2)
    here.run(verb, "board.csv", *(FAST if verb == "run" else ()))
    check_all(server, here)
    here.run("verify", "board.csv")


def test_a_run_of_an_older_program_whose_files_had_one_name_is_put_right(
    server: OutsideServer, here: Desk
) -> None:
    """There the second output of `sc1` took the name of `sc1.2`, whose clip was moved aside as if it were edited."""
    here.run("run", board(here), *FAST)
    clips = clips_of(here)
    (clips / "sc1.2.mp4").rename(clips / "sc1.changed.2.mp4")
    (clips / "sc1+2.mp4").rename(clips / "sc1.2.mp4")
    sidecar = json.loads((clips / "sc1.json").read_bytes())
    sidecar["outputs"][1]["file"] = "sc1.2.mp4"
    (clips / "sc1.json").write_text(json.dumps(sidecar), "utf-8")
    here.run("verify", "board.csv", code=2)
    here.run("run", "board.csv", *FAST)
    check_all(server, here)
    here.run("verify", "board.csv")


@pytest.mark.parametrize("late", [GONE, changes.as_file("html")])
def test_a_link_that_works_only_later_brings_its_clip(
    server: OutsideServer, here: Desk, host: Host, late: Change
) -> None:
    host.bends(changes.Until(1.0, late))
    here.run("run", board(here), *FAST)
    check_all(server, here)
    assert not list(clips_of(here).glob("*.rejected"))


def test_a_link_that_never_works_ends_with_its_words_and_fetch_tries_again(
    server: OutsideServer, here: Desk, host: Host
) -> None:
    host.bends(changes.as_file("html"))
    (clips_of(here)).mkdir(parents=True)
    (clips_of(here) / "sc1.rejected").write_text("my own notes", "utf-8")
    first = here.run("run", board(here, ("sc1",)), *FAST, "--outage-limit", "2s", code=2)
    assert "its start is kept as clips/sc1+no2.rejected" in first.out + first.err
    assert (clips_of(here) / "sc1+no2.rejected").read_bytes() == changes.FILES["html"][1]
    host.faults = []
    here.run("fetch", "board.csv")
    assert (clips_of(here) / "sc1.mp4").read_bytes() == made(server, here, "sc1")
    assert [path.read_text("utf-8") for path in clips_of(here).glob("*.rejected")] == ["my own notes"]
    assert len(server.ledger()) == 1


@pytest.mark.parametrize("kind", ["ts", "zip", "bin"])
def test_paid_bytes_of_another_kind_are_kept_whole_and_said(
    server: OutsideServer, here: Desk, host: Host, kind: str
) -> None:
    host.bends(changes.as_file(kind))
    done = here.run("run", board(here, ("sc1",)), *FAST)
    (row,) = report_of(clips_of(here).parent)
    assert row["file"] == f"clips/sc1.{kind}"
    assert (clips_of(here) / f"sc1.{kind}").read_bytes() == changes.FILES[kind][1]
    for text in (done.out + done.err, here.run("show", "board.csv", "sc1").out):
        assert ("it is kept whole" in text) is (kind != "ts")
    here.run("verify", "board.csv")
    assert len(server.ledger()) == 1


def test_a_playlist_is_no_clip(here: Desk, host: Host) -> None:
    host.bends(changes.as_file("playlist"))
    done = here.run("run", board(here, ("sc1",)), *FAST, code=2)
    assert "a playlist came instead of a clip" in done.out + done.err
    assert (clips_of(here) / "sc1.rejected").read_bytes() == changes.FILES["playlist"][1]


OTHER = bytes(range(256)) * (SIZE // 256 + 1)


@pytest.mark.parametrize(
    "lie",
    [
        changes.lying_range(other=OTHER[:SIZE], etag=None),
        changes.lying_range(other=OTHER[: SIZE - 500], etag=None),
        changes.on_range(changes.instead(Reply(403))),
    ],
)
def test_a_broken_download_never_ends_as_two_films_in_one(
    server: OutsideServer, here: Desk, host: Host, lie: Change
) -> None:
    breaks = Fault(change=changes.without_etag, cut=SIZE // 2, end=End.CLOSE)
    host.faults = [breaks, breaks, Fault(change=lie)]
    here.run("run", board(here), *FAST)
    check_all(server, here)
