"""Holds the faults that a script can name, each with the answer that a client sees.

In: a right answer. Out: a spoiled one. The caller decides whether a submit was accepted; a function here only changes
what the client sees of it.
"""

from __future__ import annotations

import gzip
import html
import json
from collections.abc import Mapping
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Message

from runner.simulator.broken_connections import ConnectionCut, head_of
from runner.simulator.fault_rules import (
    Fault,
    FaultContext,
    Route,
    Setting,
    http_status,
    matching,
    number,
    one_of,
    some_text,
    whole,
)
from runner.simulator.jobs import ClipFlaw, JobOutcome

_PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>simulated edge</p></body></html>"
_INVERTED = bytes(255 - byte for byte in range(256))


async def in_memory(file: FileResponse, request: Request) -> Response:
    """Return a file's answer, or that of a part of it, with its body in memory."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await file(request.scope, request.receive, keep)
    kept = Response(b"".join(message.get("body", b"") for message in sent), sent[0]["status"])
    kept.raw_headers = list(sent[0]["headers"])
    return kept


def error_page(words: str, status: int = 200) -> Response:
    """Return a web page as a proxy or a firewall shows it."""
    return HTMLResponse(_PAGE.format(html.escape(words)), status)


def changed(cue: FaultContext, record: object) -> Response:
    """Return the right answer with another record."""
    return JSONResponse(record, cue.right.status_code)


def _cut(cue: FaultContext) -> Response:
    return ConnectionCut(head_of(cue.right) + cue.body[: len(cue.body) // 2])


def _status(cue: FaultContext) -> Response:
    return error_page(f"{cue.rule.values['code']} from the edge", cue.rule.values["code"])


def _redirect(cue: FaultContext) -> Response:
    # This is the same server by another name: the client sees another host, but a test can observe the request.
    elsewhere = cue.request.url.replace(hostname="localhost", query="")
    return RedirectResponse(cue.rule.values["location"] or elsewhere, 302)


def _throttled(cue: FaultContext) -> Response:
    seconds, form = cue.rule.values["retry_after"], cue.rule.values["retry_form"]
    answer = JSONResponse({"error_message": "too many requests"}, 429)
    if form == "seconds":
        answer.headers["retry-after"] = f"{seconds:.0f}"
    elif form == "date":
        answer.headers["retry-after"] = formatdate(cue.clock() + seconds, usegmt=True)
    return answer


def _refusal(cue: FaultContext) -> Response:
    form, words, status, code = (cue.rule.values[name] for name in ("form", "message", "code", "error_code"))
    if form == "html":
        return error_page(words, status)
    if form == "text":
        return Response(words, status, media_type="text/plain")
    return JSONResponse({**({} if code is None else {"error_code": code}), "error_message": words}, status)


def _word(cue: FaultContext) -> Response:
    record, instead_of = json.loads(cue.body), cue.rule.values.get("instead_of")
    if instead_of and record.get("status") != instead_of:
        return cue.right
    return changed(cue, {**record, "status": cue.rule.values["word"]})


def _lagging(cue: FaultContext) -> Response:
    record = {name: value for name, value in json.loads(cue.body).items() if name not in {"error", "cost"}}
    return changed(cue, {**record, "status": "in_progress", "output": None, "finished_at": None})


def _links_at(cue: FaultContext) -> Response:
    record = json.loads(cue.body)
    output = record.pop("output", None)
    if not output:
        return cue.right
    placed = next(iter(output.values()))
    for name in reversed(cue.rule.values["at"].split(".")):
        placed = [placed] if name.endswith("[]") else placed
        placed = placed if name == "[]" else {name.removesuffix("[]"): placed}
    return changed(cue, {**record, **placed} if isinstance(placed, dict) else placed)


def _packed(cue: FaultContext) -> Response:
    headers = {"content-encoding": "gzip", "content-type": cue.kind}
    return Response(gzip.compress(cue.body), cue.right.status_code, headers)


def _ranges(cue: FaultContext) -> Response:
    if cue.right.status_code != 206:
        return cue.right
    if cue.rule.values["form"] == "refused":
        return Response(status_code=416)
    del cue.right.headers["etag"]
    cue.right.body = cue.body.translate(_INVERTED)
    return cue.right


_SUBMIT, _STATUS, _RESULT = (frozenset({route}) for route in (Route.SUBMIT, Route.STATUS, Route.RESULT))
_PLACE = matching(r"(\w+(\[\])?|\[\])(\.\w+(\[\])?)*", "a place such as video.uri or data[].url")
_WORD: Setting = (some_text, "warming_up")
_REFUSAL: Mapping[str, Setting] = {
    "code": (http_status, 422),
    "error_code": (whole, None),
    "form": (one_of("error_message", "text", "html"), "error_message"),
    "message": (some_text, "the request was refused (simulated)"),
}
_PATIENCE: Mapping[str, Setting] = {
    "retry_after": (number, 1.0),
    "retry_form": (one_of("seconds", "date", "none"), "seconds"),
}

_FAULTS = (
    Fault("close", "the connection is closed without a byte of answer", lambda _: ConnectionCut()),
    Fault("cut", "headers and half of the body, then the connection is closed", _cut),
    Fault("delay", "the right answer, `delay_s` seconds late", settings={"delay_s": (number, 30.0)}),
    Fault(
        "status", "an HTML error page with the status `code`", _status, settings={"code": (http_status, 502)}
    ),
    Fault("html", "200 with a web page", lambda _: error_page("just a moment")),
    Fault(
        "redirect",
        "302 to `location`, on another host",
        _redirect,
        settings={"location": (some_text, "")},
        accepted=False,
    ),
    Fault(
        "throttled",
        "429, with `retry_after` seconds in the form `seconds`, `date` or `none`",
        _throttled,
        settings=_PATIENCE,
        accepted=False,
    ),
    Fault(
        "refusal",
        "the status `code` with `message` and perhaps an `error_code`, as `error_message`, `text` or `html`",
        _refusal,
        settings=_REFUSAL,
        accepted=False,
    ),
    Fault("fails", "the job fails", routes=_SUBMIT, fate=JobOutcome.FAILS),
    Fault("moderation", "the job fails in content moderation", routes=_SUBMIT, fate=JobOutcome.MODERATION),
    Fault("never-ends", "the job starts and never ends", routes=_SUBMIT, fate=JobOutcome.NEVER_ENDS),
    *(
        Fault(flaw.value, says, routes=_SUBMIT, flaw=flaw)
        for flaw, says in {
            ClipFlaw.SMALL: "the clip is half as wide and half as high as it should be",
            ClipFlaw.SHORT: "the clip has two fifths of its length",
            ClipFlaw.BLACK: "all pictures of the clip are black",
            ClipFlaw.FROZEN: "all pictures of the clip are the same",
            ClipFlaw.CUT: "the clip's index promises all pictures, but the second half of their data is missing",
        }.items()
    ),
    Fault("unknown-word", "`word`, an unknown status", _word, _STATUS, {"word": _WORD}),
    Fault(
        "word",
        "the record says `word` for its status; with `instead_of` in place of that word alone",
        _word,
        _STATUS | _RESULT,
        {"word": _WORD, "instead_of": (some_text, "")},
    ),
    Fault("lagging", "`in_progress` for a job whose status is `completed`", _lagging, _RESULT),
    Fault(
        "links-at",
        "the link is `at` another place, such as `data[].url`",
        _links_at,
        _RESULT,
        {"at": (_PLACE, "video.uri")},
    ),
    Fault("packed", "the body is packed by gzip, though the client did not ask for that", _packed),
    Fault(
        "ranges",
        "a part of a file is `refused` (the usual `form`), or belongs to an `other-file`",
        _ranges,
        frozenset({Route.FILE}),
        {"form": (one_of("refused", "other-file"), "refused")},
    ),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _FAULTS}
"""Every fault that a script can name."""
