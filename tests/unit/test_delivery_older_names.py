"""Files that an older program gave contested names end up with the takes that they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.records import TakeRecord
from runner.media.clips.restore_sidecars import contested, give_own_names
from runner.media.clips.sidecar import DeliveredFile, Sidecar, read_sidecar
from tests.unit.output_records import pending

FIRST, SECOND, OTHER = b"first of sc1", b"second of sc1", b"the clip of sc1.2"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def known(take: str, file: str, sha256: str) -> TakeRecord:
    return replace(pending(take), file=f"clips/{file}", sha256=sha256)


def lay_down(run_dir: Path, files: dict[str, bytes]) -> list[TakeRecord]:
    """Lay files down beside the sidecar that an older program wrote for `sc1`, and return both takes as recorded."""
    clips = run_dir / "clips"
    clips.mkdir()
    for name, data in files.items():
        (clips / name).write_bytes(data)
    outputs = (
        DeliveredFile(0, "sc1.mp4", digest(FIRST), len(FIRST)),
        DeliveredFile(1, "sc1.2.mp4", digest(SECOND), len(SECOND)),
    )
    (clips / "sc1.json").write_bytes(Sidecar("sc1", "req-1", outputs).to_bytes())
    return [known("sc1", "sc1.mp4", digest(FIRST)), known("sc1.2", "sc1.2.mp4", digest(OTHER))]


def settle(run_dir: Path, takes: Sequence[TakeRecord]) -> tuple[dict[str, bytes], list[str]]:
    """Return the clips afterwards, and which files the sidecar of `sc1` names."""
    clips = run_dir / "clips"
    for _ in range(2):
        give_own_names(run_dir, takes)
    sidecar = read_sidecar((clips / "sc1.json").read_bytes(), take="sc1")
    assert sidecar is not None
    films = {path.name: path.read_bytes() for path in clips.iterdir() if path.suffix == ".mp4"}
    return films, [landed.file for landed in sidecar.outputs]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            {"sc1.mp4": FIRST, "sc1.2.mp4": SECOND},
            {"sc1.mp4": FIRST, "sc1+2.mp4": SECOND},
            id="the second output has the name",
        ),
        pytest.param(
            {"sc1.mp4": FIRST, "sc1.2.mp4": OTHER},
            {"sc1.mp4": FIRST, "sc1.2.mp4": OTHER},
            id="the other take has its name",
        ),
        pytest.param(
            {"sc1.mp4": FIRST, "sc1.2.mp4": SECOND, "sc1.changed.2.mp4": OTHER},
            {"sc1.mp4": FIRST, "sc1+2.mp4": SECOND, "sc1.2.mp4": OTHER},
            id="the other's clip was moved aside as if it had been edited",
        ),
        pytest.param(
            {"sc1.mp4": FIRST, "sc1.2.mp4": SECOND, "sc1+2.mp4": SECOND},
            {"sc1.mp4": FIRST, "sc1+2.mp4": SECOND},
            id="a kill came between the copy and the sidecar",
        ),
        pytest.param(
            {"sc1.mp4": FIRST, "sc1.2.mp4": b"edited"},
            {"sc1.mp4": FIRST, "sc1.2.mp4": b"edited"},
            id="bytes that belong to neither stay",
        ),
        pytest.param({"sc1.mp4": FIRST}, {"sc1.mp4": FIRST}, id="the name is free"),
    ],
)
def test_each_file_has_the_name_of_its_own_take(
    before: dict[str, bytes], after: dict[str, bytes], tmp_path: Path
) -> None:
    films, named = settle(tmp_path, lay_down(tmp_path, before))
    assert films == after
    assert named == ["sc1.mp4", "sc1+2.mp4"]


def test_a_file_that_is_not_ours_keeps_the_new_name(tmp_path: Path) -> None:
    films = {"sc1.mp4": FIRST, "sc1.2.mp4": SECOND, "sc1+2.mp4": b"mine"}
    assert settle(tmp_path, lay_down(tmp_path, films)) == (films, ["sc1.mp4", "sc1.2.mp4"])


def test_two_takes_of_the_same_bytes_lose_neither(tmp_path: Path) -> None:
    takes = [*lay_down(tmp_path, {"sc1.mp4": FIRST, "sc1.2.mp4": SECOND})]
    films, _ = settle(tmp_path, [takes[0], known("sc1.2", "sc1.2.mp4", digest(SECOND))])
    assert films["sc1.2.mp4"] == SECOND


def test_without_a_contest_nothing_is_touched(tmp_path: Path) -> None:
    films = {"sc1.mp4": FIRST, "sc1.2.mp4": SECOND}
    takes = lay_down(tmp_path, films)
    assert settle(tmp_path, takes[:1]) == (films, ["sc1.mp4", "sc1.2.mp4"])


@pytest.mark.parametrize(
    ("takes", "owners"),
    [
        (["sc1", "sc1.2"], {"sc1"}),
        (["sc1", "sc1.x", "sc2", "sc10.2"], set()),
        (["s@seed=1", "s@seed=1.5", "s"], {"s@seed=1"}),
        (["sc1", "sc1.²"], set()),
    ],
)
def test_only_an_id_that_ends_in_a_number_can_be_an_output_of_another(
    takes: list[str], owners: set[str]
) -> None:
    assert contested(takes) == owners
