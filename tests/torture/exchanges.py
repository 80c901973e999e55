"""Exchanges as nasty as a server can write them: strategies for hypothesis.

In: nothing. Out: `EXCHANGES`. Bodies are built as text, so that keys may stand twice, numbers may be a thousand digits
long, and nothing has to be well formed; many are likely answers, or every one would be sorted out at the first test.
"""

from __future__ import annotations

import json

from hypothesis import strategies as st

from runner.api.exchange import Answer, NoResponse, SendStage, SilenceKind

_FIELDS = (
    *("request_id", "status", "error_code", "error_message", "message", "error", "detail", "loc", "msg"),
    *("output", "video", "videos", "image", "audio", "cost", "created_at", "finished_at", "outcome"),
    "queue_position",
)
_STATUSES = ("in_queue", "in_progress", "completed", "cancelled", "succeeded", "failed", "warming_up", "")
_TIMES = (
    *(
        "2026-11-20T10:00:00Z",
        "2026-11-20T09:00:00",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
    ),
    *("1e999", "nan", "yesterday"),
)
_CODES = ("400002", "400004", "0", "１２")
_WORDS = (
    *(*_STATUSES, *_CODES, *_TIMES, "3f2a-17", "a/b", "..", "x" * 201, "content flagged", "not_cancellable"),
    *("https://f.example/a.mp4", "data:video/mp4,x", "\u202emp4.exe", "\x1b[31m"),
)
_NUMBERS = (
    *(
        "0",
        "-0",
        "7",
        "-1",
        "400001",
        "400002",
        "400004",
        "400005",
        "403001",
        "404001",
        "500123",
        "1e5",
        "0.25",
    ),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1800000000", "1800000000000", "1e300", "9" * 401),
    *("9" * 5000, "1" + "0" * 17),
)
_HEADERS = {
    "retry-after": (
        *("7", "0", "-5", "nan", "99999999999", "1_000", "１２", "1e3", "", " 12 ", "9" * 5000),
        *("Fri, 20 Nov 2026 10:00:00 GMT", "Fri, 20 Nov 99999999999999999999 10:00:00 GMT", "soon"),
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ),
    "content-type": ("application/json", "text/html", "x" * 5000),
    "location": ("https://elsewhere.example/", "//x", ""),
}


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


# Built as text, not through a JSON library, so that keys may stand twice and numbers may be anything.
_SCALARS = (
    st.sampled_from(("null", "true", "false", '"\\ud800"', '"\\u0000"'))
    | st.sampled_from(_NUMBERS)
    | st.sampled_from(_WORDS).map(json.dumps)
    | st.text(max_size=12).map(json.dumps)
    | st.integers().map(str)
)
_KEYS = st.sampled_from(_FIELDS) | st.text(max_size=4)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(_KEYS, inner), max_size=4).map(_object)
    ),
    max_leaves=10,
)
_DEEP = st.tuples(
    st.sampled_from((("[", "]"), ('{"detail":', "}"), ('{"error":{"message":', "}}"), ('{"videos":[', "]}"))),
    st.sampled_from((1, 7, 65, 900, 20_000)) | st.integers(850, 1000),
    _SCALARS,
).map(lambda made: made[0][0] * made[1] + made[2] + made[0][1] * made[1])
_LINKS = (
    "https://f.example/a.mp4",
    "http://f.example/b.mp4",
    "file:///etc/passwd",
    "data:video/mp4,x",
    "a.mp4",
)
_LIKELY: dict[str, st.SearchStrategy[str]] = {
    "request_id": st.sampled_from(('"3f2a-17"', '"a/b"', '".."', "7", "null", f'"{"x" * 201}"')),
    "status": st.sampled_from(_STATUSES).map(json.dumps),
    "error_code": st.sampled_from(_NUMBERS) | st.sampled_from(_CODES).map(json.dumps),
    "error": _SCALARS
    | st.sampled_from(('{"loc":["body",7],"msg":"no"}', '{"code":7}', '"content flagged"'))
    | _DEEP,
    "detail": st.just('[{"loc":["body","seed"],"msg":"no"},{"message":"flagged"}]') | _VALUES,
    "output": st.lists(
        st.tuples(
            st.sampled_from(("video", "videos", "images", "audio", "other")),
            st.sampled_from(_LINKS).map(json.dumps)
            | st.lists(st.sampled_from(_LINKS).map(json.dumps), max_size=3).map(
                lambda links: f"[{','.join(links)}]"
            ),
        ),
        max_size=3,
    ).map(_object)
    | st.just(_object([("videos", json.dumps([f"https://f.example/{n}" for n in range(100)]))])),
    "cost": _SCALARS,
    "created_at": st.sampled_from(_NUMBERS) | st.sampled_from(_TIMES).map(json.dumps),
    "finished_at": st.sampled_from(_NUMBERS) | st.sampled_from(_TIMES).map(json.dumps),
    "outcome": _SCALARS,
    "queue_position": _SCALARS,
}
_LIKELY_PAIRS = st.one_of(*(st.tuples(st.just(name), values) for name, values in _LIKELY.items()))
_RECORDS = st.lists(_LIKELY_PAIRS, max_size=6, unique_by=lambda pair: pair[0]).map(_object) | st.lists(
    _LIKELY_PAIRS | st.tuples(_KEYS, _VALUES | _DEEP), max_size=6
).map(_object)
_TEXTS = _RECORDS | _RECORDS | _VALUES | _DEEP
_BODIES = (
    _RECORDS.map(str.encode)
    | _TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.tuples(_TEXTS, st.integers(0, 40)).map(
        lambda cut: cut[0].encode("utf-8", "replace")[: -cut[1] or None]
    )
    | _TEXTS.map(lambda text: b"\xef\xbb\xbf" + text.encode("utf-8", "replace"))
    | _TEXTS.map(lambda text: text.encode("utf-16", "replace"))
    | st.sampled_from((b"", b"<html>bad gateway</html>", b"\x1f\x8b\x08\x00junk", b"\x00" * 64))
    | st.binary(max_size=64)
)
EXCHANGES = st.builds(
    Answer,
    st.just(200) | st.sampled_from((200, 202, 400, 401, 404, 429, 500)) | st.integers(100, 599),
    _BODIES,
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in _HEADERS.items()}),
    complete=st.booleans() | st.just(value=True),
) | st.builds(NoResponse, st.sampled_from(SendStage), st.sampled_from(SilenceKind), st.text(max_size=12))

LARGE = {
    "an address of 20,000 parts": {"detail": [{"loc": ["x"] * 20_000, "msg": "no"}]},
    "a message of a million characters": {"error_message": "x" * 1_000_000},
    "10,000 messages": {"detail": [{"msg": "x" * 100}] * 10_000},
    "10,000 outputs": {
        "status": "succeeded",
        "output": {"videos": [f"https://f.example/{n}" for n in range(10_000)]},
    },
    "a failure of a million characters": {"status": "failed", "error": {"message": "x" * 1_000_000}},
    "a status of a million characters": {"status": "x" * 1_000_000},
    "an outcome of a million characters": {"outcome": "x" * 1_000_000},
    "an id of a million characters": {"request_id": "x" * 1_000_000},
}
"""Bodies too large to be drawn again and again; each is tried with every status that it could change."""
