"""The wheel, in an environment of its own: what is shipped is what runs, from any folder."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.boards import REPOSITORY, copy_examples, is_whole_mp4
from tests.acceptance.command import Desk, new_desk
from tests.report_page import text_of

EXTRAS = {"av", "PIL", "pillow", "uvloop"}


def checked(*command: object) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    checked(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY)
    (wheel,) = folder.glob("shotrunner-*.whl")
    return wheel


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a desk whose command comes from the wheel alone, with this environment's packages but for the extras.

    The packages are links in a folder that a .pth file names. In such a folder .pth files are not followed, so
    an editable installation of this checkout cannot be found there.
    """
    home = tmp_path_factory.mktemp("clean")
    environment = home / "venv"
    checked(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    checked(
        *(
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ),
        *("--no-index", "--no-deps", wheel),
    )
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{home / 'dependencies'}\n")
    for name in ("dependencies", "extras"):
        (home / name).mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(("runner", "shotrunner", "__pycache__")):
            extra = package.name.partition(".")[0] in EXTRAS
            (home / ("extras" if extra else "dependencies") / package.name).symlink_to(package)
    desk = new_desk(home)
    return Desk(desk.folder, desk.environment, (str(environment / "bin" / "shotrunner"),))


@pytest.fixture
def clean(bare: Desk) -> Desk:
    """Return the same desk with the extras."""
    return bare.with_environment(PYTHONPATH=str(bare.folder.parent / "extras"))


def test_the_wheel_holds_everything_the_package_reads(wheel: Path) -> None:
    """Every schema, template, ready-made clip and starter of the checkout is inside, and no test."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    schemas = {
        f"runner/_schemas/{path.relative_to(REPOSITORY / 'schemas')}"
        for path in (REPOSITORY / "schemas").rglob("*.json")
    }
    package = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "runner").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(schemas) >= 3
    assert {Path(name).suffix for name in package} > {".py", ".mp4", ".yaml"}
    assert (schemas | package) - inside == set()
    assert not [name for name in inside if name.startswith("tests")]


def test_the_command_comes_from_the_wheel(clean: Desk) -> None:
    """The package that answers is the shipped one, not the checkout."""
    python = Path(clean.program[0]).with_name("python")
    told = (
        Desk(clean.folder, clean.environment, (str(python),))
        .run("-c", "import runner; print(runner.__file__)")
        .out
    )
    assert Path(told.strip()).is_relative_to(python.parents[1])


def test_the_installed_wheel_checks_and_runs_from_another_folder(clean: Desk) -> None:
    """Both bundled models, the embedded simulator and the report's template work where no checkout is."""
    copy_examples(clean.folder)
    away = clean.folder / "away"
    away.mkdir()
    there = Desk(away, clean.environment, clean.program)
    assert "14 takes" in there.run("check", "../manifests/storyboard.yaml").out
    there.run(
        "run",
        "../manifests/storyboard.yaml",
        "--simulate",
        "--speed",
        50,
        "--poll-interval",
        0.1,
        "--only",
        "s0[34]0",
    )
    place = clean.folder / "reports" / "paper-boat-simulated"
    clips = list((place / "clips").glob("*.mp4"))
    assert len(clips) == 2
    assert all(is_whole_mp4(clip) for clip in clips)
    assert "s030" in text_of(place / "report.html")
    assert there.run("init", "new.yaml").out.startswith("wrote new.yaml")
    assert "all valid" in there.run("check", "new.yaml").out


def test_without_the_extras_a_ready_made_clip_is_served_and_asyncios_own_loop_is_used(bare: Desk) -> None:
    """Where PyAV and Pillow are missing the simulator gives its small ready-made clip, and the run is whole."""
    board = copy_examples(bare.folder / "bare") / "storyboard.yaml"
    bare.run(
        "run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1, "--only", "s030", "--only", "s040"
    )
    clips = list((bare.folder / "bare" / "reports" / "paper-boat-simulated" / "clips").glob("*.mp4"))
    assert len({clip.read_bytes() for clip in clips}) == 1
    assert len(clips) == 2
    assert is_whole_mp4(clips[0])
