"""Lines of a result on a terminal."""

from __future__ import annotations

from runner.cli.terminal import fitted


def test_a_line_is_broken_between_its_counts_and_at_blanks() -> None:
    counts = "150 takes: 21 delivered · 1 held · 5 failed"
    assert fitted([counts], 36) == ["150 takes: 21 delivered · 1 held ·", "    5 failed"]
    assert fitted(["  a long sentence"], 12) == ["  a long", "    sentence"]
    assert fitted([counts, ""], 80) == [counts, ""]


def test_a_command_to_copy_is_one_line() -> None:
    command = "  → shotrunner run storyboard.yaml --simulate"
    assert fitted([command], 20) == [command]
