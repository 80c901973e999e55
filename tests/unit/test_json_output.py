"""What programs get with `--output json` where a command ends without a result."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.cli.json_output import error_as_json, wants_json
from runner.cli.main import main
from runner.domain.errors import (
    FileMissing,
    FlagRequired,
    ManifestInvalid,
    NoSuchHost,
    Position,
    Problem,
    ProxyRefused,
    ShotrunnerError,
)

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "error.schema.json").read_text("utf-8"))
WORDS = ["run", "my board.yaml", "--moved"]


def error_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return the error in a document, which the schema must describe."""
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    error: dict[str, Any] = found["error"]
    return error


@pytest.mark.parametrize(
    ("error", "next_words"),
    [
        (FileMissing("no run", advice="shotrunner run 'my board.yaml'"), [["run", "my board.yaml"]]),
        (FileMissing("no run", advice="see it with shotrunner status"), []),
        (NoSuchHost("no host", advice="check it"), [["run", "my board.yaml"]]),
        (ProxyRefused("no tunnel", advice="name another"), [["run", "my board.yaml"]]),
        (
            FlagRequired("moved", flag="--new-run", condition="if so", otherwise="else"),
            [[*WORDS, "--new-run"]],
        ),
    ],
    ids=["a command", "a sentence", "no host", "no tunnel", "a flag"],
)
def test_an_advice_that_is_a_command_is_given_as_its_words(
    error: ShotrunnerError, next_words: list[list[str]]
) -> None:
    found = error_of(error_as_json(error, WORDS))
    assert (found["code"], found["exit"]) == (error.code, error.exit_code)
    assert found["next"] == [["shotrunner", *words] for words in next_words]


def test_problems_of_a_manifest_are_values_with_their_places() -> None:
    problem = Problem(Position("board.csv", 1, 2, "B1"), "header", "not known", nearest="prompt")
    (found,) = error_of(error_as_json(ManifestInvalid([problem]), WORDS))["problems"]
    assert (found["line"], found["column"], found["cell"], found["nearest"]) == (1, 2, "B1", "prompt")


def test_every_class_of_error_has_a_code_of_the_schema() -> None:
    def codes(error: type[ShotrunnerError]) -> set[str]:
        return {error.code}.union(*map(codes, error.__subclasses__()))

    known = set(SCHEMA["properties"]["error"]["properties"]["code"]["enum"])
    assert codes(ShotrunnerError) | {"declined", "interrupted"} == known
    page = (ROOT / "docs" / "machines.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \| \d+ \|", page, re.MULTILINE)) == known


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["status", "nowhere", "--output", "json"], "file-missing", 66),
        (["status", "--output=json"], "usage", 64),
        (["status", "b", "--output", "json", "--token", "sk-secret"], "usage", 64),
    ],
    ids=["no file", "no command line", "a token"],
)
def test_an_error_is_one_object_on_standard_output(
    words: list[str], code: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == exit_code
    said = capsys.readouterr()
    assert (error_of(json.loads(said.out))["code"], said.err) == (code, "")
    assert "sk-secret" not in said.out


def test_the_last_output_before_a_lone_dash_counts() -> None:
    assert wants_json(["show", "--output", "pretty", "--output=json"])
    assert not wants_json(["show", "--output", "pretty", "--", "--output=json"])
