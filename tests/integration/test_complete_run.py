"""The same command again when nothing is left to do: nothing is written, and any change makes the whole flow look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runner import run_manifest
from runner.commands.run import run
from runner.commands.steps.complete_run import complete_run
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import RunSummary
from runner.manifest.reader import manifest_name
from runner.manifest.size_limits import LIMITS
from runner.plan.selection import Choice
from runner.store.reader import open_reader
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

BOARD = """version: 1
name: night
defaults: {model: pika/pika-2-2/image-to-video, inputs: {image: "https://example.com/a.jpg"}}
shots:
  - {id: a, inputs: {promptText: {file: words.txt}}}
  - {id: b, inputs: {promptText: rain, seed: 7}}
"""


@dataclass(frozen=True)
class Studio:
    """A board that was rendered, and the API that did it."""

    request: RunRequest
    first: RunSummary
    server: OutsideServer

    @property
    def board(self) -> Path:
        return self.request.manifest

    @property
    def home(self) -> Path:
        return self.first.run_dir


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    board = tmp_path / "board.yaml"
    board.write_text(BOARD, "utf-8")
    (tmp_path / "words.txt").write_text("a quiet street", "utf-8")
    with OutsideServer(Settings(service=0.01)) as server:
        environ = {
            "RUNCOMFY_MODEL_API_BASE": server.url,
            "RUNCOMFY_TOKEN": Settings().token,
            "HOME": str(tmp_path),
        }
        first = run_manifest(board, environ=environ)
        assert first.exit_code == 0
        yield Studio(RunRequest(board, environ=environ), first, server)


def test_the_same_command_writes_nothing_and_asks_nothing(studio: Studio) -> None:
    before = {path: path.stat().st_mtime_ns for path in studio.home.rglob("*")}
    asked = len(studio.server.arrivals())
    again = run(studio.request)
    assert {path: path.stat().st_mtime_ns for path in studio.home.rglob("*")} == before
    assert len(studio.server.arrivals()) == asked
    assert again == replace(studio.first, submitted=0)


def _edited(studio: Studio) -> RunRequest:
    studio.board.write_text(BOARD + "# a note\n", "utf-8")
    return studio.request


def _another_prompt(studio: Studio) -> RunRequest:
    (studio.board.parent / "words.txt").write_text("a loud street", "utf-8")
    return studio.request


def _prompt_gone(studio: Studio) -> RunRequest:
    (studio.board.parent / "words.txt").unlink()
    return studio.request


def _another_schema(studio: Studio) -> RunRequest:
    folder = studio.board.parent / "schemas" / "models" / "pika" / "pika-2-2"
    folder.mkdir(parents=True)
    own = Path(__file__).parents[2] / "schemas" / "models" / "pika" / "pika-2-2" / "image-to-video.json"
    (folder / own.name).write_bytes(own.read_bytes() + b"\n")
    return studio.request


def _clip_gone(studio: Studio) -> RunRequest:
    studio.first.clips[1].unlink()
    return studio.request


def _clip_cut(studio: Studio) -> RunRequest:
    studio.first.clips[0].write_bytes(b"short")
    return studio.request


def _report_gone(studio: Studio) -> RunRequest:
    (studio.home / "report.html").unlink()
    return studio.request


def _table_edited(studio: Studio) -> RunRequest:
    table = studio.home / "report.csv"
    table.write_bytes(table.read_bytes().replace(b"rain", b"snow"))
    return studio.request


CHANGES: dict[str, Callable[[Studio], RunRequest]] = {
    "the manifest was edited": _edited,
    "a prompt file was edited": _another_prompt,
    "a prompt file is gone": _prompt_gone,
    "a schema came before the bundled one": _another_schema,
    "a clip is gone": _clip_gone,
    "a clip is cut": _clip_cut,
    "a report is gone": _report_gone,
    "a report was edited": _table_edited,
    "only some takes are chosen": lambda studio: replace(studio.request, choice=Choice(only=("a",))),
    "less is allowed": lambda studio: replace(studio.request, manifest_limits=replace(LIMITS, takes=1)),
    "another API is meant": lambda studio: replace(studio.request, api_base="https://api.example.com"),
    "the token is in the manifest": lambda studio: replace(
        studio.request, environ={**studio.request.environ, "RUNCOMFY_TOKEN": "image-to-video"}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_makes_the_whole_flow_look(studio: Studio, change: Callable[[Studio], RunRequest]) -> None:
    assert complete_run(studio.request) is not None
    assert complete_run(change(studio)) is None


def test_a_copy_of_the_folder_is_not_taken_for_the_run(studio: Studio) -> None:
    elsewhere = studio.home.with_name("copy")
    elsewhere.mkdir()
    for path in studio.home.glob("*.*"):
        (elsewhere / path.name).write_bytes(path.read_bytes())
    assert complete_run(replace(studio.request, run_dir=elsewhere)) is None


def test_a_fact_that_was_recorded_since_ends_it(studio: Studio) -> None:
    studio.first.clips[1].unlink()
    again = run(studio.request)
    assert again.exit_code == 0
    with open_reader(studio.home / "state.db") as reader:
        assert [event.fact for event in reader.events("b")][-3:] == ["FileGone", "FetchStarted", "Delivered"]
    assert complete_run(studio.request) is not None


@pytest.mark.parametrize(
    ("text", "name"),
    {
        "version: 1\nname: night\nshots: []\n": "night",
        "shots: [{name: other}]\nname: 'night'\n": "night",
        "name: ~\n": "board",
        "name: 12\n": "12",
        "x: &n night\nname: *n\n": "night",
        "<<: {name: night}\n": "night",
        "name: no/id\n": "board",
        "[name, night]\n": "board",
        "name: [night]\n": "board",
        "shots: {\n": "board",
    }.items(),
)
def test_the_name_of_a_manifest_is_found_without_its_shots(tmp_path: Path, text: str, name: str) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(text, "utf-8")
    assert manifest_name(board) == name
