"""Spoils answers as each fault demands, with one function per fault in one table.

In: a right answer. Out: a spoiled one. The caller decides whether a submit was accepted; a function here only changes
what the client sees of it. Faults of words and fates have no function, because their answers are well-formed.
"""

from __future__ import annotations

import gzip
import html
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

import anyio
import anyio.lowlevel
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from runner.simulator import odd_files, odd_records
from runner.simulator.broken_connections import ConnectionCut, Connections, as_bytes, client_left
from runner.simulator.error_responses import Refusal, bad_token, in_form, no_balance
from runner.simulator.faults import Fault, Rule
from runner.simulator.settings import SimulatorSettings

_PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>simulated edge</p></body></html>"
_HUGE = 8 << 30
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class ServerContext:
    """What the functions here need of the server."""

    wires: Connections
    settings: SimulatorSettings
    clock: Callable[[], float]
    origin: str


@dataclass(frozen=True, slots=True)
class FaultContext:
    """One answer to spoil; `right` is the answer without the fault, with its body in memory."""

    right: Response
    rule: Rule
    request: Request
    stage: ServerContext

    @property
    def body(self) -> bytes:
        """Return the body of the right answer."""
        return bytes(self.right.body)

    @property
    def kind(self) -> str:
        """Return the media type of the right answer."""
        return self.right.headers.get("content-type", "application/octet-stream")


async def spoiled(cue: FaultContext) -> Response:
    """Return what the client sees, after the rule's delay or as soon as the client has gone."""
    if cue.rule.delay_s:
        await client_left(cue.request.receive, within=cue.rule.delay_s)
    look = _LOOKS.get(cue.rule.fault)
    return cue.right if look is None else look(cue)


def _close(cue: FaultContext) -> Response:
    return ConnectionCut(cue.stage.wires)


def _reset(cue: FaultContext) -> Response:
    return ConnectionCut(cue.stage.wires, reset=True)


def _cut(cue: FaultContext) -> Response:
    return ConnectionCut(cue.stage.wires, as_bytes(cue.right, keep=len(cue.body) // 2))


def _wrong_length(cue: FaultContext) -> Response:
    return ConnectionCut(cue.stage.wires, as_bytes(cue.right, announce=len(cue.body) + 1000))


def _truncated(cue: FaultContext) -> Response:
    return Response(cue.body[: len(cue.body) // 2], cue.right.status_code, media_type=cue.kind)


def _status(cue: FaultContext) -> Response:
    return HTMLResponse(_PAGE.format(f"{cue.rule.code} from the edge"), cue.rule.code)


def _empty(cue: FaultContext) -> Response:
    return Response(b"", media_type=cue.kind)


def _html(_: FaultContext) -> Response:
    return HTMLResponse(_PAGE.format("just a moment"))


def _drip(cue: FaultContext) -> Response:
    size = max(cue.rule.bytes or 256, 1)

    async def drops() -> AsyncIterator[bytes]:
        for start in range(0, len(cue.body), size):
            yield cue.body[start : start + size]
            await anyio.sleep(cue.rule.pause_s)

    headers = {"content-length": str(len(cue.body)), "content-type": cue.kind}
    return StreamingResponse(drops(), cue.right.status_code, headers)


def _too_large(cue: FaultContext) -> Response:
    size = _HUGE if cue.rule.bytes is None else cue.rule.bytes

    async def flood() -> AsyncIterator[bytes]:
        start = cue.body[:size]
        yield start
        for at in range(len(start), size, _CHUNK):
            # A server discards what it sends to a client that has left. Without this turn of the loop and this
            # question, it would serve no other client until all of it is discarded.
            await anyio.lowlevel.checkpoint()
            if await cue.request.is_disconnected():
                return
            yield bytes(min(_CHUNK, size - at))

    return StreamingResponse(flood(), headers={"content-length": str(size), "content-type": cue.kind})


def _redirect(cue: FaultContext) -> Response:
    # This is the same server by another name: the client sees another host, but a test can observe the request.
    elsewhere = cue.stage.origin.replace("127.0.0.1", "localhost") + cue.request.url.path
    return RedirectResponse(cue.rule.location or elsewhere, 302)


def _error_code(cue: FaultContext) -> Response:
    code = cue.rule.error_code or 500001
    return JSONResponse({"error_code": code, "error_message": "a simulated error in a 200"})


def _throttled(cue: FaultContext) -> Response:
    answer = JSONResponse({"error_message": "too many requests"}, 429)
    if cue.rule.retry_form == "seconds":
        answer.headers["retry-after"] = f"{cue.rule.retry_after:.0f}"
    elif cue.rule.retry_form == "date":
        answer.headers["retry-after"] = formatdate(cue.stage.clock() + cue.rule.retry_after, usegmt=True)
    return answer


def _token_revoked(cue: FaultContext) -> Response:
    return refused(bad_token(cue.stage.settings))


def _balance_gone(cue: FaultContext) -> Response:
    if cue.request.method == "GET":
        return JSONResponse(balance_record(0))
    return refused(no_balance(cue.stage.settings))


def _no_id(cue: FaultContext) -> Response:
    record = json.loads(cue.body)
    return JSONResponse({name: value for name, value in record.items() if name != "request_id"})


def _refusal(cue: FaultContext) -> Response:
    rule, form = cue.rule, cue.rule.manner
    if form == "html":
        return HTMLResponse(_PAGE.format(html.escape(rule.message)), rule.code)
    if form in {"text", "empty"}:
        return Response(rule.message if form == "text" else "", rule.code, media_type="text/plain")
    kind = "application/problem+json" if form == "problem" else "application/json"
    record = in_form(form, rule.message, code=rule.error_code)
    return JSONResponse(record, rule.code, media_type=kind)


def _odd_record(cue: FaultContext) -> Response:
    """Change the record of the right answer, and nothing else of it."""
    token = cue.request.headers.get("authorization", "").partition(" ")[2]
    text = odd_records.bent(cue.body.decode(), cue.rule, token=token)
    status = (cue.rule.fault is Fault.ECHO_TOKEN and cue.rule.code) or cue.right.status_code
    return Response(text, status, media_type=cue.kind)


_PACKINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip-unsaid": gzip.compress,
    "deflate": zlib.compress,
    "raw-deflate": lambda body: zlib.compress(body, wbits=-zlib.MAX_WBITS),
}


def _packed(cue: FaultContext) -> Response:
    form = cue.rule.manner
    body = _PACKINGS.get(form, bytes)(cue.body)
    answer = Response(body, cue.right.status_code, media_type=cue.kind)
    if form != "gzip-unsaid":
        answer.headers["content-encoding"] = form.removesuffix("-lie").removeprefix("raw-")
    return answer


def _ranges(cue: FaultContext) -> Response:
    return odd_files.lying(cue.right, cue.rule.manner, code=cue.rule.code)


def _other_file(cue: FaultContext) -> Response:
    kind, body = odd_files.KINDS[cue.rule.manner]
    return Response(body, media_type=kind)


def refused(refusal: Refusal) -> Response:
    """Return a refusal as an HTTP answer."""
    return JSONResponse(refusal.record(), refusal.status)


def balance_record(micros: int) -> dict[str, str | int | float]:
    """Return the account's balance, given in millionths of a dollar, as the API shows it."""
    return {"balance_usd": micros / 1_000_000, "balance_microdollars": micros, "currency": "USD"}


_LOOKS: Mapping[Fault, Callable[[FaultContext], Response]] = {
    Fault.CLOSE: _close,
    Fault.RESET: _reset,
    Fault.CUT: _cut,
    Fault.WRONG_LENGTH: _wrong_length,
    Fault.TRUNCATED: _truncated,
    Fault.STATUS: _status,
    Fault.EMPTY: _empty,
    Fault.HTML: _html,
    Fault.DRIP: _drip,
    Fault.TOO_LARGE: _too_large,
    Fault.REDIRECT: _redirect,
    Fault.ERROR_CODE: _error_code,
    Fault.THROTTLED: _throttled,
    Fault.TOKEN_REVOKED: _token_revoked,
    Fault.BALANCE_GONE: _balance_gone,
    Fault.NO_ID: _no_id,
    Fault.REFUSAL: _refusal,
    Fault.PACKED: _packed,
    Fault.RANGES: _ranges,
    Fault.OTHER_FILE: _other_file,
    **dict.fromkeys(odd_records.FAULTS, _odd_record),
}
