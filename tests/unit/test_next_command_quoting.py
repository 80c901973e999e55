"""Commands to copy: flags stand where they are read, and a path is never taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.next_command import repeated, with_flags
from runner.system.escapes import path_word


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["run", "b"], ["run", "b", "--moved"]),
        (["run", "-y", "--", "-b"], ["run", "-y", "--moved", "--", "-b"]),
    ],
)
def test_a_flag_is_added_before_what_is_no_flag(words: list[str], made: list[str]) -> None:
    assert with_flags(words, "--moved") == made


def test_whoever_has_said_once_that_a_run_moved_is_done_with_it_but_a_file_of_that_name_stays() -> None:
    assert repeated(["run", "--moved", "--", "--moved"]) == "shotrunner run -- --moved"


def test_a_path_is_no_flag() -> None:
    assert (path_word(Path("-b.yaml")), path_word(Path("b.yaml"))) == ("./-b.yaml", "b.yaml")
