"""Small copies of the pictures that went into takes: who is asked for them, and how they come to lie beside a clip."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from runner.commands.run import run_manifest
from runner.commands.steps import inspect_clips
from runner.commands.steps.inspect_clips import ClipInspection
from runner.domain.preview_names import input_name
from runner.domain.run_events import FactRecorded
from runner.domain.states import Accepted, TakeState
from runner.media.http.response import DownloadError
from runner.media.picture_reader import MOST_BYTES, PictureReader
from runner.simulator.settings import SimulatorSettings
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock
from runner.video.inspector import ClipInspector
from runner.video.kinds import NotReadable
from runner.video.testing import FakeInspector
from tests.integration.store_samples import drive, make_take, new_state_file, seen
from tests.integration.test_delivery_server import RawServer, body, raw_server, status
from tests.report_page import takes_in

PATIENCE = 20.0
DATA = "data:image/png;base64," + base64.b64encode(b"picture").decode()


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as running:
        yield running


def names_looked_up(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list of all hosts that the process asks for from now on; no connection of ours begins otherwise."""
    found: list[object] = []
    real = socket.getaddrinfo

    def noted(host: object, *others: object, **named: object) -> object:
        found.append(host)
        return real(host, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    return found


def test_a_picture_is_read_whole_and_without_a_token(server: RawServer) -> None:
    with PictureReader(on_this_machine=True) as reader:
        assert reader.read(server.serve(body(b"picture"), path="/a.png")) == b"picture"
        assert reader.read(DATA) == b"picture"
    assert [sorted(asked.headers) for asked in server.asked] == [
        ["accept", "accept-encoding", "connection", "host", "user-agent"]
    ]


def test_a_picture_that_is_too_large_is_left(server: RawServer) -> None:
    with PictureReader(on_this_machine=True) as reader, pytest.raises(DownloadError, match="too large"):
        reader.read(server.serve(body(b"\0" * (MOST_BYTES + 1)), path="/a.png"))


@pytest.mark.parametrize("link", ["data:image/png;base64,!", "data:image/png;base64,AAA"])
def test_a_broken_data_link_is_no_other_error(link: str) -> None:
    with PictureReader(on_this_machine=True) as reader, suppress(DownloadError):
        assert reader.read(link) == b""


def test_a_run_on_this_machine_asks_no_other_one(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is looked up either, and a redirect from this machine changes nothing."""
    looked_up = names_looked_up(monkeypatch)
    onward = server.serve(status(302, Location="https://example.com/a.png"), path="/a.png")
    links = ["https://example.com/a.png", "http://example.com/a.png", "https://8.8.8.8:8443/a.png", onward]
    with PictureReader(on_this_machine=True) as reader:
        for link in links:
            with pytest.raises(DownloadError):
                reader.read(link)
    assert set(looked_up) <= {"127.0.0.1"}


def test_a_paid_run_asks_public_hosts_alone(server: RawServer) -> None:
    with PictureReader(on_this_machine=False) as reader, pytest.raises(DownloadError):
        reader.read(server.serve(body(b"picture"), path="/a.png"))
    assert server.connections == 0


def picture(kind: str = "png", size: tuple[int, int] = (640, 360)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 90, 30)).save(file, kind)
    return file.getvalue()


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as opened:
        assert opened.format == "JPEG"
        return opened.size


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "tiff"])
def test_the_worker_makes_a_small_copy_of_any_usual_kind(tmp_path: Path, kind: str) -> None:
    (tmp_path / "whole").write_bytes(picture(kind))
    worker = ClipInspector()
    worker.make_copy(tmp_path / "whole", tmp_path / "copy.jpg")
    worker.close()
    assert size_of(tmp_path / "copy.jpg") == (320, 180)


@pytest.mark.parametrize(
    "content",
    [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" * 9, b"<html>" * 300, picture()[:90], b""],
    ids=["PostScript", "page", "cut", "empty"],
)
def test_what_is_no_picture_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "whole").write_bytes(content)
    worker = ClipInspector()
    with pytest.raises(NotReadable):
        worker.make_copy(tmp_path / "whole", tmp_path / "copy.jpg")
    worker.close()
    assert [each.name for each in tmp_path.iterdir()] == ["whole"]


GOOD, BAD = "https://a.example/good.png", "https://a.example/bad.png"


class Session:
    """One session over a record of two takes, the first sent with a good picture, the second with both."""

    def __init__(self, folder: Path) -> None:
        links = {"a": [GOOD], "b": [GOOD, BAD]}
        takes = [replace(make_take(name), body=json.dumps({"images": links[name]})) for name in links]
        self.state = new_state_file(folder, takes)
        self.folder, self.asked, self.slow = folder, list[str](), threading.Event()
        self.slow.set()

    def read(self, link: str) -> bytes:
        self.asked.append(link)
        self.slow.wait(PATIENCE)
        if link == BAD:
            raise DownloadError("away")
        return b"picture"

    def begin(self, inspector: FakeInspector) -> ClipInspection:
        place = RunDir(self.folder)
        return ClipInspection(place, self.state, SystemClock(), inspector, read=self.read)

    def copies(self) -> list[str]:
        return [f"previews/{each.name}" for each in (self.folder / "previews").glob("*")]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path)
    with session.state:
        yield session


def test_pictures_of_what_was_sent_are_copied_once(session: Session) -> None:
    """A failure is no remark, and the run counts as complete; a take that was not sent has no copies."""
    drive(session.state, TakeState.QUEUED, take_id="a")
    inspection = session.begin(FakeInspector())
    inspection.finish(patience=PATIENCE)
    assert (session.asked, session.copies()) == ([GOOD], [input_name(GOOD)])
    drive(session.state, TakeState.QUEUED, take_id="b")
    inspection = session.begin(FakeInspector())
    inspection.on_event(FactRecorded("b", Accepted("attempt", "request"), 0.0))
    inspection.finish(patience=PATIENCE)
    assert (session.asked, session.copies()) == ([GOOD, BAD], [input_name(GOOD)])
    assert (inspection.remarks, inspection.is_complete) == ((), True)


@pytest.mark.parametrize("fake", [FakeInspector(decodes=False), FakeInspector()], ids=["no extra", "broken"])
def test_a_picture_that_cannot_be_decoded_is_left(session: Session, fake: FakeInspector) -> None:
    drive(session.state, TakeState.QUEUED, take_id="a")
    if fake.decodes:
        stem = Path(input_name(GOOD)).stem
        fake = FakeInspector({f".{stem}.whole": "broken"})
    inspection = session.begin(fake)
    inspection.finish(patience=PATIENCE)
    assert (session.copies(), inspection.is_complete) == ([], True)
    assert seen(session.state, "a").flags == ()


def test_the_end_of_a_run_waits_only_a_little_for_a_slow_host(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect_clips, "INPUTS_PATIENCE_S", 0.2)
    drive(session.state, TakeState.QUEUED, take_id="a")
    session.slow.clear()
    began = time.monotonic()
    session.begin(FakeInspector()).finish(patience=PATIENCE)
    assert time.monotonic() - began < PATIENCE / 4
    session.slow.set()


BOARD = """\
version: 1
defaults:
  model: pika/pika-2-2/image-to-video
  inputs: {{promptText: a boat}}
shots:
  - {{id: near, inputs: {{image: '{near}'}}}}
  - {{id: gone, inputs: {{image: '{gone}'}}}}
  - {{id: away, inputs: {{image: 'https://example.com/a.png'}}}}
"""


def simulated(folder: Path, server: RawServer, **changes: bool) -> Path:
    """Run a board with a picture on this machine, a missing one and one elsewhere; return the run directory."""
    near = server.serve(body(picture()), path="/near.png")
    board = folder / "board.yaml"
    board.write_text(BOARD.format(near=near, gone=server.url("/gone.png")))
    summary = run_manifest(board, simulate=SimulatorSettings(speed=500.0), **changes)  # type: ignore[arg-type]
    assert summary.exit_code == 0
    return folder / "reports" / "board-simulated"


def test_a_rehearsal_copies_what_is_on_this_machine_and_asks_no_other_one(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = names_looked_up(monkeypatch)
    run = simulated(tmp_path, server)
    assert set(looked_up) <= {"127.0.0.1", "localhost"}
    copies = {each.name for each in (run / "previews").glob("*in-*")}
    assert copies == {Path(input_name(server.url("/near.png"))).name}
    assert [asked.path for asked in server.asked].count("/near.png") == 1
    frames = {take["id"]: take["frames"][0][3] for take in takes_in(run / "report.html")}
    assert frames == {"near": input_name(server.url("/near.png")), "gone": None, "away": None}


@pytest.mark.parametrize("switch", ["look", "inspect"])
def test_either_switch_leaves_pictures_alone(server: RawServer, tmp_path: Path, switch: str) -> None:
    simulated(tmp_path, server, **{switch: False})
    assert server.asked == []
