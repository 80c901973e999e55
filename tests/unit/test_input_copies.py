"""Pictures that went into takes: which links count, what their copies are called, and what is asked for when."""

from __future__ import annotations

import base64
import json
import re
import threading
from pathlib import Path

from runner.commands.steps.input_copies import InputCopies
from runner.domain.input_pictures import input_pictures
from runner.domain.preview_names import input_name
from runner.media.http.response import DownloadError

PATIENCE = 5.0
DATA = "data:image/png;base64," + base64.b64encode(b"picture").decode()


class Pictures:
    """Copies of one run directory whose pictures are scripted: bytes, or an error to raise."""

    def __init__(self, run_dir: Path, **pictures: bytes | Exception) -> None:
        self._pictures = {f"https://a.example/{name}.png": given for name, given in pictures.items()}
        self._came = threading.Semaphore(0)
        self.asked: list[str] = []
        self.copies = InputCopies(run_dir, self.read, self._came.release)

    def read(self, link: str) -> bytes:
        self.asked.append(link)
        given = self._pictures[link]
        if isinstance(given, Exception):
            raise given
        return given

    def note(self, *names: str) -> None:
        self.copies.note(json.dumps({"images": [f"https://a.example/{name}.png" for name in names]}))

    def taken(self) -> tuple[Path, bytes] | None:
        assert self._came.acquire(timeout=PATIENCE)
        assert self.copies.is_ready
        return self.copies.take()


def name_of(name: str) -> str:
    return input_name(f"https://a.example/{name}.png")


def test_a_copy_is_named_by_its_whole_link_and_shows_nothing_of_it() -> None:
    signed = [input_name(f"https://a.example/x.png?signature={each}") for each in "ab"]
    assert len(set(signed)) == 2
    assert all(re.fullmatch(r"previews/in-[0-9a-f]{32}\.jpg", name) for name in signed)
    assert input_name("https://a.example/\ud800") != input_name("https://a.example/\ud801")


def test_a_picture_in_the_request_itself_is_an_input_picture() -> None:
    assert list(input_pictures({"start": DATA, "note": "data:text/plain,x"})) == [("start", DATA)]


def test_each_link_is_asked_for_once(tmp_path: Path) -> None:
    """One that failed is not asked for again either; the next session tries it once more."""
    run = Pictures(tmp_path, a=b"a", b=DownloadError("away"))
    run.note("a", "b")
    run.note("b", "a")
    found = [run.taken(), run.taken()]
    assert sorted(found, key=str) == [(tmp_path / name_of("a"), b"a"), None]
    run.note("a", "b")
    assert (len(run.asked), run.copies.left) == (2, 0)


def test_what_has_a_copy_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / name_of("a")).parent.mkdir()
    (tmp_path / name_of("a")).touch()
    run = Pictures(tmp_path, a=b"a", b=b"b")
    run.note("a", "b")
    assert run.taken() == (tmp_path / name_of("b"), b"b")
    assert run.asked == ["https://a.example/b.png"]


def test_only_a_few_pictures_are_in_memory_at_once(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(9)]
    run = Pictures(tmp_path, **dict.fromkeys(names, b"x"))
    run.note(*names)
    for left in range(9, 0, -1):
        assert (run.copies.left, len(run.asked) <= 9 - left + 4) == (left, True)
        assert run.taken() is not None
    assert sorted(run.asked) == [f"https://a.example/{name}.png" for name in names]


def test_nothing_is_asked_for_once_it_is_closed_or_was_never_on(tmp_path: Path) -> None:
    run = Pictures(tmp_path, a=b"a")
    run.copies.close()
    run.note("a")
    off = InputCopies(tmp_path, None, lambda: None)
    off.note(json.dumps({"image": "https://a.example/a.png"}))
    assert (run.asked, run.copies.left, off.left) == ([], 0, 0)
