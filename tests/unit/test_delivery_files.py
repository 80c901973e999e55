"""Files are whole or absent, and nothing that is not ours is replaced or followed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.media.clips.folder import Folder, NameConflict, plain_name, rename_exclusively
from runner.media.clips.part_file import FileLocked, PartFile, write_whole


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "/etc/passwd", "a\\b", "a\0b", "a\nb", "é" * 128]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(NameConflict, match="not usable as a file name"):
        plain_name(name)


@pytest.mark.parametrize("name", ["s010@seed=7.mp4", ".s010.part", "...", "a b", "é" * 127])
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert plain_name(name) == name


def test_a_small_file_replaces_the_older_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        for text in (b"one", b"two"):
            write_whole(folder, "a.json", text)
    assert (tmp_path / "a.json").read_bytes() == b"two"
    assert names(tmp_path) == {"a.json"}


def test_writing_a_small_file_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "a.json").symlink_to(target)
    with Folder(tmp_path) as folder:
        write_whole(folder, "a.json", b"x")
    assert target.read_text() == "precious"
    assert not (tmp_path / "a.json").is_symlink()


def test_a_part_appears_whole_under_its_final_name(tmp_path: Path) -> None:
    with Folder(tmp_path / "clips") as folder, PartFile(folder, ".a.part") as part:
        part.write(b"abc")
        part.write(b"def")
        assert names(tmp_path / "clips") == {".a.part"}
        part.place("a.mp4")
    assert names(tmp_path / "clips") == {"a.mp4"}
    assert (tmp_path / "clips/a.mp4").read_bytes() == b"abcdef"
    assert (part.size, part.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"theirs")
    with Folder(tmp_path) as folder:
        with PartFile(folder, ".a.part") as part:
            part.write(b"ours")
            with pytest.raises(FileExistsError):
                part.place("a.mp4")
        assert not folder.has(".a.part")
    assert (tmp_path / "a.mp4").read_bytes() == b"theirs"


def test_a_part_that_is_neither_placed_nor_left_is_removed(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder, PartFile(folder, ".a.part") as part:
        part.write(b"abc")
        assert names(tmp_path) == {".a.part"}
    assert names(tmp_path) == set()


def test_a_part_is_continued_from_its_kept_bytes(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        with PartFile(folder, ".a.part") as part:
            part.write(b"abcdef??")
            part.leave()
        with PartFile(folder, ".a.part", keep=6) as part:
            assert part.size == 6
            part.write(b"ghi")
            part.place("a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"abcdefghi"
    assert part.sha256 == hashlib.sha256(b"abcdefghi").hexdigest()


def test_bytes_are_read_back_wherever_they_are(tmp_path: Path) -> None:
    """The first 64 KiB are kept in memory; a part that is continued has none of them."""
    content = bytes(range(256)) * 400
    with Folder(tmp_path) as folder:
        with PartFile(folder, ".a.part") as part:
            for at in range(0, len(content), 1000):
                part.write(content[at : at + 1000])
            check_reads(part, content)
            part.leave()
        with PartFile(folder, ".a.part", keep=50_000) as part:
            part.write(b"more")
            check_reads(part, content[:50_000] + b"more")
            part.restart()
            part.write(b"another")
            check_reads(part, b"another")


def check_reads(part: PartFile, content: bytes) -> None:
    for at in (0, 1, 8, 999, 49_999, 65_530, 65_536, len(content) - 3, len(content)):
        assert part.read_at(at, 16) == content[at : at + 16], at


def test_what_a_kill_left_of_a_small_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".a.json.tmp").write_bytes(b"half")
    with Folder(tmp_path) as folder:
        write_whole(folder, "a.json", b"whole")
    assert (tmp_path / "a.json").read_bytes() == b"whole"
    assert names(tmp_path) == {"a.json"}


def test_a_small_file_that_cannot_get_its_name_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with Folder(tmp_path) as folder, pytest.raises(IsADirectoryError):
        write_whole(folder, "a.json", b"x")
    assert names(tmp_path) == {"a.json"}


def test_a_part_shorter_than_promised_starts_over(tmp_path: Path) -> None:
    (tmp_path / ".a.part").write_bytes(b"abc")
    with Folder(tmp_path) as folder, PartFile(folder, ".a.part", keep=6) as part:
        assert part.size == 0


def test_a_part_that_is_also_a_finished_clip_is_never_written_into(tmp_path: Path) -> None:
    """A kill between link and unlink leaves two names on the same bytes."""
    (tmp_path / "a.mp4").write_bytes(b"finished")
    os.link(tmp_path / "a.mp4", tmp_path / ".a.part")
    with Folder(tmp_path) as folder, PartFile(folder, ".a.part", keep=3) as part:
        part.write(b"XXXX")
    assert (tmp_path / "a.mp4").read_bytes() == b"finished"
    assert names(tmp_path) == {"a.mp4"}


def test_two_writers_of_one_part_exclude_each_other(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder, PartFile(folder, ".a.part") as first:
        first.write(b"abc")
        for keep in (0, 3):
            with pytest.raises(FileLocked):
                PartFile(folder, ".a.part", keep=keep)
        first.place("a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"abc"


def _link_to_file(path: Path) -> None:
    target = path.parent / "target"
    target.write_text("precious")
    path.symlink_to(target)


@pytest.mark.parametrize(
    "obstacle", [_link_to_file, Path.mkdir, lambda path: os.mkfifo(path)], ids=["link", "folder", "fifo"]
)
def test_an_obstacle_under_the_hidden_name_is_refused_and_kept(
    tmp_path: Path, obstacle: Callable[[Path], None]
) -> None:
    obstacle(tmp_path / ".a.part")
    before = names(tmp_path)
    with Folder(tmp_path) as folder:
        for keep in (0, 3):
            with pytest.raises(NameConflict):
                PartFile(folder, ".a.part", keep=keep)
        with pytest.raises(NameConflict):
            folder.read(".a.part", limit=100)
        assert folder.digest(".a.part") is None
    assert names(tmp_path) == before


@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_a_clips_folder_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    elsewhere, clips = tmp_path / "elsewhere", tmp_path / "clips"
    if kind == "file":
        clips.write_text("x")
    else:
        clips.symlink_to(elsewhere)
    if kind == "link":
        elsewhere.mkdir()
    with pytest.raises(NameConflict, match="clips is a symbolic link or a file"):
        Folder(clips)


def test_moving_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with Folder(tmp_path) as folder:
        with pytest.raises(FileExistsError):
            folder.move("a", "b")
        folder.move("a", "c")
    assert (tmp_path / "b").read_text() == "b"
    assert names(tmp_path) == {"b", "c"}


def test_without_hard_links_the_kernel_renames_exclusively(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            rename_exclusively(folder, "a", "b")
        rename_exclusively(folder, "a", "c")
    finally:
        os.close(folder)
    assert (tmp_path / "b").read_text() == "b"
    assert names(tmp_path) == {"b", "c"}


def test_the_folder_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    """A folder that is swapped for a link in mid-run receives nothing."""
    clips, trap = tmp_path / "clips", tmp_path / "trap"
    trap.mkdir()
    with Folder(clips) as folder:
        clips.rename(tmp_path / "moved")
        clips.symlink_to(trap)
        write_whole(folder, "a.json", b"x")
    assert names(trap) == set()
    assert names(tmp_path / "moved") == {"a.json"}


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    with Folder(tmp_path) as folder:
        with pytest.raises(NameConflict):
            folder.read("a", limit=4)
        assert folder.read("a", limit=5) == b"12345"
        assert folder.read("missing", limit=5) is None
