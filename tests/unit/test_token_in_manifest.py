"""A token in a manifest is refused by its place, and repeated nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.commands.check import check
from runner.domain.errors import ManifestInvalid
from runner.domain.token_leaks import tokens_in
from runner.simulator.settings import SimulatorSettings

TOKEN = "Canary7f3c9aQz+/secret"
ENVIRON = {"RUNCOMFY_TOKEN": TOKEN}
SHOT = "- {id: s010, model: pika/pika-2-2/image-to-video, inputs: {image: 'https://example.com/a.jpg', promptText: %s}}"


def board(prompt: str = "p", head: str = "", tail: str = "") -> str:
    return f"version: 1\n{head}shots:\n{SHOT % json.dumps(prompt)}\n{tail}"


BOARDS = {
    "as an input": (board(TOKEN), 3),
    "in a prompt": (board(f"a cat, {TOKEN} and a dog"), 3),
    "as a variable": (board("{{ a }}", f"vars: {{a: '{TOKEN}'}}\n"), 2),
    "as a note": (board("p", "", f"  # {TOKEN}\n"), 4),
    "as a header": (board("p", f"Authorization: Bearer {TOKEN}\n"), 2),
    "as an unknown field": (board("p", f"token: {TOKEN}\n"), 2),
    "put together": (board("{{ a }}{{ b }}", f"vars: {{a: '{TOKEN[:9]}', b: '{TOKEN[9:]}'}}\n"), 4),
}


@pytest.mark.parametrize("name", BOARDS)
def test_the_place_is_named_and_the_token_is_not(name: str, tmp_path: Path) -> None:
    text, line = BOARDS[name]
    path = tmp_path / "board.yaml"
    path.write_text(text)
    with pytest.raises(ManifestInvalid) as refused:
        check(path, environ=ENVIRON)
    said = [str(problem) for problem in refused.value.problems]
    assert len(said) == 1
    assert said[0].startswith(f"{path}:{line}:")
    assert "holds the API token" in said[0]
    assert TOKEN[:6] not in said[0] + refused.value.message


def test_a_token_in_a_column_or_a_prompt_file_is_found(tmp_path: Path) -> None:
    table = tmp_path / "board.csv"
    table.write_text(
        f"id,model,image,promptText\ns010,pika/pika-2-2/image-to-video,https://e.example/a.jpg,{TOKEN}\n"
    )
    (tmp_path / "p.txt").write_text(f"a cat {TOKEN}")
    prompted = tmp_path / "board.yaml"
    prompted.write_text(board().replace('"p"', "{file: p.txt}"))
    for path in (table, prompted):
        with pytest.raises(ManifestInvalid) as refused:
            check(path, environ=ENVIRON)
        assert TOKEN[:6] not in "".join(map(str, refused.value.problems))


def test_a_header_with_a_bearer_is_refused_without_knowing_the_token(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(board("Authorization: Bearer 0123456789abcdefghij"))
    with pytest.raises(ManifestInvalid) as refused:
        check(path, environ={})
    assert "looks like an API token" in str(refused.value.problems[0])
    assert "0123456789" not in str(refused.value.problems[0])


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"RUNCOMFY_TOKEN": "short"},
        {"RUNCOMFY_API_KEY": "promptText"},
        {"RUNCOMFY_TOKEN": "another-token"},
        {"RUNCOMFY_TOKEN": SimulatorSettings().token or ""},
    ],
)
def test_a_board_without_a_token_is_none(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(board("a short bearer of simulated news"))
    assert len(check(path, environ=environ).takes) == 1


@pytest.mark.parametrize("decorated", [TOKEN, f"Bearer {TOKEN}", f'"{TOKEN}"', f" 'Bearer {TOKEN}'\n"])
def test_a_token_of_the_environment_is_known_without_its_decoration(decorated: str) -> None:
    assert tokens_in({"RUNCOMFY_API_TOKEN": decorated}) == (TOKEN,)
