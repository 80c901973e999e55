"""Where a run lives never depends on where it is started from."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.commands.steps.known_jobs import second_places
from runner.commands.steps.open_run import new_header
from runner.domain.errors import FileMissing
from runner.domain.ids import folder_name
from runner.store.run_dir import STATE_FILE, default_run_dir, existing


@pytest.mark.parametrize(
    ("manifest", "simulated", "place"),
    [
        ("show/manifests/day1.yaml", False, "show/reports/day1"),
        ("show/manifests/day1.yaml", True, "show/reports/day1-simulated"),
        ("show/day1.csv", False, "show/reports/day1"),
    ],
)
def test_reports_lie_beside_a_folder_of_manifests_and_else_beside_the_manifest(
    tmp_path: Path, manifest: str, simulated: bool, place: str
) -> None:
    assert default_run_dir(tmp_path / manifest, name="day1", simulated=simulated) == tmp_path / place


def test_a_manifest_is_named_relative_to_its_run_so_that_a_tree_can_be_moved_whole(tmp_path: Path) -> None:
    from runner.store.run_dir import RunDir

    header = new_header(
        RunDir(tmp_path / "reports" / "day1"),
        tmp_path / "manifests" / "day1.yaml",
        name="day1",
        simulated=False,
        api_base="https://api.example",
    )
    assert header.manifest == "../../manifests/day1.yaml"


def test_the_paid_run_is_meant_before_the_simulated_one(tmp_path: Path) -> None:
    manifest = tmp_path / "day1.yaml"
    for kind in ("day1", "day1-simulated"):
        (tmp_path / "reports" / kind).mkdir(parents=True)
        (tmp_path / "reports" / kind / STATE_FILE).touch()
    assert existing(manifest, name="day1", kinds=(False, True)).path.name == "day1"
    assert existing(manifest, name="day1", kinds=(True,)).path.name == "day1-simulated"


def test_a_manifest_that_was_never_run_is_missing_with_the_command_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(FileMissing) as missing:
        existing(tmp_path / "day1.yaml", name="day1", kinds=(False, True))
    assert missing.value.advice == f"shotrunner run {tmp_path / 'day1.yaml'}"


@pytest.mark.parametrize(
    ("environ", "places"),
    [
        ({"HOME": "/home/ada"}, ["/home/ada/.local/state/shotrunner"]),
        ({"HOME": "/home/ada", "XDG_STATE_HOME": "/var/ada"}, ["/var/ada/shotrunner"]),
        ({"XDG_STATE_HOME": "/var/ada"}, ["/var/ada/shotrunner"]),
        ({"HOME": "/home/ada", "XDG_STATE_HOME": "state"}, ["/home/ada/.local/state/shotrunner"]),
        ({"HOME": "home"}, []),
        ({}, []),
    ],
)
def test_the_second_place_for_ids_is_the_users_own(environ: dict[str, str], places: list[str]) -> None:
    assert [str(place) for place in second_places(environ, Path("/nowhere/reports/day1"))] == places


def test_a_second_place_on_another_disk_comes_first(tmp_path: Path) -> None:
    """Linux keeps /proc on a file system of its own, and nothing is written to find that out."""
    if not Path("/proc").is_dir():
        pytest.skip("there is no second file system to look at")
    environ = {"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/proc"}
    there, here = Path("/proc/shotrunner"), tmp_path / "shotrunner"
    assert second_places(environ, tmp_path / "reports" / "day1") == (there, here)
    assert second_places(environ, Path("/proc/run")) == (here, there)


def test_a_manifests_accents_do_not_move_its_run() -> None:
    assert folder_name("Caf\u00e9") == folder_name("Cafe\u0301") == "Caf"


def test_a_run_that_an_older_version_named_by_the_loose_accent_goes_on_where_it_is(tmp_path: Path) -> None:
    older = tmp_path / "reports" / "Cafe"
    older.mkdir(parents=True)
    manifest = tmp_path / "Cafe\u0301.csv"
    assert default_run_dir(manifest, name="Caf", simulated=False) == tmp_path / "reports" / "Caf"
    (older / STATE_FILE).touch()
    assert default_run_dir(manifest, name="Caf", simulated=False) == older
    assert default_run_dir(manifest, name="day1", simulated=False) == tmp_path / "reports" / "day1"
