"""The fault matrix as data: what goes wrong on the way, with the answer, or with its status.

Each function yields rows, and `TABLE` has them all; words and rows are explained in `fault_rows`, rows about bodies
are in `fault_bodies`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests.outside.faults import At, End, Fault, Reply
from tests.torture.fault_bodies import clips, read_bodies, submit_bodies, wishes
from tests.torture.fault_front import Place
from tests.torture.fault_rows import BOTH, PLAIN, READS, TLS, Row, lost, row
from tests.torture.fault_stage import Act, Verb


def _unsent(name: str, place: Place, *, submit: str = "not-sent", schemes: tuple[bool, ...] = TLS) -> Row:
    return row(
        name,
        Act(place),
        submit=submit,
        reads="transient",
        download="away",
        requests=(0, 0),
        schemes=schemes,
    )


def places() -> Iterator[Row]:
    """Yield what goes wrong before any HTTP: nothing is sent, whatever the library calls it."""
    yield _unsent("closed port", Place.CLOSED_PORT, schemes=BOTH)
    yield row(
        "no such name",
        Act(Place.NO_SUCH_NAME),
        submit="not-sent",
        reads="transient",
        download="away",
        requests=(0, 0),
        schemes=TLS,
    )
    yield _unsent("TLS stalls", Place.TLS_STALL)
    yield _unsent("TLS reset", Place.TLS_RESET)
    yield _unsent("TLS ended", Place.TLS_END)
    # OpenSSL cannot tell a plain server from a broken one, so the run waits as for an outage.
    yield _unsent("a plain port", Place.PLAIN_PORT, submit="not-sent|hopeless")
    yield _unsent("untrusted certificate", Place.UNTRUSTED, submit="hopeless")
    yield _unsent("expired certificate", Place.EXPIRED, submit="hopeless")
    yield _unsent("certificate of another name", Place.WRONG_NAME, submit="hopeless")


def connections() -> Iterator[Row]:
    """Yield ways in which a connection ends or falls silent."""
    for name, end in (("closed", End.CLOSE), ("reset", End.RESET)):
        # The other end may be gone before or after our first byte.
        yield row(
            f"{name} on connect",
            Act(fault=Fault(at=At.CONNECT, end=end), on_connect=True),
            submit="lost|not-sent",
            reads="transient",
            download="away",
            requests=(0, 1),
        )
        yield lost(f"{name} after the head", Fault(at=At.HEADERS, end=end))
        yield lost(f"{name} after the effect", Fault(cut=0, end=end))
        yield lost(f"{name} before the effect", Fault(effect=False, cut=0, end=end))
        yield lost(f"half a status line, then {name}", Fault(cut=7, end=end))
        yield lost(f"half the head, then {name}", Fault(cut=40, end=end))
        # The id was read to its end; a reset may still wipe out what had come.
        yield row(
            f"200 cut and {name}",
            Fault(cut=-5, end=end),
            submit="accepted" if end is End.CLOSE else "accepted|lost",
            reads="transient",
            download="again",
        )
        yield row(
            f"idle connection {name} as the request comes",
            Act(fault=Fault(at=At.HEADERS, end=end), primed=True),
            reads="transient",
        )
    idle = Act(primed=True, first=Fault(end=End.CLOSE))
    words = {Verb.STATUS: "seen ended", Verb.RESULT: "succeeded", Verb.CANCEL: "not_cancellable"}
    yield Row("connection closed while idle", idle, words)
    yield lost(
        "silent on connect", Act(fault=Fault(at=At.CONNECT, end=End.STALL), on_connect=True), requests=(0, 1)
    )
    yield lost("silent after the effect", Fault(cut=0, end=End.STALL))
    yield lost("silent before the effect", Fault(effect=False, cut=0, end=End.STALL))
    yield lost("200 stalls in the head", Fault(cut=40, end=End.STALL))
    yield row(
        "200 stalls in the body",
        Fault(cut=-5, end=End.STALL),
        submit="accepted",
        reads="transient",
        download="again",
    )
    yield row("200 stalls before the body", Fault(cut=-400, end=End.STALL), download="again")


def bodies_sent() -> Iterator[Row]:
    """Yield what can happen while a submit's body is on its way."""
    yield row("body never read", Act(fault=Fault(at=At.HEADERS, end=End.STALL), big=True), submit="lost")
    yield row("reset in mid-body", Act(fault=Fault(at=At.BODY, end=End.RESET), big=True), submit="lost")
    yield row("closed in mid-body", Act(fault=Fault(at=At.BODY, end=End.CLOSE), big=True), submit="lost")
    early = Fault(at=At.BODY, reply=Reply(413, b'{"message": "too large"}'), end=End.CLOSE)
    yield row("413 in mid-body", Act(fault=early, big=True), submit="refused|lost")
    yield row(
        "413 before the body",
        Act(fault=Fault(at=At.HEADERS, reply=Reply(413), end=End.CLOSE)),
        submit="refused|lost",
    )


_OK = b"HTTP/1.1 200 OK\r\n"
_LYING = Reply(200, b'{"request_id": "3f2a"}', {"Content-Encoding": "gzip"})
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


def answers_spoilt() -> Iterator[Row]:
    """Yield answers that are no HTTP, never end, or lie about themselves."""
    yield lost("junk", Fault(reply=b"\x00\xff junk\r\n\r\n", end=End.CLOSE))
    yield lost("another protocol", Fault(reply=b"220 mail.example ESMTP\r\n", end=End.CLOSE))
    yield lost("HTTP/9", Fault(reply=b"HTTP/9.9 200 OK\r\n\r\n", end=End.CLOSE), download="again")
    yield lost("200 kB of header", Fault(reply=_OK + b"X: " + b"x" * 200_000 + b"\r\n\r\n{}", end=End.CLOSE))
    yield lost("100,000 headers", Fault(reply=_OK + b"X: y\r\n" * 100_000 + b"\r\n{}", end=End.CLOSE))
    yield lost(
        "103 without end",
        Fault(reply=_HINTS * 200, drip=(len(_HINTS), 0.05), end=End.CLOSE),
        download="again|away",
    )
    # The id may come before the deadline does.
    yield row(
        "one byte every 0.2 s",
        Fault(drip=(1, 0.2)),
        submit="lost|accepted",
        reads="transient",
        download="again|away",
    )
    yield lost(
        "a bad chunk",
        Fault(reply=_OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", end=End.CLOSE),
        download="again",
    )
    yield lost(
        "a chunk without end",
        Fault(reply=_OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", end=End.STALL),
        download="again",
    )
    yield lost(
        "two lengths",
        Fault(reply=_OK + b"Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}", end=End.CLOSE),
    )
    yield lost("a length of words", Fault(reply=_OK + b"Content-Length: two\r\n\r\n{}", end=End.CLOSE))
    yield lost(
        "a length too long",
        Fault(reply=Reply(200, b"{}", {"Content-Length": "999"}), end=End.CLOSE),
        download="again",
    )
    yield lost("a header without colon", Fault(reply=_OK + b"nonsense\r\n\r\n{}", end=End.CLOSE))
    gzipped = {"Content-Encoding": "gzip"}
    receipt = Reply(200, gzip.compress(b'{"request_id": "3f2a"}'), gzipped)
    yield row("packed with gzip", Fault(reply=receipt), submit="accepted")
    yield row("packed and no header says so", Fault(reply=replace(receipt, headers={})), submit="accepted")
    yield row("a header that says gzip and lies", Fault(reply=_LYING), submit="accepted")
    yield row(
        "bad gzip",
        Fault(reply=Reply(200, b"\x1f\x8b junk", gzipped)),
        submit="lost",
        reads="transient",
        download="again",
    )
    bomb = gzip.compress(b'{"request_id": "' + b"x" * (32 << 20) + b'"}')
    yield row(
        "a gzip bomb",
        Fault(reply=Reply(200, bomb, gzipped)),
        submit="lost",
        reads="too-large",
        download="kept",
    )
    yield row(
        "2 MiB of JSON",
        Fault(reply=Reply(200, b'{"request_id": "3f2a", "x": "' + b"x" * (2 << 20) + b'"}')),
        submit="accepted",
        reads="too-large",
    )
    yield row("late by 0.2 s", Fault(delay=0.2), submit="accepted", reads="=", download="delivered")
    yield row("dripping", Fault(drip=(400, 0.001)), submit="accepted", reads="=", download="delivered")
    for status in (301, 302, 303, 307, 308):
        for name, where in (("elsewhere", "https://shotrunner.invalid/x"), ("back here", "/v1/models/x")):
            moved = Fault(reply=Reply(status, b"", {"Location": where}))
            yield row(
                f"{status} {name}",
                moved,
                submit="lost",
                reads="transient",
                download="fresh link" if name == "back here" else "away",
            )


# -- statuses ----------------------------------------------------------------------------------------------------

_REFUSED = frozenset({400, 404, 413, 414, 415, 422, 501, 505})
_ACCOUNT = frozenset({401, 402, 403, 405, 407, 426, 451})
_LATER = frozenset({425, 429})
_NO_BODY = frozenset({204, 205, 304})


def statuses() -> Iterator[Row]:
    """Yield every status from 100 to 599, each with a sentence for a body, which proves nothing."""
    for status in range(100, 600):
        yield _status(status)


def _status(status: int) -> Row:
    words = {
        Verb.SUBMIT: _submit_word(status),
        Verb.STATUS: _read_word(status, "transient"),
        Verb.RESULT: _read_word(status, "not yet"),
        Verb.CANCEL: _read_word(status, "unknown"),
        Verb.DOWNLOAD: _download_word(status),
    }
    if status < 200:
        # An interim answer and then silence: the deadline ends it.
        raw = f"HTTP/1.1 {status} Interim\r\n\r\n".encode()
        words = {Verb.SUBMIT: "lost", **dict.fromkeys(READS, "transient"), Verb.DOWNLOAD: "away"}
        return Row(f"status {status}", Act(fault=Fault(reply=raw, end=End.STALL)), words, schemes=PLAIN)
    reply = Reply(status, b"" if status in _NO_BODY else b'{"message": "so it is"}')
    return Row(f"status {status}", Act(fault=Fault(effect=status < 300, reply=reply)), words, schemes=PLAIN)


def _submit_word(status: int) -> str:
    if status in _REFUSED:
        return "refused"
    if status in _ACCOUNT:
        return "account"
    return "later" if status in _LATER else "lost"


def _read_word(status: int, of_a_2xx: str) -> str:
    if status in _ACCOUNT:
        return "account"
    if status in _LATER:
        return "throttled"
    return of_a_2xx if 200 <= status < 300 and status not in _NO_BODY else "transient"


def _download_word(status: int) -> str:
    if status in {408, 425, 429} or status >= 500:
        return "away"
    return "fresh link" if status >= 400 and status != 416 else "again"


TABLE: tuple[Row, ...] = (
    *places(),
    *connections(),
    *bodies_sent(),
    *answers_spoilt(),
    *submit_bodies(),
    *read_bodies(),
    *wishes(),
    *clips(),
    *statuses(),
)
"""Every row, faults first and statuses last."""

TRUTH: Mapping[Verb, str] = {
    Verb.STATUS: "seen ended",
    Verb.RESULT: "succeeded",
    Verb.CANCEL: "cancelled",
}
"""What the word `=` stands for: the answer of a server that behaves."""
