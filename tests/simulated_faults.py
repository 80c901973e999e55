"""The simulator's faults that only tests name: a script of a test may use these and those of every script.

In: a right answer. Out: an odd one. `ALL` is the table that `read_script` takes. Faults with more forms here than in
`runner` replace those of the same name.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import zlib
from asyncio import Transport
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
from starlette.responses import JSONResponse, Response, StreamingResponse

from runner.simulator.broken_connections import ConnectionCut, head_of
from runner.simulator.clip_cache import FALLBACK
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
from runner.simulator.faults import FAULTS, changed, error_page

Record: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[FaultContext], Response]

API = frozenset(Route) - {Route.FILE}
SUBMIT, STATUS, RESULT, FILE = (
    frozenset({route}) for route in (Route.SUBMIT, Route.STATUS, Route.RESULT, Route.FILE)
)
READS = STATUS | RESULT
HUGE, CHUNK = 8 << 30, 1 << 16
INVERTED = bytes(255 - byte for byte in range(256))


def form(*forms: str) -> dict[str, Setting]:
    """Return the setting `form`, of which the first one is the usual."""
    return {"form": (one_of(*forms), forms[0])}


# bytes and connections


class ConnectionReset(ConnectionCut):
    """Resets the connection at once: a close with no time to linger (socket(7))."""

    def end(self, transport: Transport) -> None:
        at_once = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport.abort()


def wrong_length(cue: FaultContext) -> Response:
    true = b"content-length: %d\r\n" % len(cue.body)
    false = b"content-length: %d\r\n" % (len(cue.body) + 1000)
    return ConnectionCut(head_of(cue.right).replace(true, false) + cue.body)


def truncated(cue: FaultContext) -> Response:
    return Response(cue.body[: len(cue.body) // 2], cue.right.status_code, media_type=cue.kind)


def drip(cue: FaultContext) -> Response:
    size = max(cue.rule.values["bytes"], 1)

    async def drops() -> AsyncIterator[bytes]:
        for start in range(0, len(cue.body), size):
            yield cue.body[start : start + size]
            await anyio.sleep(cue.rule.values["pause_s"])

    headers = {"content-length": str(len(cue.body)), "content-type": cue.kind}
    return StreamingResponse(drops(), cue.right.status_code, headers)


def too_large(cue: FaultContext) -> Response:
    size = cue.rule.values["bytes"]

    async def flood() -> AsyncIterator[bytes]:
        start = cue.body[:size]
        yield start
        for at in range(len(start), size, CHUNK):
            # A server discards what it sends to a client that has left. Without this turn of the loop and this
            # question, it would serve no other client until all of it is discarded.
            await anyio.lowlevel.checkpoint()
            if await cue.request.is_disconnected():
                return
            yield bytes(min(CHUNK, size - at))

    return StreamingResponse(flood(), headers={"content-length": str(size), "content-type": cue.kind})


PACKINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw-deflate": lambda body: zlib.compress(body, wbits=-zlib.MAX_WBITS),
    "gzip-lie": bytes,
    "br-lie": bytes,
    "gzip-unsaid": gzip.compress,
}


def packed(cue: FaultContext) -> Response:
    name = cue.rule.values["form"]
    answer = Response(PACKINGS[name](cue.body), cue.right.status_code, media_type=cue.kind)
    if name != "gzip-unsaid":
        answer.headers["content-encoding"] = name.removesuffix("-lie").removeprefix("raw-")
    return answer


# refusals

REFUSALS: Mapping[str, Callable[[str], Record]] = {
    "error_message": lambda words: {"error_message": words},
    "message": lambda words: {"message": words},
    "error": lambda words: {"error": words},
    "object": lambda words: {"error": {"type": "invalid_request", "message": words}},
    "errors": lambda words: {"errors": [{"field": "seed", "message": words}]},
    "detail": lambda words: {"detail": words},
    "details": lambda words: {"detail": [{"loc": ["body", "seed"], "msg": words, "type": "value_error"}]},
    "problem": lambda words: {"type": "about:blank", "title": "Bad request", "detail": words},
}


def refusal(cue: FaultContext) -> Response:
    values = cue.rule.values
    words, status = values["message"], values["code"]
    if values["form"] == "html":
        return error_page(words, status)
    if values["form"] in {"text", "empty"}:
        return Response(words if values["form"] == "text" else "", status, media_type="text/plain")
    code = {} if values["error_code"] is None else {"error_code": values["error_code"]}
    kind = "application/problem+json" if values["form"] == "problem" else "application/json"
    return JSONResponse({**code, **REFUSALS[values["form"]](words)}, status, media_type=kind)


def error_code(cue: FaultContext) -> Response:
    return JSONResponse(
        {"error_code": cue.rule.values["error_code"], "error_message": "a simulated error in a 200"}
    )


def balance_gone(cue: FaultContext) -> Response:
    if cue.request.method == "GET":
        return JSONResponse({"balance_usd": 0.0, "balance_microdollars": 0, "currency": "USD"})
    return JSONResponse({"error_code": 400002, "error_message": "no balance left"}, 400)


# records


def bent(bend: Callable[[Record, FaultContext], object]) -> Answer:
    """Return an answer with the record as `bend` changes it."""
    return lambda cue: changed(cue, bend(json.loads(cue.body), cue))


def says(words: Mapping[str, Record]) -> Answer:
    """Return an answer whose record is updated, if it says one of these words for its status."""
    return bent(lambda record, _: {**record, **words.get(str(record.get("status")), {})})


def without(record: Record, name: str) -> Record:
    return {key: value for key, value in record.items() if key != name}


def word(record: Record, cue: FaultContext) -> object:
    values = cue.rule.values
    if values["instead_of"] and record.get("status") != values["instead_of"]:
        return record
    if values["form"] == "missing":
        return without(record, "status")
    words = {"text": values["word"], "number": 3, "null": None, "list": [values["word"]]}
    return {**record, "status": words[values["form"]]}


def odd_id(record: Record, cue: FaultContext) -> object:
    true = str(record.get("request_id"))
    return {
        **record,
        "request_id": cue.rule.values["id"].replace("{upper}", true.upper()).replace("{}", true),
    }


def bulky(record: Record, cue: FaultContext) -> object:
    echo: Record = {"echo": {"image": "data:image/png;base64," + "A" * cue.rule.values["bytes"]}}
    return {**echo, **record} if cue.rule.values["form"] == "first" else {**record, **echo}


def foreign_urls(record: Record, cue: FaultContext) -> object:
    host = cue.rule.values["location"]
    return {name: f"{host}/{name}" if name.endswith("_url") else value for name, value in record.items()}


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda token: json.dumps(token)[1:-1],
    "json": lambda token: "".join(f"\\u{ord(sign):04x}" for sign in token),
    "json-upper": lambda token: "".join(f"\\u{ord(sign):04X}" for sign in token),
    "hex": lambda token: token.encode("latin-1").hex(),
    "hex-upper": lambda token: token.encode("latin-1").hex().upper(),
    "percent": lambda token: "".join(f"%{byte:02X}" for byte in token.encode("latin-1")),
    "percent-lower": lambda token: "".join(f"%{byte:02x}" for byte in token.encode("latin-1")),
    "entities": lambda token: "".join(f"&#x{ord(sign):x};" for sign in token),
}


def echo_token(cue: FaultContext) -> Response:
    """Make the token, spelled as JSON already, the record's message, and its error if it has one."""
    token = cue.request.headers.get("authorization", "").partition(" ")[2]
    record: Record = json.loads(cue.body)
    names = [name for name in ("error_message", "message", "error") if record.get(name)] or ["message"]
    spelled = f'"seen {SPELLINGS[cue.rule.values["form"]](token)}"'
    rest = [json.dumps({name: value})[1:-1] for name, value in record.items() if name not in names]
    text = f"{{{', '.join([*(f'{json.dumps(name)}: {spelled}' for name in names), *rest])}}}"
    return Response(text, cue.rule.values["code"] or cue.right.status_code, media_type=cue.kind)


# files

KINDS: Mapping[str, tuple[str, bytes]] = {
    "ts": ("video/mp2t", (b"G\x40\x11\x10" + b"\xff" * 184) * 20),
    "gif": ("image/gif", b"GIF89a\x02\x00\x02\x00\x80\x00\x00" + bytes(6) + b";"),
    "tiff": ("image/tiff", b"MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"),
    "zip": ("application/zip", b"PK\x05\x06" + bytes(18)),
    "glb": ("model/gltf-binary", struct.pack("<4sII", b"glTF", 2, 12)),
    "html": ("text/html", b"<!doctype html><html><body>please sign in (simulated)</body></html>"),
    "json": ("application/json", b'{"message": "the object is gone (simulated)"}'),
    "playlist": ("application/vnd.apple.mpegurl", b"#EXTM3U\n#EXTINF:5,\nsegment1.ts\n#EXT-X-ENDLIST\n"),
    "bin": ("application/octet-stream", bytes(range(256)) * 40),
}


def other_file(cue: FaultContext) -> Response:
    kind, body = KINDS[cue.rule.values["form"]]
    return Response(body, media_type=kind)


def outputs(cue: FaultContext) -> Response:
    """Give a job further outputs: each is the same clip, and a box that differs and that players skip."""
    most = cue.rule.values["outputs"]
    if cue.request.url.path.endswith("/result"):
        record = json.loads(cue.body)
        if not record["output"]:
            return cue.right
        first = record["output"]["video"]
        links = [first, *(f"{first}?output={n}" for n in range(2, most + 1))]
        return changed(cue, {**record, "output": {"videos": links}})
    n = int(cue.request.query_params.get("output", 1))
    if n == 1:
        return cue.right
    if n > most:
        return Response("no such file", 404, media_type="text/plain")
    mark = b"output %d" % n
    cue.right.body = cue.body + struct.pack(">I4s", 8 + len(mark), b"free") + mark
    cue.right.headers["content-length"] = str(len(cue.right.body))
    cue.right.headers["etag"] = f'"{n}.{cue.right.headers["etag"][1:]}'
    return cue.right


def ranges(cue: FaultContext) -> Response:
    name, right = cue.rule.values["form"], cue.right
    if name == "no-etag":
        del right.headers["etag"]
    elif name == "weak-etag":
        right.headers["etag"] = f"W/{right.headers['etag']}"
    elif right.status_code == 206 and name == "refused":
        return Response(status_code=cue.rule.values["code"])
    elif right.status_code == 206 and name == "whole":
        return Response(FALLBACK.read_bytes(), headers={"etag": right.headers["etag"]})
    elif right.status_code == 206:
        misplace(right, name)
    return right


def misplace(right: Response, name: str) -> None:
    first, rest = right.headers["content-range"].removeprefix("bytes ").split("-")
    last, total = map(int, rest.split("/"))
    if name == "wrong-start":
        right.headers["content-range"] = f"bytes {int(first) + 1}-{last + 1}/{total + 1}"
    elif name == "wrong-total":
        right.headers["content-range"] = f"bytes {first}-{last}/{total + 512}"
    elif name == "no-range":
        del right.headers["content-range"]
    elif name == "new-etag":
        right.headers["etag"] = '"of-another-file"'
    elif name == "other-file":
        del right.headers["etag"]
        right.body = bytes(right.body).translate(INVERTED)


FAILED: Record = {
    "status": "failed",
    "output": None,
    "error": {"code": "provider_error", "message": "the provider could not render this clip (simulated)"},
}
CANCELED: Record = {"status": "canceled", "output": None}

_OTHERS = (
    Fault("reset", "the connection is reset without a byte of answer", lambda _: ConnectionReset()),
    Fault("empty", "200 with an empty body", lambda cue: Response(b"", media_type=cue.kind)),
    Fault("truncated", "200 with half of the body, honestly measured", truncated),
    Fault("wrong-length", "the whole body, announced as longer than it is", wrong_length),
    Fault(
        "drip",
        "the body in pieces of `bytes`, `pause_s` seconds apart",
        drip,
        settings={"bytes": (whole, 256), "pause_s": (number, 0.2)},
    ),
    Fault(
        "error-code",
        "200 with a top-level `error_code`",
        error_code,
        API,
        {"error_code": (whole, 500001)},
        accepted=False,
    ),
    Fault(
        "token-revoked",
        "the token is refused",
        lambda _: JSONResponse({"error_code": 400004, "error_message": "missing or revoked token"}, 400),
        API,
        accepted=False,
    ),
    Fault("balance-gone", "no balance is left", balance_gone, SUBMIT | {Route.BALANCE}, accepted=False),
    Fault("no-id", "200 without a request id", bent(lambda record, _: without(record, "request_id")), SUBMIT),
    Fault("fails-object", "a failed job's error is an object", says({"succeeded": FAILED}), RESULT),
    Fault("no-output", "a job succeeds without output", says({"succeeded": {"output": {}}}), RESULT),
    Fault(
        "canceled",
        "the provider cancels the job, spelled with one l",
        says({"completed": {"status": "canceled"}, "succeeded": CANCELED}),
        READS,
    ),
    Fault(
        "never-starts",
        "the job waits forever",
        bent(lambda record, _: {**record, "status": "in_queue", "output": None}),
        READS,
    ),
    Fault(
        "early-completed",
        "`completed` while the job still runs",
        says({name: {"status": "completed"} for name in ("in_queue", "in_progress")}),
        STATUS,
    ),
    Fault(
        "back-to-queue",
        "`in_queue` for a job that has started",
        says({"in_progress": {"status": "in_queue"}}),
        STATUS,
    ),
    Fault("too-large", "a body of `bytes` bytes", too_large, FILE, {"bytes": (whole, HUGE)}),
    Fault(
        "refusal",
        "a refusal in any form",
        refusal,
        settings={**FAULTS["refusal"].settings, **form(*REFUSALS, "text", "html", "empty")},
        accepted=False,
    ),
    Fault(
        "word",
        "a word in any form",
        bent(word),
        READS,
        {**FAULTS["word"].settings, **form("text", "number", "null", "list", "missing")},
    ),
    Fault(
        "outputs",
        "the number of the job's outputs is `outputs`",
        outputs,
        RESULT | FILE,
        {"outputs": (whole, 2)},
    ),
    Fault(
        "odd-id",
        "`id`, made of the true one (`{}`, or `{upper}` in capitals)",
        bent(odd_id),
        READS | {Route.CANCEL},
        {"id": (matching(r".*(\{\}|\{upper\}).*", "a text with {} or {upper} in it"), "{upper}")},
    ),
    Fault(
        "bulky",
        "a record that echoes a picture of `bytes` characters after its other fields, or before them",
        bent(bulky),
        API,
        {"bytes": (whole, 2_000_000), **form("last", "first")},
    ),
    Fault(
        "echo-token",
        "the token stands in the record's words, in another spelling; `code` makes an error of the answer",
        echo_token,
        API,
        {"code": (http_status, 0), **form(*SPELLINGS)},
    ),
    Fault(
        "foreign-urls",
        "every `*_url` is at `location`",
        bent(foreign_urls),
        SUBMIT | STATUS,
        {"location": (some_text, "https://elsewhere.invalid")},
    ),
    Fault(
        "packed",
        "the body is packed though the client did not ask, or only claims to be, or does not say that it is",
        packed,
        settings=form(*PACKINGS),
    ),
    Fault(
        "ranges",
        "a part of a file is refused with `code`, or is not the one that was asked for",
        ranges,
        FILE,
        {
            "code": (http_status, 416),
            **form(
                *("refused", "whole", "wrong-start", "wrong-total", "other-file"),
                *("no-range", "new-etag", "weak-etag", "no-etag"),
            ),
        },
    ),
    Fault("other-file", "another kind of file", other_file, FILE, form(*KINDS)),
)

ALL: Mapping[str, Fault] = {**FAULTS, **{fault.name: fault for fault in _OTHERS}}
"""Every fault that a script of a test can name."""
