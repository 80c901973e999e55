"""The part of the fault matrix that is about bodies: answers that are odd, oddly told, or not what was asked for.

Each function yields rows; words and rows are explained in `fault_rows`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.outside.faults import Fault, Reply
from tests.torture.fault_rows import Row, row
from tests.torture.fault_stage import Act, Verb


def _raw(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


_UNUSABLE = {
    "nothing": b"",
    "HTML": b"<html>gateway</html>",
    "cut JSON": b'{"request_id": "3f2a',
    "a list": ["3f2a"],
    "a word": "3f2a",
    "null": None,
    "100,000 deep": b"[" * 100_000,
    "a number of 5,000 digits": b'{"n": ' + b"9" * 5000 + b"}",
    "UTF-16": '{"request_id": "3f2a"}'.encode("utf-16")[:-1],
    "bytes": b"\x80\x81\x82",
}
_BAD_IDS: dict[str, object] = {
    "a number": 7,
    "null": None,
    "a list": ["3f2a"],
    "an object": {"id": "3f2a"},
    "10 kB": "x" * 10_000,
    "dots": "..",
    "a way up": "a/../b",
    "blanks": "a b",
    "a control character": "a\x1b[31m",
    "a line break": "3f2a\n",
    "a lone surrogate": "\ud800",
    "full-width digits": "１２",
    "nothing": "",
}


def submit_bodies() -> Iterator[Row]:
    """Yield 2xx answers to a submit that are no receipt, and some that are."""
    for name, value in _UNUSABLE.items():
        yield row(f"200 with {name}", _answer(value), submit="lost", reads="transient")
    for name, bad_id in _BAD_IDS.items():
        yield row(f"an id that is {name}", _answer({"request_id": bad_id}), submit="lost")
    twice = b'{"request_id": "one", "request_id": "two"}'
    yield row("two ids", _answer(twice), submit="lost")
    yield row("no id", _answer({"status": "queued"}), submit="lost")
    yield row("NaN beside the id", _answer(b'{"request_id": "3f2a", "eta": NaN}'), submit="lost")
    yield row("an id with signs", _answer({"request_id": "a/b+c=%~"}), submit="accepted")
    yield row("cut behind the id", _answer(b'{"request_id": "3f2a", "x": "'), submit="accepted")
    yield row("201 with an id", _answer({"request_id": "3f2a"}, status=201), submit="accepted")
    for code, word in ((400002, "account"), (400004, "account"), (403001, "account"), (400001, "refused")):
        refusal = {"error_code": code, "error_message": "no"}
        yield row(f"200 with {code}", _answer(refusal, effect=False), submit=word)
        yield row(f"400 with {code}", _answer(refusal, status=400, effect=False), submit=word)
        yield row(f"503 with {code}", _answer(refusal, status=503), submit="lost")
    yield row("200 with a number nobody knows", _answer({"error_code": 500123}), submit="lost")


def _answer(value: object, *, status: int = 200, effect: bool = True) -> Fault:
    return Fault(effect=effect, reply=Reply(status, _raw(value)))


def read_bodies() -> Iterator[Row]:
    """Yield answers to looks, results and cancels that say odd things, or say it oddly."""
    for name, word in (("unknown", "warming_up"), ("with escapes", "\x1b[31m\u202e")):
        yield _read_row(f"a status word {name}", {"status": word}, status="seen unknown", result="not yet")
    for name, odd, seen, result in (
        ("empty", "", "transient", "not yet"),
        ("null", None, "transient", "not yet"),
        ("a number", 5, "seen unknown", "not yet"),
        ("a list", ["completed"], "seen ended", "failed"),
    ):
        yield _read_row(f"a status that is {name}", {"status": odd}, status=seen, result=result)
    for name, output in _OUTPUTS.items():
        record = {"status": "succeeded", "output": output}
        readable = name in {"a list", "objects"}
        yield _read_row(f"an output of {name}", record, result="succeeded" if readable else "failed")
    yield _read_row(
        "10,000 outputs", {"status": "succeeded", "output": {"videos": _MANY}}, result="succeeded"
    )
    for name, error in (
        ("text", "boom"),
        ("an object", {"code": 1}),
        ("a list", ["a", "b"]),
        ("deep", _deep(400)),
    ):
        yield _read_row(f"a failure told as {name}", {"status": "failed", "error": error}, result="failed")
    yield _read_row("a result not ready", {"error_code": 400005}, result="not yet", code=400)
    linked: dict[str, object] = {
        "without a status": {"output": {"video": _LINK}},
        "with an unknown word": {"status": "warmed_up", "data": [{"url": _LINK}]},
        "that says failed": {"status": "failed", "error": "boom", "video": {"uri": _LINK}},
    }
    for name, told in linked.items():
        yield _read_row(f"a result {name} with a link", told, result="succeeded")
    for code, word in ((400002, "account"), (400004, "account"), (403001, "account"), (404001, "missing")):
        refusal = {"error_code": code}
        for status in (200, 400, 404 if code == 404001 else 401):
            yield _read_row(
                f"{status} with {code} on a read", refusal, status=word, result=word, cancel=word, code=status
            )
    yield _read_row(
        "an HTML 404", b"<html>", status="transient", result="transient", cancel="transient", code=404
    )
    for name, outcome in (("cancelled", "cancelled"), ("late", "not_cancellable"), ("odd", "perhaps")):
        yield _read_row(f"a cancel that is {name}", {"outcome": outcome}, cancel=outcome, code=202)


_LINK = "https://f.example/a.mp4"
_MANY = [f"https://f.example/{number}.mp4" for number in range(10_000)]
_OUTPUTS: dict[str, object] = {
    "nothing": {},
    "null": None,
    "a list": [_LINK],
    "a data link": {"video": "data:video/mp4;base64,AAAA"},
    "a relative link": {"video": "/files/a.mp4"},
    "a file": {"video": "file:///etc/passwd"},
    "objects": {"videos": [{"url": _LINK}]},
}


def _deep(levels: int) -> object:
    value: object = "deep"
    for _ in range(levels):
        value = {"detail": value}
    return value


def _read_row(
    name: str, value: object, *, status: str = "", result: str = "", cancel: str = "", code: int = 200
) -> Row:
    words = {Verb.STATUS: status, Verb.RESULT: result, Verb.CANCEL: cancel}
    return Row(
        name, Act(fault=_answer(value, status=code)), {verb: word for verb, word in words.items() if word}
    )


_WISHES = (
    "7",
    "0",
    "-5",
    "nan",
    "99999999999",
    "1_000",
    "１２",
    "soon",
    "Fri, 20 Nov 1970 10:00:00 GMT",
    "9" * 400,
)


def wishes() -> Iterator[Row]:
    """Yield `Retry-After` in every form that a header can hold; none may make us wait for ever, or not at all."""
    for number, wish in enumerate(_WISHES):
        value = wish.encode("utf-8").decode("latin-1")
        busy = Fault(effect=False, reply=Reply(429, b"{}", {"Retry-After": value}))
        yield row(f"429, form {number} of a wish", busy, submit="later", reads="throttled", download="away")


def clips() -> Iterator[Row]:
    """Yield downloads that bring something else than the clip."""
    kinds = {
        "an HTML page": (b"<html>sorry</html>", "again"),
        "JSON": (b'{"error": "gone"}', "again"),
        "nothing": (b"", "again"),
        "zeros": (b"\x00" * 4096, "kept"),
        "a program": (b"\x7fELF" + b"\x00" * 4096, "kept"),
    }
    for name, (body, word) in kinds.items():
        fault = Fault(reply=Reply(200, body, {"Content-Type": "video/mp4"}))
        yield row(f"a clip of {name}", fault, download=word)
    for name, where, word in (
        ("itself for ever", "", "never"),
        ("http on another host", "http://shotrunner.invalid/x", "never"),
        ("a file", "file:///etc/passwd", "never"),
        ("a private host", "https://10.0.0.1/x", "never"),
        ("no link", "http://[", "never"),
    ):
        fault = Fault(reply=Reply(302, b"", {"Location": where}))
        yield row(f"a clip moved to {name}", fault, download=word, requests=(1, 6))
    hostile = Reply(200, b"<html>", {"Content-Disposition": 'attachment; filename="../../x"'})
    yield row("a clip with a hostile name", Fault(reply=hostile), download="again")
    yield row("206 unasked", Fault(reply=Reply(206, b"x" * 100)), download="again")
    yield row("416 unasked", Fault(reply=Reply(416)), download="again")
