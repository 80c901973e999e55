"""A page for others: what is not for them is not in it, and no file of a stranger is ever lost to it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.clip_checks import Flag, FlagKind
from runner.domain.errors import CannotCreate
from runner.domain.picks import Decision
from runner.domain.records import TakeRecord
from runner.output.share_files import LIST, Content, write_folder, write_zip
from runner.output.share_view import SharedTake, file_names, shared_card, shared_head, suffix_of
from runner.system.canonical_json import JsonValue
from tests.unit.output_records import NOW, delivered, header, pending

INDEX, CLIP = Content("index.html", b"<!doctype html>"), Content("clips/s010_t01.mp4", b"a clip")

BODY: dict[str, JsonValue] = {
    "promptText": "A secret hand in hard noon sun",
    "negativePrompt": "secret faces",
    "image": "https://secret.example.com/a.jpg",
    "seed": 7,
}


def full() -> TakeRecord:
    """Return a take in which everything that is not for others says `secret`, or is a number to be looked for."""
    return replace(
        delivered(pending("s010@light=noon", body=BODY), cost=0.3141),
        model="pika/secret",
        notes="secret: the client is tired",
        tags=("secret",),
        reason="secret error",
        flags=(Flag(FlagKind.SIZE, "secret size"),),
        wanted="secret",
        estimate=0.2718,
        point={"light": "hard noon sun", "resolution": "720p", "seed": 7},
    )


def test_no_id_money_error_note_or_prompt_is_in_the_data() -> None:
    shared = SharedTake(full(), "clips/s010_t01.mp4", decision=Decision.REJECT)
    text = json.dumps([shared_card(shared), shared_head(header(), [shared], simulated=False, made=NOW)])
    forbidden = (
        "secret",
        "0.3141",
        "0.2718",
        "0.31",
        "s010@",
        "req-",
        "abab",
        "cdcd",
        "0f0e",
        "storyboard",
        "1.2.3",
    )
    assert [word for word in (*forbidden, "noon", "reject", "http") if word in text] == []
    assert '["resolution=720p", "seed=7"]' in text


def test_prompts_are_shown_when_they_are_asked_for() -> None:
    card = shared_card(SharedTake(full(), "clips/s010_t01.mp4"), prompts=True)
    assert [name for name, _, _ in card["inputs"]] == ["promptText"]
    assert card["inputs"][card["prompt"]][1] == "A secret hand in hard noon sun"
    assert card["point"][0] == "light=hard noon sun"


@given(st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=8))
def test_names_of_files_are_plain_and_differ_on_any_disk(shots: Sequence[str]) -> None:
    takes = [replace(pending(f"t{at}"), shot_id=shot) for at, shot in enumerate(shots)]
    names = file_names(takes)
    assert len({name.casefold() for name in names.values()}) == len(takes)
    for name in names.values():
        assert Content(f"clips/{name}.mp4", b"").name, "it would have been refused"


def test_shots_that_differ_in_case_or_in_odd_letters_keep_files_of_their_own() -> None:
    takes = [replace(pending(f"t{at}"), shot_id=shot) for at, shot in enumerate(["a", "A", "ä", "../x"])]
    assert list(file_names(takes).values()) == ["a_t01", "A_t01-2", "__t01", "___x_t01"]


@pytest.mark.parametrize(
    ("file", "suffix"), [("clips/a.mp4", ".mp4"), ("clips/a.WebM", ".webm"), ("a.m p4", ""), ("a", "")]
)
def test_a_clip_keeps_its_plain_ending(file: str, suffix: str) -> None:
    assert suffix_of(file) == suffix


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "clips/../x", "clips/.x", "other/x", "clips/a/b", "clips/a\n"]
)
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(name)):
        Content(name, b"")


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_earlier_folder_is_replaced_and_other_files_in_it_stay(tmp_path: Path) -> None:
    place = tmp_path / "share"
    write_folder(place, [CLIP, Content("posters/s010_t01.small.jpg", b"p"), INDEX])
    (place / "comments.csv").write_text("mine")
    write_folder(place, [Content("clips/s020_t01.mp4", b"another"), INDEX])
    assert files_in(place) == {"index.html", LIST, "clips/s020_t01.mp4", "comments.csv"}
    assert not (place / "posters").exists()
    assert list(tmp_path.iterdir()) == [place], "nothing half-made is left"


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    write_folder(tmp_path, [INDEX])
    assert files_in(tmp_path) == {"index.html", LIST}


def test_a_folder_or_a_file_of_a_stranger_is_refused_and_with_force_nothing_else_in_it_is_lost(
    tmp_path: Path,
) -> None:
    place = tmp_path / "mine"
    (place / "clips").mkdir(parents=True)
    (place / "clips" / "holiday.mp4").write_bytes(b"mine")
    with pytest.raises(CannotCreate) as refused:
        write_folder(place, [CLIP, INDEX])
    assert "--force" in refused.value.advice
    assert files_in(place) == {"clips/holiday.mp4"}
    write_folder(place, [CLIP, INDEX], force=True)
    assert files_in(place) == {"clips/holiday.mp4", "clips/s010_t01.mp4", "index.html", LIST}
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CannotCreate):
        write_folder(tmp_path / "file", [INDEX])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_list_that_was_forged_removes_nothing_outside(tmp_path: Path) -> None:
    place = tmp_path / "share"
    write_folder(place, [INDEX])
    (tmp_path / "precious").write_text("mine")
    (place / LIST).write_text(json.dumps({"files": ["../precious", "clips/../../precious", "index.html"]}))
    write_folder(place, [INDEX])
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_folder_of_an_earlier_page_that_leads_elsewhere_loses_nothing(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "share", tmp_path / "elsewhere"
    write_folder(place, [Content("posters/mine.jpg", b"p"), INDEX])
    (place / "posters").rename(elsewhere)
    (place / "posters").symlink_to(elsewhere)
    with pytest.raises(CannotCreate, match="symbolic link"):
        write_folder(place, [CLIP, INDEX])
    assert files_in(elsewhere) == {"mine.jpg"}


def test_the_current_folder_is_a_folder_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(Path(), [CLIP, INDEX])
    assert files_in(tmp_path) == {"index.html", LIST, CLIP.name}


def test_a_folder_of_clips_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "share", tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_folder(place, [INDEX])
    (place / "clips").symlink_to(elsewhere)
    with pytest.raises(CannotCreate, match="symbolic link"):
        write_folder(place, [CLIP, INDEX])
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_clip_that_cannot_be_read_leaves_the_earlier_one_as_it_was(tmp_path: Path, kind: str) -> None:
    place = tmp_path / ("share.zip" if kind == "zip" else "share")

    def write(contents: Sequence[Content]) -> None:
        write_zip(place, contents, now=NOW) if kind == "zip" else write_folder(place, contents)

    write([CLIP, INDEX])
    before = place.read_bytes() if kind == "zip" else files_in(place)
    (tmp_path / "link").symlink_to(tmp_path / "anything")
    with pytest.raises(CannotCreate):
        write([Content("clips/s020_t01.mp4", tmp_path / "link"), INDEX])
    assert (place.read_bytes() if kind == "zip" else files_in(place)) == before
    assert {path.name for path in tmp_path.iterdir()} == {place.name, "link"}


def test_a_zip_has_one_folder_and_replaces_only_a_zip_of_its_kind(tmp_path: Path) -> None:
    place = tmp_path / "for-ana.zip"
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"a clip")
    for _ in range(2):
        write_zip(place, [Content("clips/s010_t01.mp4", clip), INDEX], now=NOW)
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["for-ana/clips/s010_t01.mp4", "for-ana/index.html"]
        assert archive.read("for-ana/clips/s010_t01.mp4") == b"a clip"
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("mine", "mine")
    with pytest.raises(CannotCreate, match="something else"):
        write_zip(tmp_path / "other.zip", [INDEX], now=NOW)
    write_zip(tmp_path / "other.zip", [INDEX], now=NOW, force=True)
