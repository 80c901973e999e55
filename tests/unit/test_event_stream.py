"""`--progress json` on standard error: nothing but events, and the end comes last, however the command ends."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from runner.cli.event_stream import EventStream, command_in, with_events
from runner.domain.errors import CannotCreate, FileMissing
from runner.domain.run_ending import EndingKind
from runner.domain.run_events import Message, RunEnded
from runner.system.escapes import command_line

JSON = Namespace(progress="json", output="pretty")


def _declined(events: EventStream) -> int:
    events.on_event(Message("from the engine"))
    print("  a remark", file=sys.stderr)
    print("  → shotrunner retry board", file=sys.stderr)
    print("Go on? ", end="", file=sys.stderr, flush=True)
    events.on_event(RunEnded(0.0, Path("r"), "board", EndingKind.FINISHED, "", 0))
    return 3


def test_all_that_is_printed_is_a_message_and_the_end_comes_last() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream):
        assert with_events(JSON, _declined) == 3
        assert sys.stderr is stream
    *said, end = map(json.loads, stream.getvalue().splitlines())
    assert [line["text"] for line in said] == ["from the engine", "a remark", "Go on?"]
    assert (end["event"], end["ending"], end["exit"]) == ("run.ended", "declined", 3)


def _fails(_events: EventStream) -> int:
    raise FileMissing("no such file")


def test_an_error_is_the_end_and_is_reported_once() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream):
        assert with_events(JSON, _fails) == 66
    (end,) = map(json.loads, stream.getvalue().splitlines())
    assert (end["event"], end["reason"], end["exit"]) == ("run.ended", "no such file", 66)


def test_an_error_is_the_result_too_where_that_is_asked_for_as_json() -> None:
    with redirect_stderr(io.StringIO()), pytest.raises(FileMissing):
        with_events(Namespace(progress="json", output="json"), _fails)


def test_a_file_gets_the_events_and_leaves_standard_error_to_people(tmp_path: Path) -> None:
    file, stream = tmp_path / "events.jsonl", io.StringIO()
    file.write_text("earlier\n")
    with redirect_stderr(stream):
        assert with_events(Namespace(progress=f"json:{file}", output="pretty"), _declined) == 3
        with pytest.raises(FileMissing):
            with_events(Namespace(progress=f"json:{file}", output="pretty"), _fails)
    assert "a remark\n" in stream.getvalue()
    first, *events = file.read_text().splitlines()
    found = [json.loads(line) for line in events]
    assert first == "earlier"
    assert [line["event"] for line in found] == ["message", "run.ended", "run.ended"]
    with pytest.raises(CannotCreate):
        with_events(Namespace(progress=f"json:{tmp_path}", output="pretty"), _declined)


def test_a_command_in_advice_is_the_words_that_a_shell_would_read() -> None:
    words = ["retry", "a folder", "--only", "status:failed", "it's"]
    line = command_line(*words)
    assert command_in(f"  → {line}") == command_in(f"go on with: {line}") == ["shotrunner", *words]
    assert command_in("1 failed. Run again.") == []
    hidden = command_line("run", "a\x1bb")
    assert command_in(f"  → {hidden}") == []
