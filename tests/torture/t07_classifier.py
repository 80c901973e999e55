"""T7: the classifier is total: every exception, milestone, status and body has an answer, in doubt `LostContact`.

In: exchanges made by hypothesis, as nasty as a server can write them, and every exception class of the libraries
below us at every milestone. Out: a verdict. The oracle is a second, slower reading of the API's documents; it shares no
code and no table with the product.
"""

from __future__ import annotations

import asyncio
import builtins
import inspect
import json
import math
import re
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias, get_args

import h11
import httpcore
import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as with_seed

from runner.api.classify import sort_cancel, sort_look, sort_probe, sort_submit
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage
from runner.api.progress import Deadlines
from runner.api.result_answer import sort_result
from runner.api.submit_client import Trace, run_exchange
from runner.domain.api_answers import (
    CancelAnswer,
    LookAnswer,
    RequestFailure,
    ResultAnswer,
    StatusReply,
    SubmitAnswer,
)
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    Ended,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
)
from tests.torture.exchanges import EXCHANGES, LARGE
from tests.torture.registry import Verdict

NAME = "T7 classifier"
PR = 0.1
NOW = 1_800_000_000.0
TOKEN = "canary-token-of-t7"
EXAMPLES = 20_000
_BATCH = 500

# -- what the documents say --------------------------------------------------------------------------------------

_AT_THE_DOOR = {400001, 400002, 400004, 403001, 404001}
_SAYS_NO: dict[type, set[int]] = {
    Refused: {400, 404, 413, 414, 415, 422, 501, 505},
    AccountTurnedAway: {401, 402, 403, 405, 407, 426, 451},
    RefusedForNow: {425, 429},
}


def _strict_object(body: bytes) -> dict[str, Any] | None:
    """Read a body as the strictest of readers would: one object, no two ids, nothing that is no JSON."""
    ids: list[Any] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        # The outermost object is read last.
        ids[:] = [held for name, held in found if name == "request_id"]
        return dict(found)

    try:
        value = json.loads(body, object_pairs_hook=pairs, parse_constant=_no_json)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and all(held == ids[0] for held in ids) else None


def _no_json(word: str) -> None:
    raise ValueError(word)


def _plain_object(body: bytes) -> dict[str, Any] | None:
    """Read a refusal: one object, however it repeats itself."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _code(record: dict[str, Any] | None) -> int | None:
    value = (record or {}).get("error_code")
    if isinstance(value, str) and re.fullmatch("[0-9]{1,12}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def expected(exchange: HttpOutcome) -> set[type]:
    """Return what a submit that came to `exchange` may be called; `LostContact` where no document says more."""
    if isinstance(exchange, NoResponse):
        return {NotSent} if exchange.milestone is SendStage.NOTHING_SENT else {LostContact}
    record = _plain_object(exchange.body)
    if 200 <= exchange.status < 300:
        return _of_a_2xx(exchange, _strict_object(exchange.body))
    kinds = {kind for kind, statuses in _SAYS_NO.items() if exchange.status in statuses}
    # The account's own numbers outweigh a status that already says no, and only such a status.
    if kinds and _code(record) in {400002, 400004, 403001}:
        return {AccountTurnedAway}
    return kinds or {LostContact}


_WHOLE_ID = re.compile(rb'"request_id"\s*:\s*"[^"\\]*"')


def _of_a_2xx(answer: Answer, record: dict[str, Any] | None) -> set[type]:
    if record is None or not answer.complete:
        # An id that was read to its end counts, whatever is missing behind it.
        return {Accepted, LostContact} if _WHOLE_ID.search(answer.body.replace(b"\0", b"")) else {LostContact}
    given = record.get("request_id")
    # A server that answers with `.` or `..` would make a URL of something else.
    if isinstance(given, str) and re.fullmatch(r"[!-~]{1,256}", given) and not _leads_up(given):
        return {Accepted}
    if "request_id" in record or _code(record) not in _AT_THE_DOOR:
        return {LostContact}
    return {AccountTurnedAway} if _code(record) in {400002, 400004, 403001} else {Refused}


def _leads_up(given: str) -> bool:
    return bool({".", ".."} & set(re.split(r"[/\\]", given)))


def check(exchange: HttpOutcome) -> None:
    """Assert everything that shall hold for one exchange, whichever request it answered."""
    sorted_ = sort_submit(exchange, attempt="a1", now=NOW)
    assert type(sorted_) in expected(exchange), (type(sorted_).__name__, exchange)
    _storable(sorted_)
    look = sort_look(exchange, now=NOW)
    assert isinstance(look, get_args(LookAnswer))
    result = sort_result(exchange, now=NOW)
    assert isinstance(result, get_args(ResultAnswer))
    cancel = sort_cancel(exchange, now=NOW)
    assert isinstance(cancel, CancelAnswer | RequestFailure)
    probe = sort_probe(exchange, now=NOW)
    assert probe is None or isinstance(probe, RequestFailure)
    for read in filter(None, (look, result, cancel, probe)):
        _storable(read)
    if isinstance(exchange, NoResponse) or not exchange.complete or exchange.status >= 500:
        assert not isinstance(look, StatusReply)
        assert not isinstance(result, Ended)


def _storable(value: Any) -> None:  # noqa: ANN401 - every answer is a dataclass of its own
    """Assert that an answer can be put on record: numbers are finite, waits within an hour, links are web links."""
    for name, held in asdict(value).items():
        json.dumps(held)
        if isinstance(held, float):
            assert math.isfinite(held), (name, held)
        if name in {"reason", "word", "outcome", "evidence", "error"}:
            assert len(held) <= 70_000, f"a {name} of {len(held)} characters"
        if name == "not_before":
            assert NOW <= held <= NOW + 3600
        if name == "retry_after" and held is not None:
            assert 0 <= held <= 3600
        if name == "seconds" and held is not None:
            assert held >= 0
        if name == "outputs":
            assert len(held) <= 64
            assert all(link.startswith(("https://", "http://")) for link in held)


# -- what the libraries below us can raise -----------------------------------------------------------------------

_NOT_RAISED = (Warning, StopIteration, StopAsyncIteration, httpx.HTTPStatusError)
"""The last is made by a client that was asked to, never by a transport."""
_EVENTS = (
    "http11.send_request_headers.started",
    "http11.send_request_body.complete",
    "http11.receive_response_headers.complete",
)


def exception_classes() -> list[type[Exception]]:
    """Return every exception class of Python and of the HTTP libraries that can be made at all."""
    found: dict[str, type[Exception]] = {}
    for module in (builtins, ssl, asyncio, httpx, httpcore, h11):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            # h11.ProtocolError is abstract: only its two kinds are ever raised.
            if kind is h11.ProtocolError:
                continue
            if issubclass(kind, Exception) and not issubclass(kind, _NOT_RAISED):
                found[f"{module.__name__}.{name}"] = kind
    return [found[name] for name in sorted(found)]


def made(kind: type[Exception]) -> Exception:
    """Return one of `kind`, with a message that quotes the token as some of them do."""
    arguments: tuple[tuple[Any, ...], ...] = (
        (f"Bearer {TOKEN}",),
        (f"Bearer {TOKEN}", [ValueError(TOKEN)]),
        ("ascii", TOKEN, 0, 1, "not ASCII"),
        ("ascii", TOKEN.encode(), 0, 1, "not ASCII"),
        (),
        (b"", 4),
        (TOKEN, 0, 1, "not ASCII"),
    )
    for given_ in arguments:
        try:
            return kind(*given_)
        except TypeError:
            continue
    raise AssertionError(f"{kind} cannot be made")


class _Raises(httpx.AsyncHTTPTransport):
    """Gets as far as `milestone`, then raises; opens nothing."""

    def __init__(self, error: Exception, milestone: SendStage) -> None:
        self._error, self._milestone = error, milestone

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for event in _EVENTS[: self._milestone]:
            await request.extensions["trace"](event, {})
        raise self._error


async def _began() -> None:
    """Write nothing down."""


def after_exception(error: Exception, milestone: SendStage) -> SubmitAnswer:
    """Return what a submit comes to whose transport raises `error` after `milestone`."""

    async def main() -> HttpOutcome:
        trace = Trace(_began, deadlines=Deadlines())
        request = httpx.Request("POST", "http://127.0.0.1/v1/models/m", extensions={"trace": trace})
        return await run_exchange(_Raises(error, milestone), request, trace=trace)

    return sort_submit(asyncio.run(main()), attempt="a1", now=NOW)


# -- the cases ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Examples:
    """So many exchanges out of hypothesis, from a seed."""

    name: str
    seed: int
    examples: int


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception class at every milestone."""

    name: str
    kind: type[Exception]


@dataclass(frozen=True, slots=True)
class Outsized:
    """One large body with every status from 200 on."""

    name: str
    body: str


Case: TypeAlias = Examples | Raised | Outsized


def cases(seed: int, scale: float) -> Iterable[Case]:
    """Return batches of exchanges, then every exception class."""
    for number in range(max(1, round(EXAMPLES * scale) // _BATCH)):
        yield Examples(f"exchanges-{number:03}", seed * 1000 + number, _BATCH)
    for body in LARGE:
        yield Outsized(f"outsized-{body}", body)
    for kind in exception_classes():
        yield Raised(f"raised-{kind.__module__}.{kind.__qualname__}", kind)


def run(case: Case, workdir: Path) -> Verdict:  # noqa: ARG001 - nothing is written
    """Try one batch, or one class at four milestones."""
    if isinstance(case, Examples):
        return _sampled(case)
    if isinstance(case, Outsized):
        return _outsized(case)
    found = [failure for milestone in SendStage for failure in _raised(case.kind, milestone)]
    return Verdict(cases=len(SendStage), failures=tuple(found))


def _sampled(batch: Examples) -> Verdict:
    tried = 0

    @with_seed(batch.seed)
    @settings(
        max_examples=batch.examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(EXCHANGES)
    def property_(exchange: HttpOutcome) -> None:
        nonlocal tried
        tried += 1
        check(exchange)

    try:
        property_()
    except Exception as found:  # noqa: BLE001 - whatever hypothesis found is the finding
        return Verdict(cases=tried, failures=(f"{type(found).__name__}: {str(found)[:500]}",))
    return Verdict(cases=tried)


def _outsized(case: Outsized) -> Verdict:
    body, statuses = json.dumps(LARGE[case.body]).encode(), (200, 400, 401, 404, 410, 422, 429, 500)
    failures = []
    for status in statuses:
        try:
            check(Answer(status, body))
        except AssertionError as found:
            failures.append(f"{status} with {case.body}: {str(found)[:200]}")
    return Verdict(cases=len(statuses), failures=tuple(failures))


def _raised(kind: type[Exception], milestone: SendStage) -> Iterator[str]:
    where = f"{kind.__module__}.{kind.__qualname__} after {milestone.name}"
    try:
        answer = after_exception(made(kind), milestone)
    except Exception as escaped:  # noqa: BLE001 - that nothing escapes is the property
        yield f"{where}: {type(escaped).__name__} escaped"
        return
    wanted = NotSent if milestone is SendStage.NOTHING_SENT else LostContact
    if not isinstance(answer, wanted):
        yield f"{where}: called {type(answer).__name__}"
    elif not answer.reason:
        yield f"{where}: no reason"
    elif not issubclass(kind, httpx.TransportError) and TOKEN in answer.reason + answer.error:
        yield f"{where}: the reason or the error quotes the token"
