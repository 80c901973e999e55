"""A prompt that was forgotten in one row is told; a board that mixes rows with and without one is left alone."""

from __future__ import annotations

import pytest

from runner.manifest.reader import parse_manifest
from runner.models.registry import Models
from runner.plan.build import make_plan

MODEL = "pika/pika-2-2/image-to-video"


def warnings(prompts: list[str]) -> list[str]:
    rows = [f"s{n},{MODEL},https://example.com/a.jpg,{prompt},{n}" for n, prompt in enumerate(prompts)]
    board = "\n".join(("id,model,image,promptText,seed", *rows)).encode()
    reading = parse_manifest(board, file="m.csv", name="m")
    planned = make_plan(reading.manifest, reading.shots, models=Models.bundled())
    return [str(warning) for warning in planned.plan.warnings]


def test_a_single_row_without_a_prompt_is_told_at_its_place() -> None:
    assert warnings(["a cat", "a dog", "", "a cow", "a fox"]) == [
        f"m.csv:4:4 (cell D4): warning: inputs.promptText: 4 takes of {MODEL} have a prompt, and s2 has none"
    ]


def test_one_of_three_is_told_too() -> None:
    (warning,) = warnings(["a cat", "", "a dog"])
    assert warning.startswith("m.csv:3:4 (cell D3): warning: inputs.promptText: 2 takes of")


@pytest.mark.parametrize("prompts", [["a cat", ""], ["", ""], ["a cat", "a dog"], ["a cat", "", "", "a dog"]])
def test_a_board_that_mixes_both_or_has_one_kind_is_not_warned_of(prompts: list[str]) -> None:
    assert warnings(prompts) == []
