"""Completion in the shells themselves, where they are installed: what stands on the line after a press of Tab."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.command import command
from tests.integration.store_samples import make_take, new_state_file

TYPED = "shotrunner fetch my\\ run --only tag:h"
SHELLS = {"bash": ("bash", "--norc", "-i"), "zsh": ("zsh", "-f", "-i")}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a folder with the run `my run`, and the command by its plain name in `bin`."""
    (tmp_path / "my run").mkdir()
    new_state_file(tmp_path / "my run", [make_take("a")]).close()
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "shotrunner"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    script.chmod(0o755)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    python = os.pathsep.join(sys.path)
    return {"PATH": path, "HOME": str(place), "TERM": "dumb", "LC_ALL": "C.UTF-8", "PYTHONPATH": python}


def read_until(terminal: int, met: Callable[[str], bool]) -> str:
    """Return what a terminal shows once `met` is true of it, or what it shows after a minute."""
    shown, end = b"", time.monotonic() + 60
    with suppress(OSError):
        while not met(text := shown.decode("utf-8", "replace")) and time.monotonic() < end:
            if select.select([terminal], [], [], 1.0)[0]:
                shown += os.read(terminal, 4096)
    return text


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in SHELLS])
def test_a_tag_of_a_run_with_a_blank_in_its_name_is_completed(shell: str, place: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        SHELLS[shell], cwd=place, env=environment(place), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, f'eval "$(shotrunner completion {shell})"; echo REA""DY\n'.encode())
        assert "READY" in read_until(ours, lambda text: "READY" in text)
        os.write(ours, f"{TYPED}\t".encode())
        assert "tag:hero " in read_until(ours, lambda text: "tag:hero " in text)
        process.kill()
    os.close(ours)


@needs("fish")
@pytest.mark.parametrize(
    ("typed", "proposed"),
    [(TYPED, ["tag:hero"]), ("shotrunner rec", ["reconcile"]), ("shotrunner fetch my", ["my run/"])],
)
def test_fish_proposes_words_and_else_files(typed: str, proposed: list[str], place: Path) -> None:
    words = ("fish", "--no-config", "-c", 'shotrunner completion fish | source; complete -C "$argv"', typed)
    done = subprocess.run(
        words, cwd=place, env=environment(place), capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout.splitlines(), done.stderr) == (proposed, "")
