"""Whose a file is, and that nobody's clip is ever lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from runner.delivery.files import Folder, InTheWay, PartFile
from runner.delivery.holdings import Holdings
from runner.delivery.sidecar import Landed, read_sidecar


def arrive(
    clips: Path, content: bytes, *, request_id: str, index: int = 0, outputs: int = 2, stop: str = ""
) -> Holdings:
    """Deliver one output as `fetch` does; `stop` ends early, as a kill would."""
    with Folder(clips) as folder:
        holdings = Holdings(folder, "s010", request_id, outputs=outputs)
        name = holdings.final_name(index, "mp4")
        landed = Landed(index, name, hashlib.sha256(content).hexdigest(), len(content))
        part = PartFile(folder, holdings.part_name(index))
        with part:
            part.write(content)
            holdings.claim(landed)
            if stop == "claimed":
                part.leave()
                return holdings
            part.place(name)
        if stop != "named":
            holdings.land(landed, {"model": "m"})
        return holdings


def known(clips: Path, request_id: str = "req-1") -> dict[int, str]:
    with Folder(clips) as folder:
        holdings = Holdings(folder, "s010", request_id, outputs=2)
        return {index: landed.file for index, landed in holdings.landed.items()}


def visible(clips: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in clips.iterdir() if path.suffix != ".json"}


def test_an_arrived_output_is_known_again(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    arrive(tmp_path, b"two", request_id="req-1", index=1)
    assert known(tmp_path) == {0: "s010.mp4", 1: "s010.2.mp4"}
    assert {path.name for path in tmp_path.iterdir()} == {"s010.mp4", "s010.2.mp4", "s010.json"}


def test_a_kill_between_name_and_sidecar_does_not_make_the_clip_foreign(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1", stop="named")
    assert not (tmp_path / "s010.json").exists()
    assert known(tmp_path) == {0: "s010.mp4"}


def test_a_kill_between_claim_and_name_leaves_nothing_arrived(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1", stop="claimed")
    assert known(tmp_path) == {}
    arrive(tmp_path, b"one", request_id="req-1")
    assert known(tmp_path) == {0: "s010.mp4"}


@pytest.mark.parametrize("stop", ["", "named"])
def test_an_older_paid_clip_is_moved_aside_under_its_request(tmp_path: Path, stop: str) -> None:
    arrive(tmp_path, b"old", request_id="older-request-1", stop=stop)
    assert known(tmp_path, "req-2") == {}
    arrive(tmp_path, b"new", request_id="req-2")
    assert visible(tmp_path) == {"s010.mp4": b"new", "s010.older-re.mp4": b"old"}


def test_the_sidecar_of_an_older_clip_goes_with_it(tmp_path: Path) -> None:
    arrive(tmp_path, b"old", request_id="older-request-1")
    arrive(tmp_path, b"old2", request_id="older-request-1", index=1)
    arrive(tmp_path, b"new", request_id="req-2")
    aside = read_sidecar((tmp_path / "s010.older-re.json").read_bytes(), take="s010")
    assert aside is not None
    assert aside.request_id == "older-request-1"
    assert [landed.file for landed in aside.outputs] == ["s010.older-re.mp4", "s010.older-re.2.mp4"]
    assert (tmp_path / "s010.older-re.2.mp4").read_bytes() == b"old2"


def test_names_aside_never_replace_anything(tmp_path: Path) -> None:
    (tmp_path / "s010.older-re.mp4").write_bytes(b"theirs")
    arrive(tmp_path, b"old", request_id="older-request-1")
    arrive(tmp_path, b"new", request_id="req-2")
    assert visible(tmp_path) == {
        "s010.mp4": b"new",
        "s010.older-re.mp4": b"theirs",
        "s010.older-re-2.mp4": b"old",
    }


def test_a_clip_that_was_edited_is_kept_beside_the_new_download(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    (tmp_path / "s010.mp4").write_bytes(b"edited")
    assert known(tmp_path) == {}
    arrive(tmp_path, b"one", request_id="req-1")
    assert visible(tmp_path) == {"s010.mp4": b"one", "s010.changed.mp4": b"edited"}


def test_a_deleted_clip_is_not_known_any_more(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    (tmp_path / "s010.mp4").unlink()
    assert known(tmp_path) == {}


def test_a_strangers_clip_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "s010.mp4").write_bytes(b"theirs")
    with pytest.raises(InTheWay, match=r"clips/s010.mp4 is not a clip of ours; move it away and fetch again"):
        arrive(tmp_path, b"new", request_id="req-1")
    assert visible(tmp_path) == {"s010.mp4": b"theirs"}


def test_a_strangers_sidecar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s010.json").write_text('{"mine": true}')
    with pytest.raises(InTheWay, match=r"clips/s010.json is not a file of ours"):
        known(tmp_path)


def test_a_link_in_place_of_a_known_clip_is_refused(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    (tmp_path / "s010.mp4").rename(tmp_path / "elsewhere")
    (tmp_path / "s010.mp4").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InTheWay):
        arrive(tmp_path, b"one", request_id="req-1")


def test_a_remainder_belongs_to_one_job_and_one_link(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        Holdings(folder, "s010", "req-1", outputs=1).remember(0, "https://a.example/x", '"tag"', 5)
        left = Holdings(folder, "s010", "req-1", outputs=1).remainder(0, "https://a.example/x")
        assert left is not None
        assert (left.etag, left.bytes) == ('"tag"', 5)
        assert Holdings(folder, "s010", "req-1", outputs=1).remainder(0, "https://a.example/y") is None
        assert Holdings(folder, "s010", "req-2", outputs=1).remainder(0, "https://a.example/x") is None
