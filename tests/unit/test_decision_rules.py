"""What may be decided about which take, what a request id must not contradict, and how cancels and cases are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from runner.cli.parser import build_parser
from runner.cli.reconcile import case_lines
from runner.commands.cancel import CancelOutcome, cancel_jobs
from runner.commands.reconcile import HeldCase
from runner.commands.retry import retries
from runner.commands.steps.api_session import Found, identify, look_up, retry_transient, unanswered
from runner.commands.steps.open_for_decision import named
from runner.domain.api_answers import (
    CancelAnswer,
    FailureKind,
    JobStatus,
    LookAnswer,
    NotReady,
    RequestFailure,
    ResultAnswer,
    StatusReply,
)
from runner.domain.body_diff import contradiction
from runner.domain.display import window
from runner.domain.errors import AccountRefused, ServiceUnavailable, UsageError
from runner.domain.records import TakeRecord
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, Ended, FailureClass, SubmissionStarted, TakeState
from runner.engine.testing import MemoryJournal
from runner.plan.selection import Choice
from runner.system.canonical_json import JsonValue
from tests.unit.output_records import pending, queued, succeeded
from tests.virtual_time import VirtualClock, run_virtual

S = TakeState


def failed(take_id: str, failure: FailureClass = FailureClass.PROVIDER_FAILED) -> TakeRecord:
    return replace(queued(pending(take_id)), state=S.FAILED, failure=failure)


def at(state: TakeState) -> TakeRecord:
    return replace(pending("a"), state=state)


def planned(*takes: TakeRecord) -> dict[str, str]:
    return {take.take_id: take.fingerprint for take in takes}


# retry


def test_a_page_of_the_api_in_a_failed_job_s_record_keeps_no_take_from_a_retry() -> None:
    api = "https://api.example.com"
    take = replace(failed("a"), result=f'{{"status": "failed", "result": "{api}/v1/anything"}}')
    assert retries([take], planned=planned(take), names=["a"], origin=api).takes == (take,)
    with pytest.raises(UsageError, match="has an output"):
        retries([take], planned=planned(take), names=["a"], origin="https://other.example.com")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (S.HELD, "is held"),
        (S.SUBMITTING, "is held"),
        (S.SUCCEEDED, "has rendered"),
        (S.PENDING, "is not sent yet"),
        (S.QUEUED, "is still active"),
        (S.RUNNING, "is still active"),
        (S.DROPPED, "was given up"),
    ],
)
def test_only_failed_and_cancelled_takes_are_tried_again(state: TakeState, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        retries([at(state)], planned=planned(at(state)), names=["a"])


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELLED])
def test_a_failed_or_cancelled_take_may_be_tried_again(state: TakeState) -> None:
    assert retries([at(state)], planned=planned(at(state)), names=["a"]).takes == (at(state),)


def test_held_takes_are_sent_to_reconcile() -> None:
    with pytest.raises(UsageError) as raised:
        retries([at(S.HELD)], planned=planned(at(S.HELD)), names=["a"])
    assert "shotrunner reconcile" in raised.value.advice


def test_a_take_without_a_row_is_not_tried_again() -> None:
    """It would be recorded as pending, and no run would ever send it."""
    with pytest.raises(UsageError, match="no longer in the manifest"):
        retries([failed("a")], planned={}, names=["a"])


def test_moderated_takes_need_a_flag_unless_they_changed() -> None:
    take = failed("a", FailureClass.MODERATION)
    with pytest.raises(UsageError, match="moderation"):
        retries([take], planned=planned(take), names=["a"])
    assert retries([take], planned=planned(take), names=["a"], even_moderated=True).takes == (take,)
    assert retries([take], planned={"a": "another print"}, names=["a"]).takes == (take,)


def test_one_named_take_that_will_not_do_stops_all() -> None:
    takes = [failed("a"), at(S.HELD)]
    takes[1] = replace(takes[1], take_id="b")
    with pytest.raises(UsageError, match="b is held"):
        retries(takes, planned=planned(*takes), names=["a", "b"])


def test_a_pattern_takes_what_will_do_and_tells_what_not() -> None:
    takes = [failed("a1"), failed("a2", FailureClass.MODERATION), succeeded(pending("a3"))]
    chosen = retries(takes, planned=planned(*takes), choice=Choice(("a*",)))
    assert chosen.takes == (takes[0],)
    assert [text.split()[0] for text in chosen.left_out] == ["a2", "a3"]


def test_a_pattern_that_leaves_nothing_is_said() -> None:
    with pytest.raises(UsageError, match="no take that fits"):
        retries([at(S.SUCCEEDED)], planned=planned(at(S.SUCCEEDED)), choice=Choice(("a",)))


def test_takes_are_named_by_their_ids_or_labels_once_each() -> None:
    takes = [replace(failed(f"s010@seed={n}"), shot_id="s010", number=n) for n in (1, 2)]
    assert named(takes, ["s010@seed=2", "s010_t02", "s010@seed=2"]) == (takes[1],)
    with pytest.raises(UsageError) as raised:
        named(takes, ["s01@seed=1"])
    assert "s010@seed=1" in raised.value.advice


def test_the_id_of_a_shot_is_not_taken_for_all_its_takes_where_it_may_cost() -> None:
    takes = [replace(failed(f"s010@seed={n}"), shot_id="s010", number=n) for n in (1, 2)]
    with pytest.raises(UsageError, match="there is no take 's010'") as raised:
        named(takes, ["s010"])
    assert (
        raised.value.advice == "it is a shot, with the takes s010_t01, s010_t02; --only s010 chooses them all"
    )


# adopt

SENT: Mapping[str, JsonValue] = {"promptText": "A boat", "seed": 7, "image": "https://a.example/1.jpg"}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"model_id": "pika/pikaframes", "input": dict(SENT)}, ""),
        ({}, ""),
        ({"input": None, "model_id": 7}, ""),
        ({"input": {"promptText": "A boat", "seed": "7"}}, ""),
        ({"input": {**SENT, "image": "https://elsewhere.example/kept.jpg"}}, ""),
        ({"model_id": "other/model"}, "model is other/model"),
        ({"input": {**SENT, "promptText": "A car"}}, "promptText differs"),
        ({"input": {**SENT, "seed": 8}}, "seed differs"),
    ],
    ids=["same", "silent", "odd", "as text", "re-hosted", "model", "prompt", "seed"],
)
def test_a_record_that_contradicts_the_take_is_another_job(record: dict[str, Any], told: str) -> None:
    assert contradiction("pika/pikaframes", json.dumps(SENT), json.dumps(record)) == told


@pytest.mark.parametrize("text", ["", "nothing", "[1]", "7"])
def test_a_record_that_cannot_be_read_contradicts_nothing(text: str) -> None:
    assert contradiction("pika/pikaframes", json.dumps(SENT), text) == ""


# talking to the API

AWAY = RequestFailure(FailureKind.TRANSIENT, "away")
UNKNOWN = RequestFailure(FailureKind.MISSING, "unknown id")
CANCELLED = Ended(S.CANCELLED, "{}")
RENDERED = Ended(S.SUCCEEDED, "{}", ("https://files.example/1.mp4",))


class Answers:
    """A queue that gives prepared answers, the last one for ever, and keeps what was asked."""

    def __init__(
        self,
        *,
        looks: Sequence[LookAnswer] = (),
        results: Sequence[ResultAnswer] = (),
        cancels: Sequence[CancelAnswer | RequestFailure] = (),
        probes: Sequence[RequestFailure | None] = (),
    ) -> None:
        named = {"look": looks, "result": results, "cancel": cancels, "probe": probes}
        self._answers: dict[str, list[Any]] = {name: list(answers) for name, answers in named.items()}
        self.asked: list[str] = []

    def _next(self, what: str) -> Any:  # noqa: ANN401 - each route has its own kind
        self.asked.append(what)
        answers = self._answers[what]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Callable[..., Any]) -> Any:  # noqa: ANN401
        raise AssertionError((ticket, attempt, begin))

    async def look(self, request_id: str) -> LookAnswer:
        assert request_id == "req-a"
        return self._next("look")  # type: ignore[no-any-return]

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> ResultAnswer:  # noqa: ARG002 - whose it is
        assert request_id == "req-a"
        return self._next("result")  # type: ignore[no-any-return]

    async def cancel(self, request_id: str) -> CancelAnswer | RequestFailure:
        assert request_id == "req-a"
        return self._next("cancel")  # type: ignore[no-any-return]

    async def probe(self, model: str) -> RequestFailure | None:  # noqa: ARG002 - whose it is
        return self._next("probe")  # type: ignore[no-any-return]


def asked(*answers: LookAnswer) -> tuple[LookAnswer | RequestFailure, int]:
    """Insist on a look that is answered so; return the answer and how often it was asked."""
    queue = Answers(looks=answers)
    found = run_virtual(
        retry_transient(lambda: queue.look("req-a"), clock=VirtualClock(), chance=lambda: 0.5)
    )
    return found, len(queue.asked)


def test_a_question_is_repeated_three_times_at_most() -> None:
    seen = StatusReply(JobStatus.QUEUED, "in_queue")
    assert asked(AWAY, AWAY, seen) == (seen, 3)
    assert asked(AWAY) == (AWAY, 3)


@pytest.mark.parametrize(
    "trouble",
    [
        UNKNOWN,
        RequestFailure(FailureKind.ACCOUNT, "no"),
        RequestFailure(FailureKind.THROTTLED, "later", 600.0),
    ],
    ids=["unknown", "account", "too long a wait"],
)
def test_what_waiting_cannot_cure_is_asked_once(trouble: RequestFailure) -> None:
    assert asked(trouble) == (trouble, 1)


def test_the_result_alone_decides_an_ended_job() -> None:
    ended = StatusReply(JobStatus.ENDED, "completed")
    answers: list[tuple[ResultAnswer, Found]] = [
        (RENDERED, RENDERED),
        (NotReady("in_progress"), ended),
        (AWAY, AWAY),
    ]
    for result, found in answers:
        queue = Answers(looks=[ended], results=[result])
        assert run_virtual(look_up(queue, "req-a", clock=VirtualClock())) == found


def test_an_unanswered_question_says_what_to_do_next() -> None:
    assert isinstance(unanswered(RequestFailure(FailureKind.ACCOUNT, "no")), AccountRefused)
    assert isinstance(unanswered(AWAY), ServiceUnavailable)


# cancel

QUEUED, RUNNING = StatusReply(JobStatus.QUEUED, "in_queue"), StatusReply(JobStatus.RUNNING, "in_progress")
OVER = StatusReply(JobStatus.ENDED, "completed")


def cancelled(queue: Answers, *, recorded: bool = True) -> tuple[CancelOutcome, MemoryJournal]:
    """Cancel one job that is out there."""
    journal = MemoryJournal(["a"])
    for fact in (SubmissionStarted("try", "print", 1), Accepted("try", "req-a")):
        journal.record("a", fact, at=0.0).result()
    clock = VirtualClock()
    wish = cancel_jobs(queue, [queued(pending("a"))], journal if recorded else None, by="ada", clock=clock)
    (outcome,) = run_virtual(wish)
    return outcome, journal


@pytest.mark.parametrize(
    ("cancels", "looks", "results", "stopped", "says", "state"),
    [
        (CancelAnswer("cancelled"), OVER, CANCELLED, True, "confirmed", S.CANCELLED),
        (CancelAnswer("cancelled"), QUEUED, CANCELLED, True, "does not say so yet", S.QUEUED),
        (CancelAnswer("not_cancellable"), RUNNING, CANCELLED, False, "goes on and is billed", S.QUEUED),
        (CancelAnswer("not_cancellable"), OVER, RENDERED, False, "had rendered already", S.SUCCEEDED),
        (CancelAnswer("cancelled"), OVER, RENDERED, False, "had rendered already", S.SUCCEEDED),
        (CancelAnswer("not_cancellable"), OVER, Ended(S.FAILED, "{}"), True, "had failed", S.FAILED),
        (CancelAnswer("perhaps\x1b"), RUNNING, CANCELLED, False, "perhaps\\x1b", S.QUEUED),
    ],
    ids=["confirmed", "unconfirmed", "runs", "had rendered", "word was wrong", "had failed", "new word"],
)
def test_the_result_is_believed_and_not_the_word(
    cancels: CancelAnswer, looks: StatusReply, results: Ended, stopped: bool, says: str, state: TakeState
) -> None:
    outcome, journal = cancelled(Answers(cancels=[cancels], looks=[looks], results=[results]))
    assert (outcome.word, outcome.stopped) == (cancels.outcome, stopped)
    assert says in outcome.says
    assert journal.state_of("a")[0] is state
    assert "CancelRequested" in journal.kinds("a")


def test_a_cancel_that_did_not_arrive_is_not_recorded() -> None:
    outcome, journal = cancelled(Answers(cancels=[UNKNOWN]))
    assert (outcome.word, outcome.stopped) == ("", False)
    assert "unknown id" in outcome.says
    assert journal.kinds("a") == ["SubmissionStarted", "Accepted"]


def test_while_a_runner_works_nothing_is_recorded() -> None:
    queue = Answers(cancels=[CancelAnswer("cancelled")], looks=[OVER], results=[CANCELLED])
    outcome, journal = cancelled(queue, recorded=False)
    assert outcome.stopped
    assert journal.kinds("a") == ["SubmissionStarted", "Accepted"]


NOT_YOURS = RequestFailure(FailureKind.ACCOUNT, "not yours (403001)")


def test_a_refused_account_stops_the_cancelling() -> None:
    with pytest.raises(AccountRefused):
        cancelled(Answers(cancels=[NOT_YOURS], probes=[NOT_YOURS]))


@pytest.mark.parametrize("free", [None, AWAY])
def test_a_cancel_that_is_refused_alone_is_told_of_its_take(free: RequestFailure | None) -> None:
    outcome, journal = cancelled(Answers(cancels=[NOT_YOURS], probes=[free]))
    assert (outcome.word, outcome.stopped) == ("", False)
    assert outcome.says == "the API did not take it: not yours (403001)"
    assert journal.kinds("a") == ["SubmissionStarted", "Accepted"]


def test_an_id_that_the_api_refuses_to_speak_of_is_not_called_a_wrong_token() -> None:
    queue = Answers(looks=[NOT_YOURS], probes=[None])
    with pytest.raises(UsageError, match=r"refuses to say what request req-a is: not yours \(403001\)"):
        run_virtual(identify(queue, "req-a", model="m", clock=VirtualClock()))
    refused = Answers(looks=[NOT_YOURS], probes=[NOT_YOURS])
    assert run_virtual(identify(refused, "req-a", model="m", clock=VirtualClock())) == NOT_YOURS


# what a person is shown

CASE = HeldCase(
    take_id="s010@seed=7",
    label="s010_t02",
    model="pika/pikaframes",
    state=S.HELD,
    attempt=1,
    started_at=1_780_000_000.0,
    ended_at=1_780_000_002.0,
    milestone="sent",
    reason="the connection was closed",
    evidence="HTTP/1.1 5\x1b[2J",
    prompt="A boat. " * 20,
    inputs={"seed": 7, "image": "https://example.com/a.jpg"},
    fingerprint="ab" * 32,
)


def test_a_held_case_has_all_that_is_needed_to_decide() -> None:
    text = "\n".join(case_lines(CASE, ["reconcile", "my board.csv"]))
    for part in (
        "pika/pikaframes",
        "the whole request had left",
        "the connection was closed",
        "seed=7",
        "https://example.com/a.jpg",
        "abababababab",
        "on the provider's site",
        "shotrunner reconcile 'my board.csv' adopt s010@seed=7 REQUEST_ID",
        "shotrunner reconcile 'my board.csv' not-sent s010@seed=7",
        "shotrunner reconcile 'my board.csv' drop s010@seed=7",
    ):
        assert part in text
    assert "ab" * 7 not in text
    assert "A boat. " * 11 not in text


@pytest.mark.parametrize(
    ("candidates", "command"),
    [
        (("3f2a",), "adopt s010@seed=7 3f2a"),
        (("a/b=;x",), "adopt s010@seed=7 'a/b=;x'"),
        (("-x",), "adopt s010@seed=7 -- -x"),
        (("one", "two"), "adopt s010@seed=7 REQUEST_ID"),
    ],
)
def test_an_id_that_came_back_is_proposed_and_where_several_did_none(
    candidates: tuple[str, ...], command: str
) -> None:
    text = "\n".join(case_lines(replace(CASE, candidates=candidates), ["reconcile", "b"]))
    assert f"shotrunner reconcile b {command}" in text
    assert ", ".join(candidates) in text


def test_what_a_server_sent_cannot_steer_the_terminal() -> None:
    text = "\n".join(case_lines(CASE, ["reconcile", "b"]))
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (None, None, "unknown"),
        (0.0, 5.0, "1970-01-01 02:00:00 to 02:00:05 (UTC+02:00)"),
        (0.0, 86400.0, "1970-01-01 02:00:00 to 1970-01-02 02:00:00 (UTC+02:00)"),
        (0.0, None, "1970-01-01 02:00:00 or later (UTC+02:00)"),
    ],
)
def test_a_window_is_told_in_local_time(start: float | None, end: float | None, told: str) -> None:
    assert window(start, end, timezone(timedelta(hours=2))) == told
    assert window(0.0, 1.0, UTC).endswith("(UTC+00:00)")


# the command line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reconcile b", {"decision": None, "simulate": False}),
        ("reconcile b --simulate adopt t r", {"decision": "adopt", "simulate": True, "request_id": "r"}),
        ("reconcile b adopt t r --simulate", {"take": "t", "simulate": True}),
        ("reconcile b not-sent --all", {"all": True, "takes": []}),
        ("reconcile b drop t u", {"takes": ["t", "u"]}),
        ("retry b --simulate t u -j 2", {"takes": ["t", "u"], "jobs": 2}),
        ("cancel b --all", {"all": True, "takes": []}),
        ("fetch b --simulate t", {"takes": ["t"]}),
        ("fetch b", {"takes": []}),
    ],
)
def test_flags_may_stand_anywhere(line: str, expected: dict[str, object]) -> None:
    arguments = vars(build_parser().parse_args(line.split()))
    assert {name: arguments[name] for name in expected} == expected
