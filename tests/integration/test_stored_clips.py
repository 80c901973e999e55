"""Commands about a run whose clips are in a store: nothing there is taken for lost, and every command gets at it."""

from __future__ import annotations

import csv
import gzip
import shutil
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from runner import run_manifest
from runner.commands.export_cut import CutWishes, export_cut
from runner.commands.export_timeline import CutOptions, Form, make_cut
from runner.commands.fetch import fetch
from runner.commands.pick import decide
from runner.commands.report import report
from runner.commands.run import run
from runner.commands.share import share
from runner.commands.status import status, take_history
from runner.commands.steps.clip_files import LocalCopies, stored_clips
from runner.commands.steps.clips_at_hand import at_hand, clips_of, playing
from runner.commands.steps.cut_list import cut_list
from runner.commands.steps.find_run import find_run_to_read
from runner.commands.steps.open_run import OpenOptions, open_recorded
from runner.commands.steps.request import RunRequest
from runner.commands.verify import Flaw, mark, verify
from runner.commands.watch import RecordedPage
from runner.domain.errors import CannotCreate, NotInStore, UsageError
from runner.domain.picks import Decision
from runner.domain.states import DeliveryState
from runner.domain.store_address import StoreAddress
from runner.object_store.store import open_store
from runner.simulator.settings import SimulatorSettings
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock
from tests.outside.s3_server import BUCKET, Kind, S3Server
from tests.report_page import head_in, takes_in

BOARD = """version: 1
name: night
defaults: {model: pika/pika-2-2/image-to-video, inputs: {image: "https://example.com/a.jpg"}}
shots:
  - {id: a, inputs: {promptText: fog}}
  - {id: b, inputs: {promptText: rain, seed: 7}}
"""
SIMULATE = SimulatorSettings(small=True, speed=50)


@dataclass(frozen=True)
class Studio:
    """A board that was rendered, and the folder that is its store."""

    board: Path
    place: RunDir
    store: Path

    @property
    def clip(self) -> Path:
        return self.store / "clips/a.mp4"

    @property
    def request(self) -> RunRequest:
        opening = OpenOptions(moved=True)
        return RunRequest(self.board, run_dir=self.place.path, simulate=SIMULATE, opening=opening, look=False)

    def delivered(self) -> dict[str, bool]:
        with open_reader(self.place.state_file) as reader:
            return {take.take_id: take.delivery is DeliveryState.DELIVERED for take in reader.takes()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished run whose clips were moved into a store; previews are in both."""
    folder = tmp_path_factory.mktemp("rendered")
    board, home = folder / "board.yaml", folder / "run"
    board.write_text(BOARD, "utf-8")
    ended = run_manifest(board, run_dir=home, simulate=SIMULATE, environ={"HOME": str(folder)}, look=False)
    assert ended.exit_code == 0
    (folder / "store").mkdir()
    shutil.move(home / "clips", folder / "store/clips")
    shutil.copytree(home / "previews", folder / "store/previews")
    return folder


@pytest.fixture
def studio(rendered: Path, tmp_path: Path) -> Studio:
    folder = tmp_path / "night"
    shutil.copytree(rendered, folder)
    made = Studio(folder / "board.yaml", RunDir(folder / "run"), folder / "store")
    put_out(made, f"file://{made.store}")
    return made


def put_out(studio: Studio, address: str) -> None:
    opening = OpenOptions(moved=True)
    with opening.locked(studio.place), open_recorded(studio.place, opening) as state:
        state.note_header(replace(state.header, out=address))


@pytest.mark.parametrize("deep", [False, True])
def test_clips_in_the_store_are_whole(studio: Studio, deep: bool) -> None:
    found = verify(studio.place, deep=deep)
    assert (found.checked, found.findings, found.read) == (2, (), deep)
    assert found.out == f"file://{studio.store}"


def test_a_listing_finds_what_is_missing_or_cut_and_a_reading_what_changed(studio: Studio) -> None:
    data = studio.clip.read_bytes()
    studio.clip.write_bytes(data[:-1] + b"?")
    (studio.store / "clips/b.mp4").unlink()
    (studio.store / "clips/b.json").unlink()
    lost = [("b", Flaw.MISSING), ("b", Flaw.NO_SIDECAR)]
    assert [(each.take_id, each.flaw) for each in verify(studio.place).findings] == lost
    found = verify(studio.place, deep=True).findings
    assert [(each.take_id, each.flaw) for each in found] == [("a", Flaw.CHANGED), *lost]
    studio.clip.write_bytes(data[:9])
    (cut, *_) = verify(studio.place).findings
    assert cut.says == f"it has 9 of {len(data)} bytes"


def test_what_is_missing_in_the_store_is_marked_and_the_sidecar_of_a_clip_is_written_there(
    studio: Studio,
) -> None:
    (studio.store / "clips/b.mp4").unlink()
    (studio.store / "clips/a.json").unlink()
    mark(studio.place, verify(studio.place).findings, opening=OpenOptions(moved=True))
    assert studio.delivered() == {"a": True, "b": False}
    again = fetch(studio.place, ["a"], request=studio.request)
    assert again.restored == ("a",)
    assert (studio.store / "clips/a.json").is_file()
    assert not (studio.place.path / "clips").exists()


def test_a_run_with_all_clips_in_the_store_has_nothing_to_do(studio: Studio) -> None:
    first = run(studio.request)
    assert (first.submitted, first.exit_code) == (0, 0)
    assert studio.delivered() == {"a": True, "b": True}
    assert [first.address_of(clip) for clip in first.clips] == [
        f"file://{studio.store}/clips/{name}.mp4" for name in "ab"
    ]
    before = studio.place.log.stat().st_size
    assert run(replace(studio.request, opening=OpenOptions())).clips == first.clips
    assert studio.place.log.stat().st_size == before


def test_a_renamed_take_keeps_the_name_of_its_clip_in_the_store(studio: Studio) -> None:
    studio.board.write_text(BOARD.replace("id: a", "id: first"), "utf-8")
    ended = run(studio.request)
    assert "clips in the store keep their names: first" in ended.remarks
    assert ended.submitted == 0
    assert studio.clip.is_file()
    assert verify(studio.place).findings == ()


def test_the_report_in_the_store_links_to_the_clips_beside_it(studio: Studio) -> None:
    decide(studio.board.parent / "run", ["a"], Decision.PICK, who="kim")
    made = report(studio.place.path)
    assert made.published == f"file://{studio.store}/report.html"
    shown = takes_in(studio.store / "report.html")
    assert [take["clip"] for take in shown] == ["clips/a.mp4", "clips/b.mp4"]
    assert [take["sidecar"] for take in shown] == ["clips/a.json", "clips/b.json"]
    assert all((studio.store / take["poster"]["small"]).is_file() for take in shown)
    assert (studio.store / "picks.csv").read_bytes() == (studio.place.path / "picks.csv").read_bytes()
    assert [row["file"] for row in table(studio.store / "report.csv")] == ["clips/a.mp4", "clips/b.mp4"]


def test_the_report_here_has_no_dead_link_and_says_where_the_clips_are(studio: Studio) -> None:
    made = report(studio.place.path)
    links = [take["clip"] for take in takes_in(made.html)]
    assert links == [f"file://{studio.store}/clips/{name}.mp4" for name in "ab"]
    assert [row["file"] for row in table(made.csv)] == links
    assert any(f"The clips are in file://{studio.store}" in fact for fact in head_in(made.html)["facts"])


def test_links_of_clips_beside_the_report_are_not_signed(rendered: Path) -> None:
    with pytest.raises(UsageError, match="beside the report"):
        report(rendered / "run", sign_s=60)


def in_bucket(studio: Studio) -> str:
    """Move the clips of the run into a bucket, and return the address."""
    address = f"s3://{BUCKET}/{studio.store.parent.parent.name}"
    store = open_store(StoreAddress(address))
    for path in filter(Path.is_file, studio.store.rglob("*")):
        store.put_bytes(path.relative_to(studio.store).as_posix(), path.read_bytes())
    put_out(studio, address)
    shutil.rmtree(studio.store)
    return address


def test_signed_links_are_in_the_report_here_alone(studio: Studio, s3: S3Server) -> None:
    address = in_bucket(studio)
    plain = report(studio.place.path)
    assert [take["clip"].startswith("previews/") for take in takes_in(plain.html)] == [True, True]
    assert [row["file"] for row in table(plain.csv)] == [f"{address}/clips/{name}.mp4" for name in "ab"]
    made = report(studio.place.path, sign_s=3600)
    (link, _) = [take["clip"] for take in takes_in(made.html)]
    assert link == table(made.csv)[0]["file"]
    with urlopen(link) as answer:
        assert len(answer.read()) == int(table(made.csv)[0]["bytes"])
    assert any("The links to the clips end at" in fact for fact in head_in(made.html)["facts"])
    assert f"media-src 'self' {s3.endpoint}; " in made.html.read_text("utf-8")
    assert b"X-Amz" not in studio.place.log.read_bytes()
    keys = [key for key in s3.disk.keys_from(BUCKET, "", "") if "report" in key]
    assert not any(b"X-Amz" in s3.body(key) for key in keys)
    run(studio.request)
    assert b"X-Amz" not in (studio.place.path / "report.csv").read_bytes(), "the next run writes plain ones"


def test_the_clips_of_a_run_are_listed_and_not_asked_for_one_by_one(studio: Studio, s3: S3Server) -> None:
    in_bucket(studio)
    s3.calls.clear()
    assert verify(studio.place).findings == ()
    assert s3.calls == {"ListObjectsV2": 1}


def test_a_decision_is_kept_here_while_the_store_is_away(studio: Studio, s3: S3Server) -> None:
    in_bucket(studio)
    s3.fail(Kind.REFUSED, "PutObject")
    done = decide(studio.place.path, ["a"], Decision.PICK, who="kim")
    assert "is written here, but not in the store" in done.remarks[0]
    assert b"kim" in (studio.place.path / "picks.csv").read_bytes()


def known_by_its_store(studio: Studio) -> Path:
    """Put a copy of the record into the store, remove the run here, and return the address as a command gets it."""
    copies = studio.store / ".shotrunner/state"
    copies.mkdir(parents=True)
    (copies / "00000007.db.gz").write_bytes(gzip.compress(studio.place.state_file.read_bytes()))
    (copies / "00000008.db.gz").write_bytes(b"damaged")
    shutil.rmtree(studio.place.path)
    return Path(f"file://{studio.store}")


def test_a_run_is_read_by_the_address_of_its_store(studio: Studio, tmp_path: Path) -> None:
    target = known_by_its_store(studio)
    found = status(target)
    assert found.activity.goes_on is None
    assert take_history(target, "a").out == f"file://{studio.store}"
    assert verify(find_run_to_read(target)).findings == ()
    before = {path: path.stat().st_mtime_ns for path in studio.store.rglob("*")}
    with chdir(tmp_path):
        made = report(target)
    assert (tmp_path / made.csv, made.published) == (tmp_path / "store-report/report.csv", "")
    assert len(table(tmp_path / made.csv)) == 2
    assert {path: path.stat().st_mtime_ns for path in studio.store.rglob("*")} == before
    shared = share(target, tmp_path / "page")
    assert shared.takes == 2


def test_what_decides_or_sends_refuses_an_address(studio: Studio) -> None:
    target = known_by_its_store(studio)
    with pytest.raises(UsageError, match="can only be read") as refused:
        decide(target, ["a"], Decision.PICK, who="kim")
    assert f"restore file://{studio.store}" in refused.value.advice
    with pytest.raises(NotInStore, match="holds no record"):
        status(f"file://{studio.store}/clips")


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))


def test_an_editor_gets_the_clips_that_play_as_files(studio: Studio, tmp_path: Path) -> None:
    out, said = tmp_path / "cut.otio", list[str]()
    cut = make_cut(studio.place.path, Form.OTIO, out=out, options=CutOptions(relative=True), say=said.append)
    assert "cut-clips/a.mp4" in cut.texts[0]
    assert (tmp_path / "cut-clips/a.mp4").read_bytes() == studio.clip.read_bytes()
    assert said == [f"downloading 2 files from file://{studio.store}"]
    make_cut(studio.place.path, Form.OTIO, out=out, options=CutOptions(), say=said.append)
    assert len(said) == 1, "what is there is not downloaded again"
    (tmp_path / "cut-clips/a.mp4").write_bytes(b"my own")
    with pytest.raises(CannotCreate, match="is not this clip"):
        make_cut(studio.place.path, Form.OTIO, out=out, options=CutOptions())


def test_a_table_of_the_cut_has_the_addresses(studio: Studio, tmp_path: Path) -> None:
    cut = make_cut(studio.place.path, Form.CSV, out=tmp_path / "cut.csv", options=CutOptions())
    assert f"file://{studio.store}/clips/a.mp4" in cut.texts[0]
    assert list(tmp_path.glob("cut-clips")) == []


def test_a_rough_cut_is_made_from_downloads_that_leave(studio: Studio, tmp_path: Path) -> None:
    timeline = cut_list(studio.place.path)
    with at_hand(studio.place.path, timeline, playing(timeline)) as here:
        made = export_cut(here, tmp_path / "cut.mp4", wishes=CutWishes())
        folders = {clip.file.parent for clip in clips_of(here)}
    assert made.clips == 2
    assert not any(folder.exists() for folder in folders)


def test_a_contact_sheet_needs_the_posters_alone(studio: Studio) -> None:
    timeline = cut_list(studio.place.path)
    with at_hand(studio.place.path, timeline, clips_of(timeline), with_posters=True) as here:
        (clip, _) = playing(here)
        assert not clip.file.exists()
        assert len(list((clip.file.parent.parent / "previews").iterdir())) == 2


def test_a_page_for_others_has_the_clips_in_it(studio: Studio, tmp_path: Path) -> None:
    made = share(studio.place.path, tmp_path / "page")
    assert made.missing == ()
    sizes = sorted(path.stat().st_size for path in (tmp_path / "page/clips").iterdir())
    assert sizes == sorted(path.stat().st_size for path in (studio.store / "clips").glob("*.mp4"))


def test_bytes_that_were_not_delivered_are_refused(studio: Studio) -> None:
    studio.clip.write_bytes(b"other bytes")
    timeline = cut_list(studio.place.path)
    with (
        pytest.raises(NotInStore, match="not those that were delivered"),
        at_hand(studio.place.path, timeline, playing(timeline)),
    ):
        pass


def test_the_live_page_gets_clips_and_previews_from_the_store(studio: Studio, tmp_path: Path) -> None:
    shutil.rmtree(studio.place.path / "previews")
    page = RecordedPage(studio.place, who="kim", clock=SystemClock(), copies=tmp_path / "copies")
    (preview, *_) = sorted(path.name for path in (studio.store / "previews").iterdir())
    for name in ("clips/a.mp4", "clips/a.json", f"previews/{preview}"):
        found = page.file(name)
        assert found is not None
        assert found.read_bytes() == (studio.store / name).read_bytes()
    assert page.file("report.csv") is None
    (tmp_path / "page.html").write_bytes(page.page(after=0))
    assert all(take["poster"]["small"] for take in takes_in(tmp_path / "page.html"))


def test_a_copy_that_is_kept_here_saves_the_download(studio: Studio, tmp_path: Path) -> None:
    shutil.copytree(studio.store / "clips", studio.place.path / "clips")
    studio.clip.unlink()
    stored = stored_clips(studio.place)
    assert stored is not None
    sha256 = take_history(studio.place.path, "a").take.sha256
    copy = LocalCopies(stored, tmp_path).of("clips/a.mp4", sha256=sha256)
    assert copy.read_bytes() == (studio.place.path / "clips/a.mp4").read_bytes()


def test_the_oldest_copies_make_room(studio: Studio, tmp_path: Path) -> None:
    stored = stored_clips(studio.place)
    assert stored is not None
    copies = LocalCopies(stored, tmp_path, most=1)
    first, second = copies.of("clips/a.mp4"), copies.of("clips/b.mp4")
    assert (first.exists(), second.exists()) == (False, True)
    assert copies.of("clips/a.mp4").exists()


def test_previews_that_are_nowhere_are_made_from_a_download(studio: Studio) -> None:
    for folder in (studio.place.path, studio.store):
        shutil.rmtree(folder / "previews")
    ended = fetch(studio.place, request=studio.request)
    assert ended.exit_code == 0
    assert len(list((studio.place.path / "previews").iterdir())) == 10
    assert not (studio.place.path / "clips").exists()
