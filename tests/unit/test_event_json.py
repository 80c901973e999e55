"""Events for programs: every fact is one line that the published schema describes, in words that stay."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from runner.domain.errors import ManifestInvalid, Position, Problem, UsageError
from runner.domain.orders import Tune, order_as_json
from runner.domain.rates import Rate
from runner.domain.run_ending import EndingKind
from runner.domain.run_events import Event, FactRecorded, Message, RunEnded, Steered, Topic
from runner.domain.states import Accepted, Checked, Ended, Fact, FailureClass, RefusedForNow, TakeState
from runner.output.event_json import FACT_EVENTS, JsonEvents
from runner.output.safe_stream import SafeStream
from tests.started import started
from tests.unit.test_progress import FACTS, SUCCESS, BrokenStream, Noon

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "events.schema.json").read_text("utf-8"))
VALID = Draft202012Validator(SCHEMA)


def _heard(*events: Event) -> list[dict[str, object]]:
    stream = io.StringIO()
    lines = JsonEvents(SafeStream(stream), clock=Noon())
    for event in events:
        lines.on_event(event)
    return _lines(stream)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    assert stream.getvalue().isascii()
    found = [json.loads(line, parse_constant=pytest.fail) for line in stream.getvalue().splitlines()]
    for line in found:
        VALID.validate(line)
    return found


def _told(fact: Fact, label: str = "s010_t01") -> FactRecorded:
    return FactRecorded("s010", fact, 1_780_000_001.5, label)


@pytest.mark.parametrize("fact", [fact for fact, _ in FACTS], ids=lambda fact: type(fact).__name__)
def test_each_fact_is_one_line_with_all_its_fields(fact: Fact) -> None:
    (found,) = _heard(_told(fact))
    names = {"at": "2026-05-28T20:26:41.500Z", "take": "s010", "label": "s010_t01", "shot": "s010"}
    assert found.items() >= names.items()
    renamed = {"cost": "cost_usd", "failure": "class"}
    fields = {renamed.get(name, name) for name in fact.__slots__}
    assert set(found) - names.keys() - {"event", "state"} == fields


def test_every_fact_has_a_word_of_its_own_that_schema_and_page_name() -> None:
    assert set(FACT_EVENTS) == set(get_args(Fact))
    assert set(FACT_EVENTS.values()) == set(SCHEMA["$defs"]["take"]["properties"]["event"]["enum"])
    page = (ROOT / "docs" / "machines.md").read_text("utf-8")
    assert [word for word in FACT_EVENTS.values() if f"`{word}`" not in page] == []


def test_what_the_api_answered_is_json_within_the_line() -> None:
    ended = Ended(TakeState.SUCCEEDED, '{"output": {"video": "v"}}')
    assert _heard(_told(ended))[0]["result"] == {"output": {"video": "v"}}
    flags = _heard(_told(Checked("ab", '{"width": 320}', (("size", "small"),))))[0]
    assert (flags["probe"], flags["flags"]) == ({"width": 320}, [{"kind": "size", "text": "small"}])


@pytest.mark.parametrize("text", ["<html>", '{"cost": NaN}', "[1e999]", "[" * 100_000, "9" * 10_000])
def test_an_answer_that_no_line_can_hold_stays_text(text: str) -> None:
    assert _heard(_told(Ended(TakeState.FAILED, text)))[0]["result"] == text


def test_a_line_has_only_numbers_that_json_has() -> None:
    lost = Ended(TakeState.FAILED, "{}", failure=FailureClass.MISSING, cost=float("nan"))
    assert _heard(_told(lost))[0]["cost_usd"] is None
    for odd in (float("inf"), 1e300):
        _heard(_told(RefusedForNow("a", "429", odd)))


def test_a_take_without_a_short_name_has_no_shot() -> None:
    assert _heard(_told(SUCCESS, label=""))[0].keys().isdisjoint({"label", "shot"})
    assert _heard(_told(SUCCESS, label="a_t1_t02~1"))[0]["shot"] == "a_t1"


def test_a_session_begins_and_ends_in_the_same_words() -> None:
    end = RunEnded(
        1.0,
        Path("r"),
        "board",
        EndingKind.LIMIT,
        "--max-cost",
        3,
        counts={TakeState.PENDING: 2},
        page=Path("p"),
    )
    begun, said, ended = _heard(started(total=3, done=1), Message("slow\x1b", Topic.OUTAGE), end)
    assert (begun["event"], begun["takes"], begun["done"]) == ("run.started", 3, 1)
    assert (said["event"], said["topic"], said["text"]) == ("message", "outage", "slow\x1b")
    assert (ended["event"], ended["ending"], ended["exit"]) == ("run.ended", "limit", 3)
    assert (ended["counts"], ended["page"], ended.get("next")) == (
        {"pending": 2},
        str(Path.cwd() / "p"),
        None,
    )


def test_an_order_is_one_line_with_what_was_asked_and_what_became_of_it() -> None:
    tune = Tune(jobs=8, rates={"": Rate(10, "min"), "x/y": None})
    (found,) = _heard(Steered(tune, "ann\x1b", 1_780_000_001.5, changed=True, says=("8 jobs",)))
    assert found == {
        "event": "run.steered",
        "at": "2026-05-28T20:26:41.500Z",
        "order": order_as_json(tune),
        "by": "ann\x1b",
        "changed": True,
        "says": ["8 jobs"],
    }


def test_an_error_is_an_end_without_the_words_of_a_library() -> None:
    stream = io.StringIO()
    lines = JsonEvents(SafeStream(stream), clock=Noon())
    lines.end_by(ManifestInvalid([Problem(Position("b.yaml", 3), "model", "unknown")]))
    lines.end_by(UsageError("no", advice="yes"))
    lines.on_event(started(total=1))
    lines.end_by(ValueError("secret"))
    invalid, usage, _, bug = _lines(stream)
    assert invalid["problems"] == ["b.yaml:3: model: unknown"]
    assert (usage["ending"], usage["exit"], usage["advice"], usage["run"]) == ("error", 64, "yes", None)
    assert (bug["reason"], bug["exit"], bug["run"]) == ("ValueError", 70, "board")


@pytest.mark.parametrize("stream", [BrokenStream(), io.StringIO()], ids=["broken", "closed"])
def test_a_stream_that_is_gone_stops_nothing(stream: io.StringIO) -> None:
    if type(stream) is io.StringIO:
        stream.close()
    JsonEvents(SafeStream(stream), clock=Noon()).on_event(_told(Accepted("a", "r")))
