"""The whole table of a submit: every milestone, exception class, status and kind of body has one of our outcomes.

What is expected stands here a second time, written from the payment protocol and not from the classifier's own tables.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import get_args

import httpx
import pytest

from runner.api.classify import sort_cancel, sort_look, sort_probe, sort_submit
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import Deadlines
from runner.api.result_answer import sort_result
from runner.api.submit_client import Trace, run_exchange
from runner.domain.api_answers import CancelAnswer, LookAnswer, RequestFailure, ResultAnswer, SubmitAnswer
from runner.domain.states import Accepted, AccountTurnedAway, LostContact, NotSent, Refused, RefusedForNow

NOW = 1_800_000_000.0
STATUSES = (*range(100, 600), 0, -1, 600, 999, 10**9)

HOPELESS: tuple[Exception, ...] = (
    httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"),
    httpx.LocalProtocolError("Illegal header value"),
    httpx.UnsupportedProtocol("no protocol"),
    httpx.InvalidURL("bad port"),
    httpx.StreamClosed(),
    httpx.StreamConsumed(),
    httpx.RequestNotRead(),
    httpx.ResponseNotRead(),
    UnicodeEncodeError("ascii", "é", 0, 1, "not ASCII"),
    ValueError("out of range"),
    RuntimeError("client has been closed"),
    ConnectionResetError(104, "reset"),
    BrokenPipeError(32, "broken pipe"),
    OSError(24, "too many open files"),
    ssl.SSLError(1, "wrong version number"),
    RecursionError("too deep"),
)
"""Before the first byte no other try would cure these: bad configuration, or a bug of ours."""

CURABLE: tuple[Exception, ...] = (
    httpx.ConnectError("All connection attempts failed"),
    httpx.ConnectError("[Errno -2] Name or service not known"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.CloseError("reset"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.WriteTimeout("slow"),
    httpx.PoolTimeout("slow"),
    httpx.ProxyError("407"),
    httpx.RemoteProtocolError("server disconnected"),
    httpx.DecodingError("bad chunk"),
    httpx.TooManyRedirects("30"),
    httpx.CookieConflict("two"),
    httpx.HTTPError("of a kind not made yet"),
    TimeoutError(),
    MemoryError(),
    EOFError(),
    AssertionError("a bug in a library"),
    KeyError("a bug in a library"),
    ExceptionGroup("two at once", [ValueError("one"), OSError("two")]),
)
"""Before the first byte these go again by themselves."""

EVENTS = (
    "http11.send_request_headers.started",
    "http11.send_request_body.complete",
    "http11.receive_response_headers.complete",
)


class Raises(httpx.AsyncHTTPTransport):
    """Gets as far as a milestone, then raises; opens nothing."""

    def __init__(self, error: Exception, milestone: SendStage) -> None:
        self._error, self._milestone = error, milestone

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raise once the trace has heard of the milestone."""
        for event in EVENTS[: self._milestone]:
            await request.extensions["trace"](event, {})
        raise self._error


async def begun() -> None:
    """Write nothing down."""


def after(error: Exception, milestone: SendStage) -> SubmitAnswer:
    async def main() -> HttpOutcome:
        trace = Trace(begun, deadlines=Deadlines())
        request = httpx.Request("POST", "https://host.invalid/v1/models/m", extensions={"trace": trace})
        return await run_exchange(Raises(error, milestone), request, trace=trace)

    return sort_submit(asyncio.run(main()), attempt="a1", now=NOW)


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    below = {kind, *kind.__subclasses__()}
    return below.union(*(subclasses(each) for each in below - {kind}))


def test_the_table_holds_every_class_of_exception_that_the_http_library_raises() -> None:
    public = {kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    abstract = {
        kind for kind in public if (subclasses(kind) & public) - {kind} and kind is not httpx.HTTPError
    }
    raised_by_us_alone = {httpx.HTTPStatusError}  # by `raise_for_status`, which nobody calls
    listed = {type(error) for error in (*HOPELESS, *CURABLE)}
    assert public - abstract - raised_by_us_alone - listed == set()


@pytest.mark.parametrize(
    "error", HOPELESS + CURABLE, ids=lambda error: f"{type(error).__name__}-{error}"[:40]
)
@pytest.mark.parametrize("milestone", SendStage)
def test_every_exception_at_every_milestone_is_sorted_by_the_milestone(
    milestone: SendStage, error: Exception
) -> None:
    outcome = after(error, milestone)
    if milestone is SendStage.NOTHING_SENT:
        assert isinstance(outcome, NotSent)
        assert outcome.hopeless == (error in HOPELESS)
    else:
        assert isinstance(outcome, LostContact)
        assert outcome.milestone == milestone.name.lower()


USABLE_ID = {"request_id": "3f2a-01"}
ACCOUNT_CODES = (400002, 400004, 403001)
OTHER_DOOR_CODES = (400001, 404001)


@dataclass(frozen=True, slots=True)
class Body:
    """A kind of body: whether it is a whole receipt, and the documented refusal that it carries, if any."""

    name: str
    data: bytes
    receipt: bool = False
    code: int | None = None


def made(name: str, value: object, *, receipt: bool = False, code: int | None = None) -> Body:
    return Body(name, json.dumps(value).encode(), receipt, code)


BODIES = (
    Body("empty", b""),
    Body("html", b"<html>busy</html>"),
    Body("not utf-8", b"\xff\xfe\x00"),
    Body("cut", b'{"request_id": "3f2a'),
    Body("two ids", b'{"request_id": "one", "request_id": "two"}'),
    Body("deep", b"[" * 5000),
    made("a list", ["3f2a"]),
    made("null", None),
    made("no id", {"status": "in_queue"}),
    made("id of another form", {"request_id": "../etc"}),
    made("id that is no text", {"request_id": 7}),
    made("usable id", USABLE_ID, receipt=True),
    made("usable id and an error", {**USABLE_ID, "error_code": 7}, receipt=True),
    made("usable id and a refusal", {**USABLE_ID, "error_code": 400002}, receipt=True, code=400002),
    made("bad id and a refusal", {"request_id": None, "error_code": 400001}),
    made("number nobody explains", {"error_code": 500123, "message": "m"}),
    made("number that is true", {"error_code": True}),
    *(made(f"code {code}", {"error_code": code}, code=code) for code in ACCOUNT_CODES + OTHER_DOOR_CODES),
    *(
        made(f"code {code} as text", {"error_code": str(code)}, code=code)
        for code in ACCOUNT_CODES + OTHER_DOOR_CODES
    ),
)


def expected(status: int, body: Body, *, complete: bool) -> type[SubmitAnswer]:
    """Return what the payment protocol asks for."""
    if 200 <= status < 300:
        # An id that was read to its end cannot be changed by what is missing behind it.
        if body.receipt:
            return Accepted
        if not complete:
            return LostContact
        if body.code in ACCOUNT_CODES:
            return AccountTurnedAway
        return Refused if body.code in OTHER_DOOR_CODES else LostContact
    if status in {401, 402, 403, 405, 407, 426, 451}:
        return AccountTurnedAway
    if status in {400, 404, 413, 414, 415, 422, 425, 429, 501, 505}:
        if body.code in ACCOUNT_CODES:
            return AccountTurnedAway
        return RefusedForNow if status in {425, 429} else Refused
    return LostContact


@pytest.mark.parametrize("complete", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_every_status_with_every_kind_of_body_has_the_outcome_the_protocol_asks_for(
    body: Body, *, complete: bool
) -> None:
    wrong = {}
    for status in STATUSES:
        outcome = sort_submit(Answer(status, body.data, {}, complete), attempt="a1", now=NOW)
        if type(outcome) is not expected(status, body, complete=complete):
            wrong[status] = outcome
    assert wrong == {}


@pytest.mark.parametrize("complete", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_the_run_stops_for_no_status_but_those_that_every_other_submit_would_get_too(
    body: Body, *, complete: bool
) -> None:
    stopping = set()
    for status in STATUSES:
        outcome = sort_submit(Answer(status, body.data, {}, complete), attempt="a1", now=NOW)
        if isinstance(outcome, Refused | LostContact) and outcome.hopeless:
            stopping.add(status)
    # The account's own numbers stop the run too, as what they are.
    assert stopping == {*range(300, 400), *({501, 505} if body.code not in ACCOUNT_CODES else ())}


WISHES = (
    None,
    "",
    "0",
    "7",
    "-1",
    "nan",
    "１２",
    "9" * 400,
    "Fri, 20 Nov 2026 10:00:00 GMT",
    "Fri, 99 Nov 2026",
    "\x00",
)


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: ascii(wish)[:16])
@pytest.mark.parametrize("status", [425, 429])
def test_every_wish_for_a_pause_gives_a_time_within_the_hour(status: int, wish: str | None) -> None:
    headers = {} if wish is None else {"retry-after": wish}
    outcome = sort_submit(Answer(status, b"", headers), attempt="a1", now=NOW)
    assert isinstance(outcome, RefusedForNow)
    assert NOW <= outcome.not_before <= NOW + 3600.0


SILENCES: list[HttpOutcome] = [
    NoResponse(milestone, kind, "why") for milestone in SendStage for kind in SilenceKind
]


@pytest.mark.parametrize("complete", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_every_status_with_every_kind_of_body_is_an_answer_to_every_read(
    body: Body, *, complete: bool
) -> None:
    answers: list[HttpOutcome] = [Answer(status, body.data, {}, complete) for status in STATUSES]
    for exchange in answers + SILENCES:
        assert isinstance(sort_look(exchange, now=NOW), get_args(LookAnswer))
        assert isinstance(sort_result(exchange, now=NOW), get_args(ResultAnswer))
        assert isinstance(sort_cancel(exchange, now=NOW), CancelAnswer | RequestFailure)
        assert isinstance(sort_probe(exchange, now=NOW), RequestFailure | None)
