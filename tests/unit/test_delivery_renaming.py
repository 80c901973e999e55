"""Clips follow their takes' names: through chains and circles, past strangers' files, and after a kill anywhere."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.media.clips.clip_names import SEPARATOR
from runner.media.clips.rename import Clip, left_mid_rename, rename_clips
from runner.media.clips.sidecar import DeliveredFile, Sidecar, read_sidecar


class Killed(Exception):
    """Stands for a kill at this moment."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def deliver(
    run_dir: Path, take: str, *, sidecar: bool = True, outputs: int = 1, separator: str = SEPARATOR
) -> Clip:
    """Lay a clip down as a delivery would, with the take's name as its content."""
    folder = run_dir / "clips"
    folder.mkdir(exist_ok=True)
    landed = []
    for index in range(outputs):
        name = f"{take}{f'{separator}{index + 1}' if index else ''}.mp4"
        data = f"{take}#{index}".encode()
        (folder / name).write_bytes(data)
        landed.append(DeliveredFile(index, name, digest(data), len(data)))
    if sidecar:
        (folder / f"{take}.json").write_bytes(Sidecar(take, f"req-{take}", tuple(landed)).to_bytes())
    return Clip(take, f"clips/{take}.mp4", landed[0].sha256)


def rename(run_dir: Path, clips: Mapping[str, Clip], renames: Mapping[str, str]) -> dict[str, str]:
    """Rename, and return the files by take id as a record would know them."""
    files = {renames.get(old, old): clip.file for old, clip in clips.items()}
    moved = [Clip(renames.get(old, old), clip.file, clip.sha256) for old, clip in clips.items()]
    left = rename_clips(run_dir, moved, told=lambda take, file: files.update({take: file}))
    assert not left
    return files


@pytest.mark.parametrize(
    "renames",
    [
        {"a": "x"},
        {"a": "b", "b": "c", "c": "d"},
        {"c": "d", "b": "c", "a": "b"},
        {"a": "b", "b": "a"},
        {"a": "b", "b": "c", "c": "a"},
        {"a": "a~1"},
        {"a": "b", "b": "a", "c": "c~1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("sidecar", [True, False])
def test_every_clip_has_its_takes_name_and_its_own_bytes(
    renames: Mapping[str, str], sidecar: bool, tmp_path: Path
) -> None:
    clips = {take: deliver(tmp_path, take, sidecar=sidecar) for take in "abc"}
    files = rename(tmp_path, clips, renames)
    for old in "abc":
        new = renames.get(old, old)
        assert files[new] == f"clips/{new}.mp4"
        assert (tmp_path / files[new]).read_bytes() == f"{old}#0".encode()
        note = tmp_path / f"clips/{new}.json"
        found = read_sidecar(note.read_bytes(), take=new) if sidecar else None
        assert (found.request_id if found else None) == (f"req-{old}" if sidecar else None)
    expected = len(clips) * (2 if sidecar else 1)
    assert len(list((tmp_path / "clips").iterdir())) == expected


@pytest.mark.parametrize("separator", [SEPARATOR, "."], ids=["as now", "as an older program named them"])
def test_further_outputs_go_along(separator: str, tmp_path: Path) -> None:
    clip = deliver(tmp_path, "a", outputs=3, separator=separator)
    rename(tmp_path, {"a": clip}, {"a": "b"})
    names = sorted(path.name for path in (tmp_path / "clips").iterdir())
    assert names == ["b+2.mp4", "b+3.mp4", "b.json", "b.mp4"]


def test_a_strangers_file_is_never_replaced_and_the_clip_leaves_the_name_of_another_take(
    tmp_path: Path,
) -> None:
    """Were it to stay, the next render of `a` would move it where no record looks."""
    clip = deliver(tmp_path, "a")
    (tmp_path / "clips/b.mp4").write_bytes(b"mine")
    told: list[str] = []
    for file in (clip.file, "clips/b+moving.mp4"):
        left = rename_clips(tmp_path, [Clip("b", file, clip.sha256)], told=lambda _, file: told.append(file))
        assert [one.file for one in left] == ["clips/b+moving.mp4"]
    assert told == ["clips/b+moving.mp4"]
    assert (tmp_path / "clips/b.mp4").read_bytes() == b"mine"
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == [
        "b+moving.json",
        "b+moving.mp4",
        "b.mp4",
    ]


def test_a_clip_that_an_older_program_left_on_its_way_is_found(tmp_path: Path) -> None:
    """It was called by a name that another take can have."""
    clip = deliver(tmp_path, "a")
    (tmp_path / "clips/a.mp4").rename(tmp_path / "clips/b.moving.mp4")
    assert rename(tmp_path, {"a": clip}, {"a": "b"}) == {"b": "clips/b.mp4"}
    assert (tmp_path / "clips/b.mp4").read_bytes() == b"a#0"


def test_a_clip_that_is_gone_is_told_by_nobody(tmp_path: Path) -> None:
    clip = deliver(tmp_path, "a")
    (tmp_path / "clips/a.mp4").unlink()
    told: list[str] = []
    assert rename_clips(tmp_path, [Clip("b", clip.file, clip.sha256)], told=lambda _, f: told.append(f)) == ()
    assert not told


def test_without_a_clips_folder_there_is_nothing_to_do(tmp_path: Path) -> None:
    clip = Clip("b", "clips/a.mp4", "0" * 64)
    assert rename_clips(tmp_path, [clip], told=lambda *_: None) == ()
    assert left_mid_rename(tmp_path, [clip]) == frozenset()
    assert not list(tmp_path.iterdir())


def test_clips_of_the_same_bytes_are_not_taken_for_each_other(tmp_path: Path) -> None:
    clips = {take: deliver(tmp_path, take, sidecar=False) for take in "abc"}
    for take in "abc":
        (tmp_path / f"clips/{take}.mp4").write_bytes(b"the same")
    clips = {take: Clip(take, clip.file, digest(b"the same")) for take, clip in clips.items()}
    files = rename(tmp_path, clips, {"a": "b", "b": "c", "c": "d"})
    assert sorted(files.values()) == sorted(f"clips/{path.name}" for path in (tmp_path / "clips").iterdir())
    assert len(set(files.values())) == 3


def test_a_kill_between_the_two_halves_of_a_move_is_mended(tmp_path: Path) -> None:
    clip = deliver(tmp_path, "a")
    (tmp_path / "clips/b.mp4").hardlink_to(tmp_path / "clips/a.mp4")
    assert rename(tmp_path, {"a": clip}, {"a": "b"}) == {"b": "clips/b.mp4"}
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == ["b.json", "b.mp4"]


@settings(max_examples=40, deadline=None)
@given(order=st.permutations("abcd"), kills=st.lists(st.integers(0, 5), max_size=4))
def test_a_kill_before_or_after_any_record_loses_no_clip(
    order: list[str], kills: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    renames = dict(zip("abcd", order, strict=True))
    owners = {renames[take]: take for take in "abcd"}
    record = {renames[take]: deliver(run_dir, take) for take in "abcd"}
    record = {new: Clip(new, clip.file, clip.sha256) for new, clip in record.items()}
    for kill_at in [*kills, None]:
        count = itertools.count()

        def told(
            take: str, file: str, kill: int | None = kill_at, seen: itertools.count[int] = count
        ) -> None:
            number = next(seen)
            if kill is not None and number == kill // 2 and kill % 2:
                raise Killed
            record[take] = Clip(take, file, record[take].sha256)
            if kill is not None and number == kill // 2:
                raise Killed

        try:
            rename_clips(run_dir, list(record.values()), told=told)
        except Killed:
            found = left_mid_rename(run_dir, record.values())
            for clip in record.values():
                there = (run_dir / clip.file).exists() and digest((run_dir / clip.file).read_bytes())
                assert (there == clip.sha256) is not (clip in found)
            continue
    for take, clip in record.items():
        assert clip.file == f"clips/{take}.mp4"
        assert (run_dir / clip.file).read_bytes() == f"{owners[take]}#0".encode()


class Knife:
    """Kills before the n-th change of a folder, and never while `left` is None."""

    left: int | None = None

    def __call__(self, event: str, _arguments: object) -> None:
        if self.left is not None and event in {"os.link", "os.remove", "os.rename"}:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


KNIFE = Knife()
# A hook stays for the life of the process: without a count it does nothing.
sys.addaudithook(KNIFE)


def named_anew(run_dir: Path, record: dict[str, Clip]) -> None:
    """Give the clips of the record the names they should have, and keep the record as a run does."""

    def told(take: str, file: str) -> None:
        record[take] = replace(record[take], file=file)

    assert rename_clips(run_dir, list(record.values()), told=told) == ()


@pytest.mark.parametrize(
    "stems",
    [
        {"a": "s_1", "b": "s_2", "c": "s_3"},
        {"a": "b", "b": "c", "c": "a"},
        {"a": "b", "b": "c", "c": "d"},
        {"a": "A", "b": "B_b", "c": "b"},
    ],
    ids=str,
)
def test_a_kill_before_any_step_of_a_change_of_names_is_mended_by_the_next_run(
    stems: Mapping[str, str], tmp_path: Path
) -> None:
    for kill_at in itertools.count():
        run_dir = tmp_path / str(kill_at)
        run_dir.mkdir()
        record = {
            take: replace(deliver(run_dir, take, outputs=2), stem=stem, label=f"{take}_t01")
            for take, stem in stems.items()
        }
        KNIFE.left = kill_at
        try:
            named_anew(run_dir, record)
            is_whole = True
        except Killed:
            is_whole = False
            there = {path.read_bytes() for path in (run_dir / "clips").iterdir()}
            assert {f"{take}#{index}".encode() for take in stems for index in (0, 1)} <= there
            named_anew(run_dir, record)
        finally:
            KNIFE.left = None
        for take, stem in stems.items():
            assert record[take].file == f"clips/{stem}.mp4"
            found = read_sidecar((run_dir / f"clips/{stem}.json").read_bytes(), take=take, stem=stem)
            assert found is not None
            assert (found.request_id, found.about["label"]) == (f"req-{take}", f"{take}_t01")
            for landed in found.outputs:
                assert (run_dir / "clips" / landed.file).read_bytes() == f"{take}#{landed.index}".encode()
        # A sidecar of the old name may stay, which names no file that is there; or a second name of a clip on its way.
        clips = {path.name for path in (run_dir / "clips").glob("*.mp4") if "+moving" not in path.name}
        assert clips == {f"{stem}{end}" for stem in stems.values() for end in (".mp4", "+2.mp4")}
        if is_whole:
            assert kill_at > 10
            return


def test_a_name_that_differs_in_case_alone_goes_by_the_third_name(tmp_path: Path) -> None:
    """Where a system ignores case, the new name is the clip itself, and would be removed as its second name."""
    clip, seen = replace(deliver(tmp_path, "a"), stem="A"), list[str]()
    assert rename_clips(tmp_path, [clip], told=lambda _, file: seen.append(file)) == ()
    assert seen == ["clips/A+moving.mp4", "clips/A.mp4"]
