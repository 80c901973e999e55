"""The routes of the RunComfy Model API over `wire` and `jobs`, as a thread for tests or a process of its own.

`python -m tests.outside.server --port 0 --slots 100 --service 1000 --jitter 0.3` prints {"port": N} when it
listens and serves until it is told to end. `GET /__stats` and `GET /__ledger` say what the clients did. It
was written from the API's description alone and imports nothing of the program it judges.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, unquote

from tests.outside.faults import FarAway, Faults, Reply, truthful
from tests.outside.jobs import Entry, Job, Jobs, Later, Settings
from tests.outside.wire import Connection, Request

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "pika/pikaframes": ("keyFramesFirst", "keyFramesLast", "promptText"),
    "pika/pika-2-2/image-to-video": ("image",),
}
"""The models on offer and the inputs each cannot do without."""

CATEGORY = "video"
"""The one category of all models."""

T = TypeVar("T")

_OPEN_ROUTES = {"file", "stats", "ledger", "nowhere"}
_VERBS = {("GET", "status"), ("GET", "result"), ("POST", "cancel")}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One whole request: when it was read (monotonic seconds), on which connection, and what it was about.

    `request_id` is the id in its path, `sha256` the hash of its body; each is empty where there is none.
    """

    at: float
    connection: int
    route: str
    request_id: str
    sha256: str


class Api:
    """Names routes, counts calls, and answers; `base` is this server's own origin."""

    def __init__(self, settings: Settings, later: Later) -> None:
        self.jobs = Jobs(settings, later)
        self.calls: Counter[str] = Counter()
        self.arrivals: list[Arrival] = []
        self.leaks = 0
        self.base = ""
        self._bearer = f"Bearer {settings.token}"
        self._answers: Mapping[str, Callable[[Request], Reply]] = {
            "submit": self._submit,
            "status": self._status,
            "result": self._result,
            "cancel": self._cancel,
            "catalogue": self._catalogue,
            "categories": lambda _: _json(200, {"categories": [CATEGORY]}),
            "model": self._model,
            "balance": self._balance,
            "file": self._file,
            "stats": lambda _: _json(200, self.stats()),
            "ledger": lambda _: _json(200, [asdict(entry) for entry in self.jobs.ledger]),
            "nowhere": lambda _: _refusal(404001),
        }

    def route(self, request: Request) -> str:
        """Name the route: submit, status, result, cancel, catalogue, model, balance, file and our own two."""
        method, path = request.method, request.path
        if path.startswith("/v1/requests/"):
            verb = path.rpartition("/")[2]
            return verb if (method, verb) in _VERBS else "nowhere"
        if (method, path) == ("GET", "/v1/models/categories"):
            return "categories"
        if path.startswith("/v1/models/"):
            return {"POST": "submit", "GET": "model"}.get(method, "nowhere")
        if path.startswith("/files/") and method == "GET":
            return "file"
        plain = {"/v1/models": "catalogue", "/prod/v2/balance": "balance"}
        return {**plain, "/__stats": "stats", "/__ledger": "ledger"}.get(path, "nowhere")

    def count(self, route: str) -> int:
        """Count one call of `route` and return which one it is."""
        self.calls[route] += 1
        return self.calls[route]

    def answer(self, route: str, request: Request) -> Reply:
        """Check the bearer token where one is due, and answer."""
        bearer = request.headers.get("authorization")
        self.arrivals.append(_arrival(route, request))
        self.leaks += route == "file" and bearer is not None
        if route in _OPEN_ROUTES:
            return self._answers[route](request)
        reply = self._answers[route](request) if bearer == self._bearer else _refusal(400004)
        return _echoing(reply, bearer or "") if self.jobs.settings.echo else reply

    def stats(self) -> dict[str, Any]:
        """Return everything counted so far; `calls` are by route, `cpu_s` is this whole process's."""
        named = {"looks": self.calls["status"], "downloads": self.calls["file"], "leaks": self.leaks}
        return {**self.jobs.stats(), **named, "calls": dict(self.calls), "cpu_s": time.process_time()}

    def _submit(self, request: Request) -> Reply:
        model = request.path.removeprefix("/v1/models/")
        if model not in REQUIRED:
            return _refusal(400001)
        try:
            body = json.loads(request.body)
        except ValueError:
            return _json(422, {"detail": "the body is not JSON"})
        missing = [name for name in REQUIRED[model] if not isinstance(body, dict) or not body.get(name)]
        if missing:
            return _json(422, {"detail": [{"loc": ["body", name], "msg": "required"} for name in missing]})
        if self.jobs.balance < self.jobs.settings.price:
            return _refusal(400002)
        job = self.jobs.accept(model, request.body)
        return _json(200, {"request_id": job.id, **self._urls(job, "status", "result", "cancel")})

    def _status(self, request: Request) -> Reply:
        job = self._job(request)
        if job is None:
            return _refusal(404001)
        place = {"queue_position": self.jobs.place(job)} if job.state == "in_queue" else {}
        urls = self._urls(job, "status", "result")
        return _json(200, {"request_id": job.id, "status": job.state, **place, **urls})

    def _result(self, request: Request) -> Reply:
        job = self._job(request)
        if job is None:
            return _refusal(404001)
        record: dict[str, Any] = {"request_id": job.id, "model_id": job.model, "created_at": _stamp(job.at)}
        if job.state != "completed":
            return _json(200, {**record, "status": job.state})
        costs_are_known = self.calls["result"] > self.jobs.settings.late_costs
        if costs_are_known and "include_cost=true" in request.query:
            record["cost"] = self.jobs.settings.price
        if job.fails:
            return _json(200, {**record, "status": "failed", "error": "the provider failed"})
        ended = {"status": "succeeded", "output": self._output(job), "finished_at": _stamp(job.done)}
        return _json(200, {**record, **ended})

    def _output(self, job: Job) -> dict[str, Any]:
        first = f"{self.base}/files/{quote(job.id, safe='')}"
        links = [f"{first}.{number}.mp4" for number in range(2, self.jobs.settings.outputs + 1)]
        return {"videos": [f"{first}.mp4", *links]} if links else {"video": f"{first}.mp4"}

    def _cancel(self, request: Request) -> Reply:
        job = self._job(request)
        if job is None:
            return _refusal(404001)
        outcome = "cancelled" if self.jobs.cancel(job) else "not_cancellable"
        return _json(202, {"request_id": job.id, "status": job.state, "outcome": outcome})

    def _catalogue(self, request: Request) -> Reply:
        asked = {name: values[-1] for name, values in parse_qs(request.query).items()}
        found = [model for model in REQUIRED if asked.get("search", "") in model]
        found = found if asked.get("category", CATEGORY) == CATEGORY else []
        start = int(asked.get("offset", "0"))
        page = found[start : start + int(asked.get("limit", "50"))]
        schema = asked.get("include_schema") == "true"
        return _json(
            200, {"models": [self._entry(model, schema=schema) for model in page], "total": len(found)}
        )

    def _model(self, request: Request) -> Reply:
        model = request.path.removeprefix("/v1/models/")
        return _json(200, self._entry(model, schema=True)) if model in REQUIRED else _refusal(404001)

    def _balance(self, _: Request) -> Reply:
        left = self.jobs.balance
        return _json(200, {"balance_usd": left, "balance_microdollars": round(left * 1e6), "currency": "USD"})

    def _file(self, request: Request) -> Reply:
        name = unquote(request.path.removeprefix("/files/")).removesuffix(".mp4")
        stem, _, digits = name.rpartition(".")
        job, number = self.jobs.find(name), 1
        if job is None and digits.isdecimal():
            job, number = self.jobs.find(stem), int(digits)
        if job is None or job.state != "completed" or number > self.jobs.settings.outputs:
            return Reply(404, b"<html>no such file</html>", {"Content-Type": "text/html"})
        clip, etag = self.jobs.clip(job, number), f'"{name}"'
        headers = {"Content-Type": "video/mp4", "Accept-Ranges": "bytes", "ETag": etag}
        wanted = request.headers.get("range", "")
        if not wanted.startswith("bytes=") or request.headers.get("if-range", etag) != etag:
            return Reply(200, clip, headers)
        start = int(wanted.removeprefix("bytes=").partition("-")[0] or 0)
        if start >= len(clip):
            return Reply(416, b"", {**headers, "Content-Range": f"bytes */{len(clip)}"})
        span = f"bytes {start}-{len(clip) - 1}/{len(clip)}"
        return Reply(206, clip[start:], {**headers, "Content-Range": span})

    def _job(self, request: Request) -> Job | None:
        return self.jobs.find(_id_in(request.path))

    def _urls(self, job: Job, *verbs: str) -> dict[str, str]:
        return {f"{verb}_url": f"{self.base}/v1/requests/{quote(job.id, safe='')}/{verb}" for verb in verbs}

    def _entry(self, model: str, *, schema: bool) -> dict[str, Any]:
        required = list(REQUIRED[model])
        price = {"base_price_usd": self.jobs.settings.price, "price_unit": "output"}
        named = {"model_id": model, "display_name": model.rpartition("/")[2], "categories": [CATEGORY]}
        entry = {**named, **price, "pricing_note": "invented", "required_inputs": required}
        return {**entry, "input_schema": {"type": "object", "required": required}} if schema else entry


def _id_in(path: str) -> str:
    """Return the id in a path of a request; a slash that belongs to it comes as %2F, or as it is from the careless."""
    rest = path.removeprefix("/v1/requests/")
    return unquote(rest.rpartition("/")[0]) if rest != path else ""


def _arrival(route: str, request: Request) -> Arrival:
    request_id = _id_in(request.path)
    sha256 = hashlib.sha256(request.body).hexdigest() if request.body else ""
    return Arrival(time.monotonic(), request.connection, route, request_id, sha256)


def _echoing(reply: Reply, bearer: str) -> Reply:
    """Return an answer that repeats its token in a field, in its error text and in a header."""
    record = {**json.loads(reply.body), "seen": {"authorization": bearer}}
    for name in ("error_message", "error"):
        if name in record:
            record[name] = f"{record[name]}; authorization was {bearer}"
    return replace(reply, body=json.dumps(record).encode(), headers={"X-Seen-Authorization": bearer})


def _json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode())


def _refusal(code: int) -> Reply:
    return _json(code // 1000, {"error_code": code, "error_message": f"refused with {code}"})


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class OutsideServer:
    """The server in a thread of its own, for use in a `with` statement; `url` is its origin, without /v1."""

    def __init__(self, settings: Settings | None = None, *, faults: Faults = truthful, port: int = 0) -> None:
        self.url = ""
        self._settings, self._faults, self._port = settings or Settings(), faults, port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outside-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the outside server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def stats(self) -> dict[str, Any]:
        """Return what `GET /__stats` would."""
        return self._ask(lambda: self._api.stats())

    def ledger(self) -> list[Entry]:
        """Return every accepted submission so far, in order."""
        return self._ask(lambda: list(self._api.jobs.ledger))

    def arrivals(self) -> list[Arrival]:
        """Return every whole request so far, in order."""
        return self._ask(lambda: list(self._api.arrivals))

    def clip(self, request_id: str, number: int = 1) -> bytes | None:
        """Return an output that an accepted job has or will have, or None for an id that was never given."""

        def find() -> bytes | None:
            job = self._api.jobs.find(request_id)
            return None if job is None else self._api.jobs.clip(job, number)

        return self._ask(find)

    def ends(self) -> dict[str, str]:
        """Return by id of every accepted job how it ends or will end: succeeded, failed or cancelled."""
        return self._ask(self._api.jobs.ends)

    def _ask(self, question: Callable[[], T]) -> T:
        async def asked() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(10)

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._api = Api(self._settings, self._loop.call_later)
        await serve(self._api, faults=self._faults, port=self._port, stop=self._stop, ready=self._listening)

    def _listening(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._ready.set()


async def serve(
    api: Api, *, faults: Faults, port: int, stop: asyncio.Event, ready: Callable[[int], None]
) -> None:
    """Serve on loopback until `stop` is set; `ready` is told the port once connections are taken."""
    open_now: set[Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(api, faults, open_now), "127.0.0.1", port, backlog=4096
    )
    number: int = server.sockets[0].getsockname()[1]
    api.base = f"http://127.0.0.1:{number}"
    ready(number)
    await stop.wait()
    server.close()
    for connection in list(open_now):
        connection.abort()


async def _process(settings: Settings, port: int, *, delay: float) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    api = Api(settings, loop.call_later)
    await serve(api, faults=FarAway(delay), port=port, stop=stop, ready=_announce)


def _announce(port: int) -> None:
    print(json.dumps({"port": port}), flush=True)


def main() -> None:
    """Read the flags and serve until interrupted or terminated."""
    parser = argparse.ArgumentParser(prog="python -m tests.outside.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=100, help="jobs that run at a time")
    parser.add_argument("--service", type=float, default=1000, help="milliseconds a job takes")
    parser.add_argument("--jitter", type=float, default=0.0, help="spread of that, as a share")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clip-bytes", type=int, default=20_000)
    parser.add_argument("--delay", type=float, default=0.0, help="milliseconds before each answer")
    given = parser.parse_args()
    settings = Settings(given.slots, given.service / 1000, given.jitter, given.seed, given.clip_bytes)
    asyncio.run(_process(settings, given.port, delay=given.delay / 1000))


if __name__ == "__main__":
    main()
