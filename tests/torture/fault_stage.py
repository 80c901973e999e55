"""The stage of the fault matrix: one counting server, one fault, one request, and what all sides saw of it.

In: a fault, a kind of request, a scheme. Out: a `Seen`: what the product called it, in one word, the take's next state,
the text a person would read, and the server's own counts and ledger. The server and its faults are those of
`tests.outside`; https is a front that unwraps TLS and passes ends and resets on as they come.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from runner.api.account import Secret
from runner.api.classify import sort_cancel, sort_look, sort_submit
from runner.api.progress import Deadlines
from runner.api.read_pool import ReadPool
from runner.api.result_answer import sort_result
from runner.api.submit_client import SubmitClient
from runner.domain import api_answers
from runner.domain.api_answers import CancelAnswer, FetchAnswer, NotReady, RequestFailure
from runner.domain.shots import Ticket
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    Delivered,
    Ended,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    SubmissionStarted,
    TakeState,
)
from runner.engine.testing import MemoryJournal
from runner.media.clips.fetch import FetchOptions, fetch_clip
from tests.outside.faults import End, Fault, Faults
from tests.outside.jobs import Settings
from tests.outside.server import Api, serve
from tests.torture.fault_front import Front, Place, certificates

TOKEN = "canary-token-of-t6"
MODEL = "pika/pikaframes"
BODY = b'{"keyFramesFirst":"https://e.example/a","keyFramesLast":"https://e.example/b","promptText":"p"}'
BIG_BODY = BODY[:-1] + b',"negativePrompt":"' + b"x" * (12 << 20) + b'"}'
"""More than the sockets of both sides hold, so that a server that never reads is felt."""

QUICK = Deadlines(connect=2.0, write=1.6, read=2.0, overall=3.0)
"""For acts that end by a deadline alone."""

PATIENT = Deadlines(connect=20.0, write=20.0, read=20.0, overall=30.0)
"""For all others: on a machine that has much else to do a deadline must not be what ends them."""


class Verb(StrEnum):
    """The five kinds of request."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Act:
    """What goes wrong: a place, and a fault for the request's route there (`connect` for the connection itself).

    `primed` sends one good request first, over the connection that the real one will find idle; `big` sends a body
    larger than all buffers.
    """

    place: Place = Place.SERVER
    fault: Fault | None = None
    on_connect: bool = False
    primed: bool = False
    first: Fault | None = None
    big: bool = False

    @property
    def deadlines(self) -> Deadlines:
        """Return what a request into this act is given."""
        silent = self.fault is not None and self.fault.end is End.STALL
        return QUICK if silent or self.place is Place.TLS_STALL else PATIENT


@dataclass(slots=True)
class Seen:
    """What came of one request: `outcome` in one word, and the server's counts without the priming request."""

    outcome: str = ""
    state: str = ""
    reason: str = ""
    evidence: str = ""
    requests: int = 0
    connections: int = 0
    charged: int = 0
    early: bool = False
    began: bool = False
    whole: bool = True
    objections: list[str] = field(default_factory=list)


class _Watching:
    """The faults of one act, and a look at whether the intent was on record when the server saw the request."""

    def __init__(self, act: Act, verb: Verb, seen: Seen) -> None:
        self._act, self._seen = act, seen
        self._route = "file" if verb is Verb.DOWNLOAD else verb.value
        self._nth = 2 if act.primed else 1

    def __call__(self, route: str, nth: int) -> Fault | None:
        if route == "submit" and not self._seen.began:
            self._seen.early = True
        if self._act.on_connect:
            return self._act.fault if route == "connect" else None
        if route != self._route:
            return None
        if self._act.primed and nth == 1:
            return self._act.first
        return self._act.fault


async def play(verb: Verb, act: Act, *, https: bool, workdir: Path, threads: Executor) -> Seen:
    """Send one request of the kind `verb` into `act` and return what was seen."""
    seen = Seen()
    loop, stop, listening = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    # A job for a cancel has to wait still; one for a read has ended.
    slots = 0 if verb is Verb.CANCEL else 4
    api = Api(Settings(slots=slots, service=0.0, clip_bytes=60_000, token=TOKEN), loop.call_later)
    ports: list[int] = []

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    faults: Faults = _Watching(act, verb, seen)
    server = asyncio.create_task(serve(api, faults=faults, port=0, stop=stop, ready=ready))
    await listening.wait()
    front = Front(act.place, ports[0])
    try:
        origin = await _origin(act.place, ports[0], front, https=https)
        await _request(verb, act, api, origin, seen, workdir=workdir, threads=threads)
    finally:
        await front.stop()
        stop.set()
        await server
    primed = 1 if act.primed else 0
    seen.requests = api.calls["file" if verb is Verb.DOWNLOAD else verb.value] - primed
    seen.connections = api.calls["connect"]
    seen.charged = len(api.jobs.ledger) - (0 if verb is Verb.SUBMIT else 1)
    return seen


async def _origin(place: Place, port: int, front: Front, *, https: bool) -> str:
    if place is Place.CLOSED_PORT:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return f"{'https' if https else 'http'}://127.0.0.1:{port}"
    if place is Place.NO_SUCH_NAME:
        return f"{'https' if https else 'http'}://shotrunner.invalid"
    if https:
        certificates()
        return f"https://localhost:{await front.start()}"
    return f"http://127.0.0.1:{port}"


async def _request(
    verb: Verb, act: Act, api: Api, origin: str, seen: Seen, *, workdir: Path, threads: Executor
) -> None:
    if verb is Verb.SUBMIT:
        await _submit(act, origin, seen)
        return
    job = api.jobs.accept(MODEL, BODY)
    await asyncio.sleep(0.01)
    if verb is Verb.DOWNLOAD:
        clip = hashlib.sha256(api.jobs.clip(job)).hexdigest()
        link = f"{origin}/files/{job.id}.mp4"
        await _download(job.id, link, clip, seen, deadlines=act.deadlines, workdir=workdir, threads=threads)
    else:
        await _read(verb, act, origin, job.id, seen)


async def _submit(act: Act, origin: str, seen: Seen) -> None:
    journal = MemoryJournal(["s010"])

    async def begin() -> None:
        await asyncio.sleep(0)
        journal.record("s010", SubmissionStarted("a1", "print", journal.epoch), at=0.0).result()
        seen.began = True

    client = SubmitClient(origin, Secret(TOKEN), deadlines=act.deadlines)
    try:
        exchange = await client.post(f"/v1/models/{MODEL}", BIG_BODY if act.big else BODY, begin=begin)
    finally:
        await client.aclose()
    answer = sort_submit(exchange, attempt="a1", now=0.0)
    if journal.state_of("s010")[0] is TakeState.SUBMITTING:
        journal.record("s010", answer, at=0.0).result()
    elif not isinstance(answer, NotSent):
        seen.objections.append("the attempt was never opened, yet it is not called unsent")
    seen.state = journal.state_of("s010")[0]
    seen.reason = getattr(answer, "reason", "")
    seen.evidence = getattr(answer, "evidence", "")
    match answer:
        case Accepted():
            seen.outcome = "accepted"
        case NotSent():
            seen.outcome = "hopeless" if answer.hopeless else "not-sent"
        case RefusedForNow():
            seen.outcome = "later"
        case Refused():
            seen.outcome = "refused"
        case AccountTurnedAway():
            seen.outcome = "account"
        case LostContact():
            seen.outcome = "lost"
        case _:
            assert_never(answer)


_PATHS = {
    Verb.STATUS: "status",
    Verb.RESULT: "result?include_cost=true",
    Verb.CANCEL: "cancel",
}


async def _read(verb: Verb, act: Act, origin: str, request_id: str, seen: Seen) -> None:
    lanes = ReadPool(origin, Secret(TOKEN), calls=1, deadlines=act.deadlines)
    method = "POST" if verb is Verb.CANCEL else "GET"
    try:
        if act.primed:
            await lanes.ask(f"/v1/requests/{request_id}/{_PATHS[verb]}", method=method)
            # Time for the server's end of the connection to arrive.
            await asyncio.sleep(0.05)
        exchange = await lanes.ask(f"/v1/requests/{request_id}/{_PATHS[verb]}", method=method)
    finally:
        await lanes.aclose()
    sorts: dict[Verb, Callable[..., api_answers.LookAnswer | api_answers.ResultAnswer | CancelAnswer]] = {
        Verb.STATUS: sort_look,
        Verb.RESULT: sort_result,
        Verb.CANCEL: sort_cancel,
    }
    answer = sorts[verb](exchange, now=0.0)
    seen.reason = getattr(answer, "reason", "")
    match answer:
        case RequestFailure():
            seen.outcome = answer.kind.value
        case api_answers.StatusReply():
            seen.outcome = f"seen {answer.status.value}"
        case NotReady():
            seen.outcome = "not yet"
        case Ended():
            seen.outcome = answer.outcome.value
        case CancelAnswer():
            seen.outcome = answer.outcome
        case _:
            assert_never(answer)


async def _download(
    request_id: str,
    link: str,
    clip: str,
    seen: Seen,
    *,
    deadlines: Deadlines,
    workdir: Path,
    threads: Executor,
) -> None:
    order = Ticket(
        "s010", MODEL, BODY.decode(), "", TakeState.SUCCEEDED, request_id=request_id, outputs=(link,)
    )
    options = FetchOptions(
        workdir,
        allow_loopback=True,
        deadline_s=deadlines.overall,
        connect_s=deadlines.connect,
        read_s=deadlines.read,
        spare_bytes=0,
    )
    answer = await asyncio.get_running_loop().run_in_executor(threads, fetch_clip, order, options)
    seen.outcome = _fetched(answer)
    seen.reason = getattr(answer, "reason", "") or getattr(answer, "remark", "")
    named = list((workdir / "clips").glob("s010.mp4"))
    if isinstance(answer, Delivered):
        held = hashlib.sha256((workdir / answer.file).read_bytes()).hexdigest()
        # What is not the clip may be kept whole, but never under the name of one.
        seen.whole = held == answer.sha256 and (held == clip) == answer.file.endswith(".mp4")
    else:
        seen.whole = not named


def _fetched(answer: FetchAnswer) -> str:
    if isinstance(answer, Delivered):
        return "kept" if answer.remark else "delivered"
    if answer.permanent:
        return "never"
    if answer.link_refused:
        return "fresh link"
    return "away" if answer.unreachable else "again"
