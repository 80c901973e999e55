"""Completion proposes what the table of commands knows, and the takes, tags and models of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.completion import proposals
from tests.integration.store_samples import S, drive, make_take, new_state_file


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["comp"], ["completion"]),
        (["run", "b.yaml", "--max-s"], ["--max-submits"]),
        (["run", "b.yaml", "--on-unknown", ""], ["hold", "pay-again", "stop"]),
        (["retry", "b.yaml", "--progress", "b"], ["bar"]),
        (["retry", "b.yaml", "--progress=b"], ["--progress=bar"]),
        (["export", "ot"], ["otio", "otioz"]),
        (["export", "otio", "b.yaml", "--fo"], ["--force"]),
        (["models", "pika/pikaf"], ["pika/pikaframes"]),
        (["run", "no such file", "--only", ""], []),
        (["run", "b.yaml", "--max-cost", ""], []),
    ],
    ids=" ".join,
)
def test_a_word_becomes_what_may_stand_there(typed: list[str], expected: list[str]) -> None:
    assert proposals(typed) == expected


def test_takes_and_tags_are_those_of_the_run(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a"), make_take("b")]) as state:
        drive(state, S.HELD, take_id="a")
    assert proposals(["fetch", str(tmp_path), "--only", "a"]) == ["a_t01"]
    assert proposals(["fetch", str(tmp_path), ""]) == ["a_t01", "b_t01"]
