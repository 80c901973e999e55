"""What `status` and `show` print."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.domain import display
from runner.domain.clip_checks import Flag, FlagKind, Probe
from runner.domain.money import Charge, Spending
from runner.domain.records import AttemptRecord, EventRecord
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.output.failure_kinds import FailureKind
from runner.output.status_text import HELD_SHOWN, status_lines, take_lines
from tests.unit.output_records import NOW, delivered, header, pending, queued

HELD = replace(pending("s030"), state=TakeState.HELD, attempts=1, reason="connection reset")
ATTEMPT = AttemptRecord(
    "a1", "s010", 1, 3, "ab", NOW - 100, None, None, None, {"milestone": "sent", "empty": ""}
)
EVENT = EventRecord(
    4, NOW, "s010", "Accepted", {"attempt": "a1", "request_id": "r1", "result": "{}"}, "submitting", "queued"
)


def test_status_counts_takes_and_their_clips() -> None:
    counts = {TakeState.SUCCEEDED: 4, TakeState.QUEUED: 2, TakeState.FAILED: 1, TakeState.HELD: 0}
    deliveries = {DeliveryState.DELIVERED: 2, DeliveryState.UNDELIVERABLE: 1, DeliveryState.NONE: 1}
    assert status_lines(header(), counts, deliveries, simulated=False, held=[]) == [
        "teaser",
        "7 takes: 2 delivered · 1 succeeded · 1 undeliverable · 2 queued · 1 failed",
    ]


def test_a_reader_may_count_the_clips_of_all_takes() -> None:
    """`none` is also where takes stand that have not rendered, so it is never added up."""
    counts = {TakeState.SUCCEEDED: 1, TakeState.PENDING: 8}
    lines = status_lines(header(), counts, {DeliveryState.NONE: 9}, simulated=False, held=[])
    assert lines[1] == "9 takes: 1 succeeded · 8 pending"


def test_status_of_an_empty_run() -> None:
    assert status_lines(header(), {}, {}, simulated=False, held=[]) == ["teaser", "no takes yet"]


def test_status_says_that_a_run_is_simulated() -> None:
    assert status_lines(header(), {}, {}, simulated=True, held=[])[0] == "teaser (simulated, nothing is paid)"


def test_flagged_clips_are_named_with_what_is_odd() -> None:
    """A label that says more than the id stands first, and no text steers the terminal."""
    flags = (Flag(FlagKind.BLACK, "black \x1b[31mthroughout"), Flag(FlagKind.SIZE, "320×180 instead of 720p"))
    odd = replace(delivered(pending("s010@seed=4")), shot_id="s010", number=2, flags=flags)
    shown = status_lines(header(), {TakeState.SUCCEEDED: 1}, {}, simulated=False, held=[], flagged=[odd])
    assert shown[-2].startswith("1 clip flagged")
    assert shown[-1].startswith("  s010_t02 black")
    assert shown[-1].endswith("; 320×180 instead of 720p (s010@seed=4)")
    assert "\x1b" not in shown[-1]


def test_what_was_measured_of_a_clip_is_one_line() -> None:
    probe = Probe("mp4", "h264", 1280, 720, 5.0, 24.0, 120, "", is_decoded=True)
    shown = "\n".join(take_lines(replace(delivered(pending("a")), probe=probe), [], []))
    assert "h264, 1280×720, 5 s, 24 frames/s, no sound" in shown


def test_held_takes_are_named_with_what_to_do() -> None:
    """They stand before what failed, and are listed once."""
    kinds = [
        FailureKind("moderation", ("s010",), ("s010_t01",), "Change it.", "shotrunner run b.yaml"),
        FailureKind("held", ("s030",), ("s030_t01",), "Decide.", "shotrunner reconcile b.yaml"),
    ]
    held = {TakeState.HELD: 1}
    lines = status_lines(header(), held, {}, simulated=False, held=[HELD], failures=kinds)
    busy = status_lines(header(), held, {}, simulated=False, held=[HELD], failures=kinds, in_use=True)
    assert busy == [line.replace("→", "→ when it has ended:") for line in lines]
    assert lines[2:] == [
        "",
        "1 take held: the answer to the submission was lost.",
        "  s030 (pika/pikaframes): connection reset",
        "  Decide.",
        "  → shotrunner reconcile b.yaml",
        "",
        "1 moderation: s010_t01",
        "  Change it.",
        "  → shotrunner run b.yaml",
    ]


def test_who_runs_it_stands_below_the_name_and_the_pace_below_the_money() -> None:
    spent = Spending((Charge("s010", cost=0.3),))
    lines = status_lines(
        header(), {}, {}, simulated=False, held=[], spending=spent, activity=["running"], remarks=["3 left"]
    )
    assert lines == ["teaser", "running", "no takes yet", "spent $0.30", "3 left"]


def test_a_long_list_of_held_takes_is_cut_and_says_so() -> None:
    lines = status_lines(header(), {TakeState.HELD: 50}, {}, simulated=False, held=[HELD] * 50)
    assert sum("s030" in line for line in lines) == HELD_SHOWN
    assert "  and 30 more" in lines


def test_a_take_is_shown_with_its_result_and_inputs() -> None:
    lines = take_lines(replace(delivered(pending()), point={"seed": 1000}, tags=("hero",)), [], [])
    assert lines[0] == "s010  delivered"
    for line in (
        "  shot         s010",
        "  sweep        seed=1000",
        "  tags         hero",
        "  request      req-s010",
        "  submitted    2026-05-28 20:25:00 UTC",
        "  finished     2026-05-28 20:25:40 UTC (40 s)",
        "  cost         $0.30",
        "  clip         clips/s010.mp4, 31 kB",
        "  output       https://cdn.example.com/out/s010.mp4",
    ):
        assert line in lines
    assert lines[lines.index("inputs as sent") + 1 :] == [
        "  duration    5",
        "  promptText  A hand lifts the glasses",
        "  seed        1000",
    ]


def test_a_failure_stands_in_the_first_line() -> None:
    failed = replace(
        queued(pending()), state=TakeState.FAILED, failure=FailureClass.MODERATION, reason="a hat"
    )
    assert take_lines(failed, [], [])[0] == "s010  failed  moderation: a hat"


def test_a_held_take_is_shown_with_what_to_do() -> None:
    assert take_lines(HELD, [], [])[1] == f"  {display.HELD_ADVICE}"


def test_a_cost_is_unknown_only_where_something_may_have_been_billed() -> None:
    assert "  cost         unknown" in take_lines(queued(pending()), [], [])
    assert not [line for line in take_lines(pending(), [], []) if line.startswith("  cost")]


def test_attempts_and_history_are_told_in_order() -> None:
    closed = replace(ATTEMPT, number=2, outcome="Accepted", request_id="r1", evidence={})
    lines = take_lines(queued(pending()), [ATTEMPT, closed], [EVENT])
    first = lines.index("attempts")
    assert lines[first + 1 : first + 4] == [
        "  1  2026-05-28 20:25:00 UTC  open: its outcome is not known",
        "     milestone: sent",
        "  2  2026-05-28 20:25:00 UTC  Accepted  req r1",
    ]
    assert lines[lines.index("history") + 1] == (
        "  2026-05-28 20:26:40 UTC  Accepted  submitting → queued  attempt: a1  request_id: r1"
    )


def test_what_a_server_sent_back_is_shown_whole_to_those_who_ask_and_cannot_steer_the_terminal() -> None:
    body = "<html>\n" + "\x1b[2J" + "x" * 5000
    event = replace(EVENT, fact="Refused", details={"reason": "no", "evidence": body})
    lines = take_lines(pending(), [], [event], whole=True)
    at = lines.index("sent back with Refused, 2026-05-28 20:26:40 UTC")
    assert lines[at + 1 :] == ["<html>", "\\x1b[2J" + "x" * 5000]
    assert not any("x" * 300 in line for line in take_lines(pending(), [], [event]))


@pytest.mark.parametrize(
    "place", ["take_id", "shot_id", "model", "reason", "notes", "request_id", "file", "sha256"]
)
def test_no_text_from_outside_steers_the_terminal(place: str) -> None:
    evil = "\x1b]0;x\x07\u202e\n"
    record = replace(queued(pending()), state=TakeState.HELD, outputs=(evil,), **{place: evil})  # type: ignore[arg-type]
    attempt = replace(ATTEMPT, outcome=evil, request_id=evil, evidence={evil: evil})
    event = replace(EVENT, fact=evil, before=evil, details={evil: [evil]})
    lines = [
        *take_lines(record, [attempt], [event]),
        *status_lines(header(name=evil), {}, {}, simulated=False, held=[record]),
    ]
    assert not [line for line in lines if set(line) & set(evil) - set("]0;x")]
    assert any("\\x1b" in line for line in lines)
