"""Notices: which events are worth one, in which words, over which channels, and that no secret is shown."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runner.commands.steps.notices import Notices, RunProgress
from runner.domain.errors import DiskFailed, ExtraMissing, UsageError
from runner.domain.money import Charge, Spending
from runner.domain.notify_places import shown_place, shown_words
from runner.domain.run_ending import EndingKind
from runner.domain.run_events import Event, FactRecorded, Message, RunEnded, Topic
from runner.domain.states import (
    Delivered,
    DeliveryState,
    Ended,
    Fact,
    FailureClass,
    LostContact,
    Refused,
    TakeState,
)
from runner.notify.channels import Desktop
from runner.notify.notice import Notice, NoticeKind
from runner.notify.outbox import MOST_WAITING, Outbox
from runner.notify.places import channel_of
from runner.notify.ports import NotSent
from runner.notify.program import environment, words_of
from runner.system.clock import SystemClock
from tests.started import started

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "notice.schema.json").read_text("utf-8"))
ENVIRON = {"PATH": "/usr/bin:/bin"}
AT = 1_780_000_000.0
FAILED: Fact = Ended(TakeState.FAILED, "{}", failure=FailureClass.MODERATION, reason="turned down\x1b[2J")
HELD: Fact = LostContact("try-1", "sent", "the connection was closed")


def told(*events: Event, then: Callable[[Notices], None] = lambda _: None) -> list[Notice]:
    """Return the notices of a session with these events."""
    made: list[Callable[[], Notice]] = []
    progress = RunProgress({"delivered": 2, "held": 1}, Spending((Charge("a", None, 0.5),)))
    notices = Notices(made.append, SystemClock(), progress=lambda _: progress)
    for event in (started(total=3), *events):
        notices.on_event(event)
    then(notices)
    return [make() for make in made]


def recorded(fact: Fact, take_id: str = "a") -> FactRecorded:
    return FactRecorded(take_id, fact, AT, f"{take_id}_t01")


def ended(code: int, *, reason: str = "") -> RunEnded:
    place = Path("reports/board")
    return RunEnded(
        at=AT,
        run_dir=place,
        name="board",
        kind=EndingKind.FINISHED,
        reason=reason,
        exit_code=code,
        counts={TakeState.SUCCEEDED: 2, TakeState.HELD: 1},
        deliveries={DeliveryState.DELIVERED: 2},
        page=place / "report.html",
    )


# which events


def test_the_first_failure_and_the_first_held_take_are_worth_a_notice_and_further_ones_are_not() -> None:
    refused = Refused("try-2", FailureClass.INVALID_INPUT, "no such size")
    facts: list[Fact] = [FAILED, HELD, refused, HELD, Delivered("clips/a.mp4", "0" * 64, 9)]
    notices = told(*map(recorded, facts))
    assert [notice.event for notice in notices] == [NoticeKind.FAILED, NoticeKind.HELD]
    assert notices[0].text == "board: a failed moderation: turned down\\x1b[2J"


def test_the_cost_and_each_end_of_an_outage_are_worth_a_notice_and_remarks_are_not() -> None:
    messages = [Message("a remark"), Message("$2.00 is spent", Topic.COST)]
    messages += [Message("no usable answer", Topic.OUTAGE)]
    messages += [Message("the API answers again", Topic.OUTAGE_OVER)]
    found = [(notice.event, notice.text) for notice in told(*messages)]
    assert found == [
        ("cost", "board: $2.00 is spent"),
        ("outage", "board: no usable answer"),
        ("outage-over", "board: the API answers again"),
    ]


def test_the_end_names_counts_and_exit_code_and_is_as_its_schema_says() -> None:
    (notice,) = told(ended(4, reason="three answers were lost"))
    assert (
        notice.text == "board: ended with exit code 4: 2 delivered · 1 held; stopped: three answers were lost"
    )
    found = json.loads(notice.to_json())
    Draft202012Validator(SCHEMA).validate(found)
    assert (found["counts"], found["spent_usd"], found["exit"]) == ({"delivered": 2, "held": 1}, 0.5, 4)
    assert Path(found["page"]) == Path("reports/board/report.html").absolute()


def test_a_session_that_an_error_ends_is_worth_a_notice_unless_its_end_was_one() -> None:
    error = DiskFailed("state.db: no space left")
    (notice,) = told(then=lambda notices: notices.ended_by(error))
    assert (notice.exit_code, notice.text) == (
        74,
        "board: ended with an error (exit code 74): state.db: no space left",
    )
    (bug,) = told(then=lambda notices: notices.ended_by(ValueError("quotes a secret")))
    assert bug.text == "board: ended with an error (exit code 70): ValueError"
    assert len(told(ended(0), then=lambda notices: notices.ended_by(error))) == 1


def test_a_run_that_a_signal_stopped_waits_less_for_its_notices() -> None:
    patience: list[float] = []
    for code in (0, 143):
        told(ended(code), then=lambda notices: patience.append(notices.patience))
    assert patience[0] > patience[1]


# secrets


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("bell", "bell"),
        ("https://hooks.example.com/T0/SECRET?x=1", "https://hooks.example.com/…"),
        ("HTTPS://me:SECRET@ntfy.example.com:8443/SECRET", "HTTPS://ntfy.example.com:8443/…"),
        ("https://example.com?key=SECRET", "https://example.com/…"),
        ("https://example.com/", "https://example.com/"),
        ("http://[::1]:8080/SECRET", "http://[::1]:8080/…"),
        ("slack://SECRET/SECRET/SECRET", "slack://…"),
        ("cmd:curl -d @- 'https://example.com/SECRET'", "cmd:curl -d @- 'https://example.com/…'"),
    ],
)
def test_of_an_address_only_its_host_is_shown_also_in_a_command_line(where: str, shown: str) -> None:
    assert shown_place(where) == shown
    words = ["run", "https://example.com/board", "--notify", where, f"--notify={where}", "--yes"]
    expected = ["run", "https://example.com/board", "--notify", shown, f"--notify={shown}", "--yes"]
    assert shown_words(words) == expected


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("https://hooks.example.com/…", "shortened"),
        ("http://hooks.example.com/SECRET", "plain http"),
        ("https://me:SECRET@example.com/SECRET", "login"),
        ("https://-/SECRET", "not a usable address"),
        ("https://example.com:SECRET/", "not a usable address"),
        ("mail", "no channel"),
        ("cmd:", "empty"),
        ("cmd:'curl", "split"),
        ("cmd:no-such-program SECRET", "no program no-such-program"),
    ],
)
def test_what_cannot_work_is_refused_without_a_secret(where: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        channel_of(where, environ=ENVIRON, terminal=None)
    assert "SECRET" not in f"{caught.value.message} {caught.value.advice}"


@pytest.mark.skipif(importlib.util.find_spec("apprise") is not None, reason="apprise is installed")
def test_an_address_of_apprise_names_the_extra_that_installs_it() -> None:
    with pytest.raises(ExtraMissing, match="slack://…") as caught:
        channel_of("slack://SECRET/SECRET", environ=ENVIRON, terminal=None)
    assert caught.value.advice == "pip install 'shotrunner[notify]'"


def test_a_program_gets_no_token_under_any_name() -> None:
    environ = {
        **ENVIRON,
        "RUNCOMFY_API_TOKEN": "rc-0123456789",
        "COPY": "Bearer rc-0123456789",
        "HOME": "/root",
    }
    assert environment(environ) == {**ENVIRON, "HOME": "/root"}


def test_words_are_split_as_a_shell_splits_them_and_nothing_is_expanded() -> None:
    found = words_of("sh -c 'cp \"$1\" /mnt' $HOME *", flag="--on-delivered", environ=ENVIRON)
    assert found == ("sh", "-c", 'cp "$1" /mnt', "$HOME", "*")


def test_a_channel_that_is_not_there_says_so() -> None:
    assert channel_of("bell", environ=ENVIRON, terminal=None).absence
    assert not channel_of("bell", environ=ENVIRON, terminal=2).absence
    assert Desktop({}, find=lambda _: None).absence
    assert not Desktop({}, find=lambda name: name if name == "osascript" else None).absence


# sending

NOTICE = Notice(event=NoticeKind.COST, at=AT, run="board", run_dir=Path("board"), text="board: a notice")


class Fake:
    """A channel that notes what it sends; `trouble` is raised instead."""

    name, absence = "fake", ""

    def __init__(self, trouble: Exception | None = None, *, gate: threading.Event | None = None) -> None:
        self.sent: list[Notice] = []
        self._trouble, self._gate = trouble, gate

    def send(self, notice: Notice) -> None:
        if self._gate is not None:
            self._gate.wait()
        if self._trouble is not None:
            raise self._trouble
        self.sent.append(notice)


def test_a_channel_that_fails_is_reported_once_and_the_others_get_their_notices() -> None:
    good, refused, broken = Fake(), Fake(NotSent("HTTP 404")), Fake(ValueError("quotes a secret"))
    outbox = Outbox([refused, broken, good])
    for _ in range(2):
        outbox.post(lambda: NOTICE)
    assert outbox.close() == (
        "2 notices not sent to fake: HTTP 404",
        "2 notices not sent to fake: ValueError",
    )
    assert good.sent == [NOTICE, NOTICE]


def test_of_more_notices_than_may_wait_the_newest_are_sent_and_a_slow_channel_keeps_no_one() -> None:
    gate = threading.Event()
    slow = Fake(gate=gate)
    outbox = Outbox([slow])
    for _ in range(MOST_WAITING + 5):
        outbox.post(lambda: NOTICE)
    (said,) = outbox.close(patience=0.0)
    gate.set()
    assert said.startswith(f"{MOST_WAITING + 5} notices not sent to fake: ")
    assert len(slow.sent) <= MOST_WAITING + 1
