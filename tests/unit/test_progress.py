"""Progress: every fact is said, in the words of the chosen voice, and no stream can stop the run."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import termios
from typing import cast, get_args

import pytest

from runner.domain.run_events import Event, FactRecorded, Message
from runner.domain.states import (
    TRANSITIONS,
    Accepted,
    AccountTurnedAway,
    Adopted,
    AdoptionUndone,
    CancelRequested,
    Checked,
    ClipMoved,
    CostSeen,
    DeclaredNotSent,
    Delivered,
    Dropped,
    Ended,
    Fact,
    FailureClass,
    FetchStarted,
    FileGone,
    FoundAfterAll,
    KeptAsIs,
    LateAnswer,
    LostContact,
    NotSent,
    PayAgain,
    Refused,
    RefusedForNow,
    Renamed,
    Requeued,
    RetryRequested,
    Started,
    StateFact,
    SubmissionStarted,
    TakeState,
    Undeliverable,
    Vanished,
)
from runner.output.progress import BarProgress, Kind, make_progress
from runner.output.progress_text import sentence, standing_after
from runner.output.safe_stream import SafeStream
from tests.started import started

EVIL = "\x1b]0;x\x07\u202e\n"
SUCCESS = Ended(TakeState.SUCCEEDED, "{}", ("https://cdn.example.com/1.mp4",), cost=0.3, seconds=41.0)
FACTS: list[tuple[Fact, str]] = [
    (SubmissionStarted("a1", "ff", 1), ""),
    (Accepted("a1", "3f2a"), "submitted  req 3f2a"),
    (NotSent("a1", "no route"), "not sent  no route"),
    (
        RefusedForNow("a1", "429", 1_780_000_000.0),
        "refused for now  429, again after 2026-05-28 20:26:40 UTC",
    ),
    (Refused("a1", FailureClass.INVALID_INPUT, "bad seed"), "failed  invalid-input: bad seed"),
    (AccountTurnedAway("a1", FailureClass.NO_BALANCE, "empty"), "account refused  no-balance: empty"),
    (LostContact("a1", "sent", "reset"), "held  reset (sent); it may have been charged"),
    (Adopted("3f2a", "ann"), "adopted  req 3f2a by ann"),
    (AdoptionUndone("3f2a", "ann"), "held again  req 3f2a is not its job, says ann"),
    (
        AdoptionUndone("3f2a", "its record", "its model is x"),
        "held again  req 3f2a is not its job, says its record: its model is x",
    ),
    (DeclaredNotSent("ann", "looked"), "declared not sent by ann: looked"),
    (PayAgain("ann"), "will be submitted again, may be paid twice, accepted by ann"),
    (Dropped("ann"), "dropped by ann"),
    (Started(), "running"),
    (Requeued(), "queued again"),
    (SUCCESS, "succeeded  41 s  $0.30"),
    (
        Ended(TakeState.FAILED, "{}", failure=FailureClass.MODERATION, reason="hat", seconds=2.0),
        "failed  moderation: hat  2.0 s",
    ),
    (Ended(TakeState.CANCELLED, "{}"), "cancelled"),
    (Vanished(FailureClass.EXPIRED, "404"), "failed  expired: 404"),
    (FoundAfterAll("3f2a", "{}", ("https://cdn.example.com/1.mp4",), 0.3), "succeeded after all  $0.30"),
    (
        AccountTurnedAway("a1", FailureClass.REFUSED, "HTTP 405: the API base is probably wrong"),
        "turned away  HTTP 405: the API base is probably wrong",
    ),
    (RetryRequested("ann"), "will be submitted again, asked by ann"),
    (FetchStarted("https://cdn.example.com/1.mp4"), ""),
    (Delivered("clips/s010.mp4", "cd", 31_200), "delivered  clips/s010.mp4  31 kB"),
    (Undeliverable("403"), "undeliverable  403"),
    (FileGone("deleted"), "clip missing  deleted"),
    (CancelRequested("ann", "not_cancellable"), "cancel asked by ann: not_cancellable"),
    (CostSeen(0.25), "cost  $0.25"),
    (LateAnswer("a1", "late-1"), "late answer  req late-1; the take had been decided on"),
    (Renamed("s009", "renumbered"), "renamed  was s009: renumbered"),
    (ClipMoved("clips/s010.mp4"), "clip renamed  clips/s010.mp4"),
    (Checked("f" * 64, "{}"), "looked into"),
    (Checked("f" * 64, "{}", (("size", "320 by 180"),)), "flagged  320 by 180"),
    (KeptAsIs("ann", "f" * 64), "kept as it is by ann, though its row changed"),
]
KINDS = cast("list[Kind]", list(get_args(Kind)))


class Noon:
    """A clock that stands still."""

    def wall(self) -> float:
        return 1_780_000_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


class BrokenStream(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, f"broken pipe before {len(text)} characters")

    def flush(self) -> None:
        raise BrokenPipeError(32, "broken pipe")


def _told(fact: Fact, take: str = "s010") -> FactRecorded:
    return FactRecorded(take, fact, 1_780_000_001.5)


def _heard(kind: Kind, *events: Event, total: int = 3, done: int = 0) -> str:
    stream = io.StringIO()
    with make_progress(
        kind, stream=stream, started=started(total=total, done=done), clock=Noon()
    ) as progress:
        for event in events:
            progress.on_event(event)
    return stream.getvalue()


def _bar(*events: Event, total: int = 14, done: int = 0) -> str:
    """Return the last state of the bar."""
    stream = io.StringIO()
    with BarProgress(SafeStream(stream), total=total, done=done, tick=None) as progress:
        for event in events:
            progress.on_event(event)
    return stream.getvalue().rstrip("\n").rpartition("\r")[2]


def test_the_table_has_every_fact() -> None:
    assert {type(fact) for fact, _ in FACTS} == set(get_args(Fact))


@pytest.mark.parametrize(("fact", "said"), FACTS, ids=lambda part: type(part).__name__)
def test_each_fact_is_said_in_one_plain_line(fact: Fact, said: str) -> None:
    assert sentence(fact) == said
    assert _heard("plain", _told(fact)) == (f"s010  {said}\n" if said else "")


@pytest.mark.parametrize("fact", [fact for fact, _ in FACTS], ids=lambda fact: type(fact).__name__)
def test_a_fact_leaves_a_take_where_the_table_of_states_says(fact: Fact) -> None:
    if isinstance(fact, StateFact):
        state = next(state for state, kind in TRANSITIONS if kind is type(fact))
        reached = TRANSITIONS[state, type(fact)]
        assert standing_after(fact) in {target.value for target in reached}
    else:
        assert standing_after(fact) in {None, "fetching", "delivered", "undeliverable", "succeeded"}


@pytest.mark.parametrize("fact", [fact for fact, _ in FACTS], ids=lambda fact: type(fact).__name__)
def test_each_fact_is_one_json_line_with_all_its_fields(fact: Fact) -> None:
    line = _heard("json", _told(fact))
    assert line.count("\n") == 1
    found = json.loads(line)
    assert (found.pop("at"), found.pop("take"), found.pop("fact")) == (
        1_780_000_001.5,
        "s010",
        type(fact).__name__,
    )
    assert set(found) == set(fact.__slots__)


def test_json_says_numbers_that_json_has() -> None:
    line = _heard(
        "json", _told(Ended(TakeState.FAILED, "{}", failure=FailureClass.MISSING, cost=float("nan")))
    )
    found = json.loads(line, parse_constant=pytest.fail)
    assert (found["outcome"], found["failure"], found["cost"]) == ("failed", "missing", None)


def test_what_the_run_says_reaches_every_voice() -> None:
    said = Message("the service is silent\x1b")
    assert _heard("plain", said) == "the service is silent\\x1b\n"
    assert json.loads(_heard("json", said)) == {"at": 1_780_000_000.0, "said": "the service is silent\x1b"}
    assert "the service is silent\\x1b\n" in _heard("bar", said)
    assert _heard("none", said, *(_told(fact) for fact, _ in FACTS)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_from_outside_steers_the_terminal(kind: Kind) -> None:
    facts: list[Fact] = [
        Accepted(EVIL, EVIL),
        LostContact(EVIL, EVIL, EVIL, EVIL),
        Refused(EVIL, FailureClass.REFUSED, EVIL),
        Delivered(EVIL, EVIL, 1),
        Undeliverable(EVIL),
        Adopted(EVIL, EVIL),
        CancelRequested(EVIL, EVIL),
        Ended(TakeState.FAILED, EVIL, (EVIL,), FailureClass.NO_OUTPUT, EVIL),
    ]
    shown = _heard(kind, Message(EVIL), *(_told(fact, EVIL) for fact in facts))
    assert not re.search("[\x1b\x07\u202e]", shown.replace("\x1b[A", ""))


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_pipe_silences_the_progress_and_stops_nothing(kind: Kind) -> None:
    stream = BrokenStream()
    with make_progress(kind, stream=stream, started=started(total=30, done=0), clock=Noon()) as progress:
        for fact, _ in FACTS:
            progress.on_event(_told(fact))
        progress.on_event(Message("still here"))
    assert stream.getvalue() == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_stream_stops_nothing(kind: Kind) -> None:
    stream = io.StringIO()
    with make_progress(kind, stream=stream, started=started(total=30, done=0), clock=Noon()) as progress:
        stream.close()
        progress.on_event(_told(Started()))
    assert stream.closed


def test_a_stream_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with BarProgress(SafeStream(stream), total=3, done=0, tick=None) as progress:
        progress.on_event(_told(Accepted("a1", "r1"), "s010"))
        progress.on_event(_told(Started(), "s020"))
        progress.on_event(_told(Undeliverable("naïve"), "s030"))
    text = raw.getvalue().decode("ascii")
    assert "1 queued, 1 running, 1 undeliverable" in text
    assert "na\\xefve" in text


def test_the_bar_counts_what_has_ended_and_says_where_the_rest_stands() -> None:
    line = _bar(
        _told(Accepted("a1", "r1"), "s010"),
        _told(Accepted("a2", "r2"), "s020"),
        _told(SUCCESS, "s010"),
        _told(LostContact("a3", "sent", "reset"), "s030"),
        total=14,
        done=4,
    )
    assert line.startswith("5/14 |")
    assert ", 1 queued · 1 held, " in line


def test_a_take_is_counted_once_and_given_back_when_it_goes_again() -> None:
    once = (_told(SUCCESS), _told(FetchStarted("u")), _told(Delivered("clips/s010.mp4", "cd", 1)))
    assert _bar(*once, total=3).startswith("1/3 ")
    failed = _told(Refused("a1", FailureClass.REFUSED, "no"))
    assert _bar(failed, total=3).startswith("1/3 ")
    assert _bar(failed, _told(RetryRequested("ann")), total=3).startswith("0/3 ")


def test_the_bar_never_runs_past_its_end() -> None:
    events = [_told(Delivered("f", "cd", 1), f"s{number}") for number in range(5)]
    assert _bar(*events, total=3, done=2).startswith("3/3 ")


def test_what_needs_a_person_stays_above_the_bar() -> None:
    shown = _heard("bar", _told(Accepted("a1", "r1")), _told(LostContact("a1", "sent", "reset")))
    assert "s010  held  reset (sent); it may have been charged\n" in shown
    assert "submitted" not in shown


@pytest.mark.parametrize("columns", [0, 60, 200])
def test_the_bar_is_drawn_on_a_terminal_of_any_width(columns: int) -> None:
    """A terminal that says it has no columns at all, as in some containers, still shows the bar."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with (
        os.fdopen(theirs, "w", encoding="utf-8") as stream,
        BarProgress(SafeStream(stream), total=14, done=4, tick=None) as progress,
    ):
        progress.on_event(_told(Accepted("a1", "r1")))
    last = _all_of(ours).rpartition("4/14 |")[2]
    assert "1 queued" in last


def _all_of(terminal: int) -> str:
    """Return what was written to a terminal whose other end is closed."""
    chunks = []
    with os.fdopen(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        # Linux ends a terminal with an error instead of an empty read.
        while chunk := stream.read(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode()
