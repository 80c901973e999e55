"""Whose a file is, and that nobody's clip is ever lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from runner.media.clips.clip_names import clip_name, part_name
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.ownership import ClipOwnership
from runner.media.clips.part_file import PartFile
from runner.media.clips.sidecar import DeliveredFile, read_sidecar
from runner.media.http.response import Version
from runner.system.canonical_json import JsonValue


def about() -> dict[str, JsonValue]:
    return {"model": "m"}


def arrive(clips: Path, content: bytes, *, request_id: str, index: int = 0, stop: str = "") -> ClipOwnership:
    """Deliver one output as `fetch` does; `stop` ends early, as a kill would."""
    with Folder(clips) as folder:
        holdings = ClipOwnership(folder, "s010", request_id)
        name = clip_name("s010", index, "mp4")
        landed = DeliveredFile(index, name, hashlib.sha256(content).hexdigest(), len(content))
        part = PartFile(folder, part_name("s010", index))
        with part:
            part.write(content)
            holdings.promise(landed, about)
            if stop == "promised":
                part.leave()
                return holdings
            part.place(name)
        if stop != "named":
            holdings.land(landed)
            holdings.settle(about)
        return holdings


def known(clips: Path, request_id: str = "req-1") -> dict[int, str]:
    with Folder(clips) as folder:
        holdings = ClipOwnership(folder, "s010", request_id)
        return {index: landed.file for index, landed in holdings.landed.items()}


def visible(clips: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in clips.iterdir() if path.suffix != ".json"}


def test_an_arrived_output_is_known_again(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    arrive(tmp_path, b"two", request_id="req-1", index=1)
    assert known(tmp_path) == {0: "s010.mp4", 1: "s010+2.mp4"}
    assert {path.name for path in tmp_path.iterdir()} == {"s010.mp4", "s010+2.mp4", "s010.json"}


def test_a_kill_just_after_the_name_does_not_make_the_clip_foreign(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1", stop="named")
    assert known(tmp_path) == {0: "s010.mp4"}


def test_a_sidecar_whose_clip_did_not_come_is_only_a_promise(tmp_path: Path) -> None:
    """A kill between the sidecar and the clip's name leaves one."""
    arrive(tmp_path, b"one", request_id="req-1", stop="promised")
    assert (tmp_path / "s010.json").exists()
    assert known(tmp_path) == {}
    arrive(tmp_path, b"one", request_id="req-1")
    assert known(tmp_path) == {0: "s010.mp4"}


def test_a_promise_is_no_claim_to_a_strangers_file(tmp_path: Path) -> None:
    """What turned up under the name in between is moved aside whole, since it cannot be told from an edited clip."""
    arrive(tmp_path, b"one", request_id="req-1", stop="promised")
    (tmp_path / "s010.mp4").write_bytes(b"theirs")
    assert known(tmp_path) == {}
    arrive(tmp_path, b"one", request_id="req-1")
    assert visible(tmp_path) == {"s010.mp4": b"one", "s010+changed.mp4": b"theirs"}


@pytest.mark.parametrize("stop", ["", "named"])
def test_an_older_paid_clip_is_moved_aside_under_its_request(tmp_path: Path, stop: str) -> None:
    arrive(tmp_path, b"old", request_id="older-request-1", stop=stop)
    assert known(tmp_path, "req-2") == {}
    arrive(tmp_path, b"new", request_id="req-2")
    assert visible(tmp_path) == {"s010.mp4": b"new", "s010+of-older-re.mp4": b"old"}


def test_the_sidecar_of_an_older_clip_goes_with_it(tmp_path: Path) -> None:
    arrive(tmp_path, b"old", request_id="older-request-1")
    arrive(tmp_path, b"old2", request_id="older-request-1", index=1)
    arrive(tmp_path, b"new", request_id="req-2")
    aside = read_sidecar((tmp_path / "s010+of-older-re.json").read_bytes(), take="s010")
    assert aside is not None
    assert aside.request_id == "older-request-1"
    assert [landed.file for landed in aside.outputs] == ["s010+of-older-re.mp4", "s010+of-older-re+2.mp4"]
    assert (tmp_path / "s010+of-older-re+2.mp4").read_bytes() == b"old2"


def test_names_aside_never_replace_anything(tmp_path: Path) -> None:
    (tmp_path / "s010+of-older-re.mp4").write_bytes(b"theirs")
    arrive(tmp_path, b"old", request_id="older-request-1")
    arrive(tmp_path, b"new", request_id="req-2")
    assert visible(tmp_path) == {
        "s010.mp4": b"new",
        "s010+of-older-re.mp4": b"theirs",
        "s010+of-older-re-2.mp4": b"old",
    }


def test_a_clip_that_was_edited_is_kept_beside_the_new_download(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    (tmp_path / "s010.mp4").write_bytes(b"edited")
    assert known(tmp_path) == {}
    arrive(tmp_path, b"one", request_id="req-1")
    assert visible(tmp_path) == {"s010.mp4": b"one", "s010+changed.mp4": b"edited"}


def test_two_edited_outputs_are_both_kept(tmp_path: Path) -> None:
    """Bringing the first again must not make a stranger's of the second."""
    for index in (0, 1):
        arrive(tmp_path, b"one", request_id="req-1", index=index)
    for name in ("s010.mp4", "s010+2.mp4"):
        (tmp_path / name).write_bytes(b"edited")
    with Folder(tmp_path) as folder:
        holdings = ClipOwnership(folder, "s010", "req-1")
        for index in (0, 1):
            landed = DeliveredFile(index, clip_name("s010", index, "mp4"), "ab" * 32, 3)
            with PartFile(folder, part_name("s010", index)) as part:
                part.write(b"two")
                holdings.promise(landed, about)
                part.place(landed.file)
            holdings.land(landed)
    assert visible(tmp_path) == {
        "s010.mp4": b"two",
        "s010+2.mp4": b"two",
        "s010+changed.mp4": b"edited",
        "s010+changed+2.mp4": b"edited",
    }


def test_a_deleted_clip_is_not_known_any_more(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    (tmp_path / "s010.mp4").unlink()
    assert known(tmp_path) == {}


def test_a_strangers_clip_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "s010.mp4").write_bytes(b"theirs")
    with pytest.raises(
        NameConflict, match=r"clips/s010.mp4 is not a clip of this run; move it away and fetch again"
    ):
        arrive(tmp_path, b"new", request_id="req-1")
    assert visible(tmp_path) == {"s010.mp4": b"theirs"}


def test_a_strangers_sidecar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s010.json").write_text('{"mine": true}')
    with pytest.raises(NameConflict, match=r"clips/s010.json is not a file of this run"):
        known(tmp_path)


def test_a_link_in_place_of_a_known_clip_is_refused(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    (tmp_path / "s010.mp4").rename(tmp_path / "elsewhere")
    (tmp_path / "s010.mp4").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NameConflict):
        arrive(tmp_path, b"one", request_id="req-1")


def test_a_remainder_belongs_to_one_job_and_one_link(tmp_path: Path) -> None:
    version = Version('"tag"', total=9)
    with Folder(tmp_path) as folder:
        ClipOwnership(folder, "s010", "req-1").remember(0, "https://a.example/x", 5, version, 1)
        left = ClipOwnership(folder, "s010", "req-1").remainder(0, "https://a.example/x")
        assert left is not None
        assert (left.version, left.bytes, left.stalled) == (version, 5, 1)
        assert ClipOwnership(folder, "s010", "req-1").remainder(0, "https://a.example/y") is None
        assert ClipOwnership(folder, "s010", "req-2").remainder(0, "https://a.example/x") is None


def test_the_start_of_what_came_instead_replaces_our_own_and_goes_in_the_end(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        holdings = ClipOwnership(folder, "s010", "req-1")
        assert holdings.keep_rejected(0, b"sorry") == "s010.rejected"
        assert holdings.keep_rejected(1, b"sorry too") == "s010+2.rejected"
        assert ClipOwnership(folder, "s010", "req-1").keep_rejected(0, b"still sorry") == "s010.rejected"
        assert visible(tmp_path) == {"s010.rejected": b"still sorry", "s010+2.rejected": b"sorry too"}
        for index in (0, 1):
            holdings.drop_rejected(index)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("edited", [False, True], ids=["never ours", "ours until it was edited"])
def test_a_rejected_file_that_is_not_ours_is_neither_replaced_nor_removed(
    edited: bool, tmp_path: Path
) -> None:
    with Folder(tmp_path) as folder:
        holdings = ClipOwnership(folder, "s010", "req-1")
        if edited:
            holdings.keep_rejected(0, b"sorry")
        (tmp_path / "s010.rejected").write_bytes(b"my own notes")
        assert holdings.keep_rejected(0, b"sorry") == "s010+no2.rejected"
        assert holdings.keep_rejected(0, b"sorry again") == "s010+no2.rejected"
        holdings.drop_rejected(0)
    assert visible(tmp_path) == {"s010.rejected": b"my own notes"}


def test_a_file_that_another_take_can_own_is_moved_only_by_its_bytes(tmp_path: Path) -> None:
    """An older program called the second output `s010.2.mp4`, which the shot `s010.2` may have overwritten since."""
    arrive(tmp_path, b"one", request_id="req-old")
    arrive(tmp_path, b"two", request_id="req-old", index=1)
    sidecar = (tmp_path / "s010.json").read_text().replace("s010+2.mp4", "s010.2.mp4")
    (tmp_path / "s010.json").write_text(sidecar)
    (tmp_path / "s010+2.mp4").unlink()
    (tmp_path / "s010.2.mp4").write_bytes(b"the clip of s010.2")
    arrive(tmp_path, b"new", request_id="req-2")
    assert visible(tmp_path) == {
        "s010.mp4": b"new",
        "s010+of-req-old.mp4": b"one",
        "s010.2.mp4": b"the clip of s010.2",
    }


def of_another(clips: Path, *, present: bool) -> None:
    """Leave the sidecar of another take under the name that this one's files have now."""
    (clips / "s010.mp4").unlink()
    (clips / "s010.json").rename(clips / "t01.json")
    text = (clips / "t01.json").read_text().replace('"s010.mp4"', '"t01.mp4"').replace('"s010"', '"other"')
    (clips / "t01.json").write_text(text)
    if present:
        (clips / "t01.mp4").write_bytes(b"theirs")


def test_a_sidecar_that_a_change_of_names_left_behind_blocks_no_paid_clip(tmp_path: Path) -> None:
    """A kill in its middle leaves it, once the files of that take have other names."""
    arrive(tmp_path, b"one", request_id="req-0")
    of_another(tmp_path, present=False)
    with Folder(tmp_path) as folder:
        holdings = ClipOwnership(folder, "s010", "req-1", stem="t01")
        landed = DeliveredFile(0, "t01.mp4", hashlib.sha256(b"two").hexdigest(), 3)
        holdings.promise(landed, about)
        (tmp_path / "t01.mp4").write_bytes(b"two")
        holdings.land(landed)
        holdings.settle(about)
        assert ClipOwnership(folder, "s010", "req-1", stem="t01").landed == {0: landed}


def test_the_clip_of_another_take_is_never_taken_for_this_ones(tmp_path: Path) -> None:
    arrive(tmp_path, b"one", request_id="req-1")
    of_another(tmp_path, present=True)
    with (
        Folder(tmp_path) as folder,
        pytest.raises(NameConflict, match=r"t01\.json is not a file of this run"),
    ):
        ClipOwnership(folder, "s010", "req-1", stem="t01")
