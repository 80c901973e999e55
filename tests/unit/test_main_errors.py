"""What a person reads when a command ends in an error: the thing, the next step, and where it goes on the command."""

from __future__ import annotations

import pytest

from runner.cli.main import tell
from runner.domain.errors import (
    ManifestInvalid,
    NoSuchHost,
    Position,
    Problem,
    ShotrunnerError,
    UsageError,
)

WORDS = ["run", "my board.yaml", "-y", "--moved", "--api-base", "https://api.exmaple.net"]


def told(error: ShotrunnerError, capsys: pytest.CaptureFixture[str]) -> list[str]:
    tell(error, WORDS)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_run_that_finds_no_host_ends_with_the_command_that_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To be copied as it stands; that the run was moved has been said, and needs not be said again."""
    assert told(NoSuchHost("no such host", advice="check the API base"), capsys) == [
        "shotrunner: no such host",
        "  → check the API base",
        "go on with: shotrunner run 'my board.yaml' -y --api-base https://api.exmaple.net",
    ]


def test_a_wrong_command_line_is_not_offered_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(UsageError("no such flag", advice="see --help"), capsys) == [
        "shotrunner: no such flag",
        "  → see --help",
    ]


def test_nothing_in_an_error_can_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(NoSuchHost("no \x1b[2J host", advice="look\nhere"), capsys)
    assert lines[:2] == ["shotrunner: no \\x1b[2J host", "  → look\\nhere"]
    assert len(lines) == 3


def test_an_invalid_manifest_ends_with_its_count_and_the_next_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = Problem(Position("board.csv", 1, 2, "B1"), "header", "the column\x1b[2J is not known")
    lines = told(ManifestInvalid([problem], advice="shotrunner import board.csv"), capsys)
    assert lines == [
        "board.csv:1:2 (cell B1): header: the column\\x1b[2J is not known",
        "shotrunner: 1 problem in the manifest; nothing was submitted",
        "  → shotrunner import board.csv",
    ]
