"""Files of ours are private, and nothing else that has their name is opened, followed, written or waited for."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from runner.system.private_files import (
    NotOurs,
    make_folder,
    open_private,
    read_private,
    refuse_odd,
    try_writing,
    whole_path,
    write_whole,
)

APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
UPDATE = os.O_RDWR | os.O_CREAT
REPLACE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def a_link(path: Path) -> None:
    path.with_name("theirs").write_text("theirs")
    path.symlink_to("theirs")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("theirs")


def a_second_name(path: Path) -> None:
    path.with_name("theirs").write_text("theirs")
    path.hardlink_to(path.with_name("theirs"))


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    # A short name: the address of a socket holds no long path.
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/full")


ODD = [a_link, a_dangling_link, a_second_name, a_pipe, a_socket, a_device, Path.mkdir]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("flags", [APPEND, UPDATE, REPLACE], ids=["append", "update", "replace"])
@pytest.mark.parametrize("put", ODD, ids=lambda put: put.__name__)
def test_nothing_else_is_opened_to_be_written(
    tmp_path: Path, put: Callable[[Path], None], flags: int
) -> None:
    path = tmp_path / "run.log"
    put(path)
    with pytest.raises(NotOurs, match="not a file of a run"):
        open_private(path, flags)
    theirs = tmp_path / "theirs"
    assert not theirs.exists() or theirs.read_text() == "theirs"


@pytest.mark.parametrize(
    "put", [put for put in ODD if put is not a_second_name], ids=lambda put: put.__name__
)
def test_nothing_else_is_read(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "marker")
    with pytest.raises(NotOurs):
        read_private(tmp_path / "marker", limit=100)


@pytest.mark.parametrize("put", ODD, ids=lambda put: put.__name__)
def test_nothing_else_is_left_for_a_library_to_open(tmp_path: Path, put: Callable[[Path], None]) -> None:
    refuse_odd(tmp_path / "state.db-wal")
    put(tmp_path / "state.db-wal")
    with pytest.raises(NotOurs):
        refuse_odd(tmp_path / "state.db-wal")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        make_folder(tmp_path / "reports" / "board")
        os.close(open_private(tmp_path / "reports" / "board" / "run.log", APPEND))
        write_whole(tmp_path / "reports" / "board" / "report.csv", "a")
    found = {path.name: oct(mode(path)) for path in tmp_path.rglob("*")}
    assert found == {"reports": "0o700", "board": "0o700", "run.log": "0o600", "report.csv": "0o600"}


def test_what_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o775)
    (tmp_path / "run.log").touch()
    (tmp_path / "run.log").chmod(0o644)
    make_folder(tmp_path / "shared")
    os.close(open_private(tmp_path / "run.log", APPEND))
    assert (mode(tmp_path / "shared"), mode(tmp_path / "run.log")) == (0o775, 0o644)


@pytest.mark.parametrize(
    "put", [a_link, a_dangling_link, a_second_name, a_pipe], ids=lambda put: put.__name__
)
def test_a_file_that_is_replaced_is_replaced_by_name_alone(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    path = tmp_path / "report.csv"
    put(path)
    write_whole(path, "ours")
    assert path.read_text() == "ours"
    assert not path.is_symlink()
    theirs = tmp_path / "theirs"
    assert not theirs.exists() or theirs.read_text() == "theirs"


def test_a_folder_is_not_replaced_and_no_part_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - the class depends on the system
        write_whole(path, "ours")
    with pytest.raises(NotOurs):
        try_writing(path)
    assert list(tmp_path.iterdir()) == [path]


def test_trying_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("before")
    try_writing(tmp_path / "report.csv")
    try_writing(tmp_path / "report.html")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"report.csv": "before"}


def test_a_file_larger_than_ours_ever_are_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "marker").write_bytes(b"x" * 101)
    with pytest.raises(NotOurs, match="larger than 100 bytes"):
        read_private(tmp_path / "marker", limit=100)


def test_a_folder_where_there_can_be_none_is_an_error_and_no_endless_search(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "further")
    for path in (
        tmp_path / "file" / "run",
        tmp_path / "nowhere" / "run",
        tmp_path / "nowhere",
        tmp_path / "file",
    ):
        with pytest.raises(OSError):  # noqa: PT011 - the class depends on the system
            make_folder(path)


def test_a_library_writes_a_file_that_is_whole_or_absent(tmp_path: Path) -> None:
    place = tmp_path / "cut.mp4"
    with whole_path(place) as part:
        part.write_bytes(b"new")
        assert not place.exists()
    assert place.read_bytes() == b"new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600

    def stopped() -> None:
        with whole_path(place) as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert place.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [place]


def test_a_ctrl_c_in_the_moment_of_opening_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(frame: FrameType, event: str, _argument: object) -> None:
        if event == "return" and frame.f_code is open_private.__code__:
            raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), whole_path(tmp_path / "cut.mp4"):
            pass
    finally:
        sys.setprofile(before)
    assert list(tmp_path.iterdir()) == []
