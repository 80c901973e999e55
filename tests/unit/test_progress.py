"""Progress: every fact is said, in the words of the chosen voice, and no stream can stop the run."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import termios
from dataclasses import replace
from pathlib import Path
from typing import TextIO, cast, get_args

import pytest

from runner.domain.limits import Limits
from runner.domain.money import Charge, Spending
from runner.domain.orders import CancelTakes, Order, Pause, Reload, Resume, Tune
from runner.domain.run_events import Event, FactRecorded, Message, RunStarted, Steered
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
    DeliveryState,
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
from runner.output.live_counts import LiveCounts
from runner.output.progress import BarProgress, Kind, PlainProgress, make_progress
from runner.output.progress_text import head_line, sentence, standing_after, steered_line
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
    (LostContact("a1", "sent", "reset"), "held  reset; it may have been charged"),
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
    """A clock that stands still until a test moves it on."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> float:
        return 1_780_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


class BrokenStream(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, f"broken pipe before {len(text)} characters")

    def flush(self) -> None:
        raise BrokenPipeError(32, "broken pipe")


def _told(fact: Fact, take: str = "s010", *, at: float = 1_780_000_001.5) -> FactRecorded:
    return FactRecorded(take, fact, at)


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
    with _bar_of(stream, started(total=total, done=done)) as progress:
        for event in events:
            progress.on_event(event)
    return stream.getvalue().rstrip("\n").rpartition("\r")[2].rstrip()


def _bar_of(stream: TextIO, beginning: RunStarted) -> BarProgress:
    return BarProgress(SafeStream(stream), started=beginning, clock=Noon(), tick=None)


def test_the_table_has_every_fact() -> None:
    assert {type(fact) for fact, _ in FACTS} == set(get_args(Fact))


@pytest.mark.parametrize(("fact", "said"), FACTS, ids=lambda part: type(part).__name__)
def test_each_fact_is_said_in_one_plain_line(fact: Fact, said: str) -> None:
    assert sentence(fact) == said
    assert _heard("plain", _told(fact)) == (f"2026-05-28T20:26:41Z  s010  {said}\n" if said else "")


@pytest.mark.parametrize("fact", [fact for fact, _ in FACTS], ids=lambda fact: type(fact).__name__)
def test_a_fact_leaves_a_take_where_the_table_of_states_says(fact: Fact) -> None:
    if isinstance(fact, StateFact):
        state = next(state for state, kind in TRANSITIONS if kind is type(fact))
        reached = TRANSITIONS[state, type(fact)]
        assert standing_after(fact) in {target.value for target in reached}
    else:
        assert standing_after(fact) in {None, "fetching", "delivered", "undeliverable", "succeeded"}


def test_what_the_run_says_reaches_every_voice() -> None:
    said = Message("the service is silent\x1b")
    assert _heard("plain", said) == "2026-05-28T20:26:40Z  the service is silent\\x1b\n"
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
    with _bar_of(stream, started(total=3)) as progress:
        progress.on_event(_told(Accepted("a1", "r1"), "s010"))
        progress.on_event(_told(Accepted("a2", "r2"), "s020"))
        progress.on_event(_told(Started(), "s020"))
        progress.on_event(_told(Undeliverable("naïve"), "s030"))
    text = raw.getvalue().decode("ascii")
    assert "1 undeliverable, 1 queued, 1 running, 00:00" in text
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
    assert line.startswith("6/14 |")
    assert line.endswith("| 1 done · 1 held · 1 queued · $0.30 · 00:00")


def test_a_take_is_counted_once_and_given_back_when_it_goes_again() -> None:
    once = (_told(SUCCESS), _told(FetchStarted("u")), _told(Delivered("clips/s010.mp4", "cd", 1)))
    assert _bar(*once, total=3).startswith("1/3 ")
    failed = _told(Refused("a1", FailureClass.REFUSED, "no"))
    assert _bar(failed, total=3).startswith("1/3 ")
    assert _bar(failed, _told(RetryRequested("ann")), total=3).startswith("0/3 ")


def test_a_pipe_hears_every_five_minutes_how_far_the_run_is() -> None:
    clock, stream = Noon(), io.StringIO()
    with PlainProgress(SafeStream(stream), started=BEGINNING, clock=clock, tick=None) as progress:
        for second in range(601):
            clock.now = float(second)
            if second % 10 == 9:
                progress.on_event(_told(SubmissionStarted("a", "f", 1), f"s{second}", at=clock.wall()))
                progress.on_event(_told(Accepted("a", "r"), f"s{second}", at=clock.wall()))
            if second % 10 == 9 and second > 40:
                progress.on_event(_told(replace(SUCCESS, cost=0.125), f"s{second - 40}", at=clock.wall()))
            progress.on_tick()
    beats = [line for line in stream.getvalue().splitlines() if "still running" in line]
    assert beats == [
        f"{time}Z  still running: {ended} of 500 takes · {ended} done · 3 failed · 2 held · 4 queued · ${usd}"
        f" · finish {when}"
        for time, ended, usd, when in (
            ("2026-05-28T20:31:40", 41, "48.25", "about 21:52–21:53 UTC"),
            ("2026-05-28T20:36:40", 71, "52.00", "about 21:49–21:51 UTC"),
        )
    ]


def test_the_bar_never_runs_past_its_end() -> None:
    events = [_told(Delivered("f", "cd", 1), f"s{number}") for number in range(5)]
    assert _bar(*events, total=3, done=2).startswith("3/3 ")


def test_what_needs_a_person_stays_above_the_bar() -> None:
    shown = _heard("bar", _told(Accepted("a1", "r1")), _told(LostContact("a1", "sent", "reset")))
    assert "s010  held  reset; it may have been charged\n" in shown
    assert "submitted" not in shown


def _ordered(order: Order, *, changed: bool = True, says: tuple[str, ...] = ()) -> Steered:
    return Steered(order, f"ann{EVIL}", 1_780_000_001.0, changed, says)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (Pause(), "paused by "),
        (Resume(), "resumed by "),
        (Tune(jobs=8), "tuned by "),
        (CancelTakes(("a",)), "cancel asked by "),
        (Reload("0" * 64, 1.5), "reloaded by "),
    ],
)
def test_an_order_is_said_with_who_gave_it(order: Order, said: str) -> None:
    shown = steered_line(_ordered(order, says=(f"its jobs go on{EVIL}", "two")))
    assert shown.startswith(f"{said}ann\\x1b")
    assert "\x1b" not in shown
    assert shown.endswith("; two")
    assert "changed nothing, asked by ann" in steered_line(_ordered(order, changed=False))


def test_a_pause_is_seen_until_the_resume() -> None:
    for kind in ("bar", "plain"):
        assert "paused by ann" in _heard(kind, _ordered(Pause()))
    assert _bar(_ordered(Pause())).endswith("· paused · 00:00")
    assert "paused" not in _bar(_ordered(Pause()), _ordered(Resume()))
    after_reload = replace(started(total=2), paused=True)
    assert LiveCounts(after_reload).is_paused
    assert "paused" not in _bar(_ordered(Pause(), changed=False))


BEGINNING = RunStarted(
    at=1_780_000_000.0,
    run_dir=Path("reports/overnight"),
    name="overnight",
    total=500,
    done=15,
    simulated=True,
    jobs=8,
    limits=Limits(max_cost=52.0),
    counts={TakeState.SUCCEEDED: 15, TakeState.FAILED: 3, TakeState.HELD: 2, TakeState.PENDING: 580},
    deliveries={DeliveryState.DELIVERED: 15},
    spending=Spending((Charge("s1", 0.2, 0.25, times=180), Charge("s2", 0.63))),
)
"""A later session of a run of 600 takes, about 500 of them."""


def test_the_line_above_the_bar_says_which_run_this_is() -> None:
    head = (
        "overnight (simulated) · 500 of 600 takes, 15 done · 8 jobs · $45.63 of --max-cost $52.00"
        " · reports/overnight"
    )
    assert head_line(BEGINNING) == head
    assert _heard("plain", BEGINNING) == f"2026-05-28T20:26:40Z  {head}\n"
    short = "overnight (simulated) · 500 of 600 takes, 15 done · $45.63 of --max-cost $52.00"
    assert head_line(BEGINNING, width=85) == short
    assert head_line(BEGINNING, width=70) == "overnight (simulated) · 500 of 600 takes, 15 done"
    assert head_line(BEGINNING, width=40) == "overnight (simulated)"


WIDTHS = {
    120: "95/500 |#9        | 95 done, 3 failed, 2 held, 8 running, $55.00, about TIME, 00:00",
    80: "95/500 |#9        | 95 done, 3 failed, 2 held, $55.00, about TIME",
    60: "95/500, 3 failed, 2 held, $55.00, about TIME",
    36: "95/500, 3 failed, 2 held",
}


@pytest.mark.parametrize("columns", WIDTHS)
def test_parts_that_do_not_fit_are_left_out_whole(columns: int) -> None:
    """Counts are those of the whole run, in a session that is about a part of it."""
    clock = Noon()
    ours, theirs = _terminal(columns)
    with (
        os.fdopen(theirs, "w", encoding="ascii") as stream,
        BarProgress(SafeStream(stream), started=BEGINNING, clock=clock, tick=None) as progress,
    ):
        progress.on_event(BEGINNING)
        for number in range(88):
            progress.on_event(_told(SubmissionStarted("a", "f", 1), f"s{number}"))
            progress.on_event(_told(Accepted("a", "r"), f"s{number}"))
            progress.on_event(_told(Started(), f"s{number}"))
            if number >= 8:
                clock.now += 9.0
                success = replace(SUCCESS, cost=0.125)
                progress.on_event(_told(success, f"s{number - 8}", at=clock.wall()))
    last = _all_of(ours).rstrip().rpartition("\r")[2].rstrip()
    assert re.sub("about [0-9:-]+", "about TIME", last) == WIDTHS[columns]


@pytest.mark.parametrize("columns", [0, 60, 200])
def test_the_bar_is_drawn_on_a_terminal_of_any_width(columns: int) -> None:
    """A terminal that says it has no columns at all, as in some containers, still shows the bar."""
    ours, theirs = _terminal(columns)
    with (
        os.fdopen(theirs, "w", encoding="utf-8") as stream,
        _bar_of(stream, started(total=14, done=4)) as progress,
    ):
        progress.on_event(_told(Accepted("a1", "r1")))
    last = _all_of(ours).rpartition("4/14 |")[2]
    assert "1 queued" in last


def _terminal(columns: int) -> tuple[int, int]:
    """Return both ends of a terminal, the one to read from first."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def _all_of(terminal: int) -> str:
    """Return what was written to a terminal whose other end is closed."""
    chunks = []
    with os.fdopen(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        # Linux ends a terminal with an error instead of an empty read.
        while chunk := stream.read(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode()
