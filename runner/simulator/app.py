"""Serves the API's routes: checks a request, asks the ledger and the dispatcher, and lets a rule spoil the answer.

In: requests. Out: answers, charges in the ledger, and clips ordered in advance. It runs on one event loop, and only a
request for a clip waits for anything slower than an `fsync`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route as Path_

from runner.models.model import Model
from runner.models.registry import Models
from runner.simulator import catalogue, job_json
from runner.simulator.broken_connections import Connections, client_left
from runner.simulator.clip_cache import ClipCache
from runner.simulator.fault_rules import FaultContext, FaultPlan, Route, Rule
from runner.simulator.faults import in_memory
from runner.simulator.jobs import Dispatcher, Job, JobOutcome, Phase
from runner.simulator.ledger import Ledger
from runner.simulator.scene import Scene, clip_seconds, flawed, scene_of
from runner.simulator.settings import SimulatorSettings
from runner.system.canonical_json import JsonValue

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ENDLESS_MICROS = 1_000_000_000
_log = logging.getLogger(__name__)

Slates: TypeAlias = Callable[[str, Mapping[str, JsonValue]], str]
"""Returns the name of the take that a model's body belongs to, or an empty text; a request does not name its take."""

Prices: TypeAlias = Callable[[str, Mapping[str, JsonValue]], float | None]
"""Returns what a model's body costs in US dollars, or None for the price that is invented here."""


class Refusal(Exception):
    """A refusal in place of the requested answer: HTTP status, words, and the vendor's error number, if it has one."""

    def __init__(self, status: int, message: str, code: int | None = None, **more: JsonValue) -> None:
        super().__init__(message)
        number: dict[str, JsonValue] = {} if code is None else {"error_code": code}
        self.answer = JSONResponse({**number, "error_message": message, **more}, status)


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.answer


async def _on_bug(request: Request, error: Exception) -> Response:
    _log.error("the simulator failed on %s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error_message": f"a bug of the simulator: {error!r}"}, 500)


@dataclass(frozen=True, slots=True)
class Front:
    """The endpoints of one simulator, with all its parts."""

    settings: SimulatorSettings
    clock: Callable[[], float]
    origin: str
    models: Models
    ledger: Ledger
    dispatcher: Dispatcher
    faults: FaultPlan
    previews: ClipCache
    slates: Slates
    prices: Prices

    def application(self, connections: Connections) -> Starlette:
        """Return the ASGI application; faults end the connections."""
        routes = [
            Path_("/", self._list_routes),
            Path_("/v1/models", self._list_models),
            Path_("/v1/models/categories", self._list_categories),
            Path_("/v1/models/{model_id:path}", self._one_model),
            Path_("/v1/models/{model_id:path}", self._submit, methods=["POST"]),
            Path_("/v1/requests/{request_id:path}/status", self._status),
            Path_("/v1/requests/{request_id:path}/result", self._result),
            Path_("/v1/requests/{request_id:path}/cancel", self._cancel, methods=["POST"]),
            Path_("/prod/v2/balance", self._balance),
            Path_("/files/{name}", self._file),
            Path_("/__ledger", self._show_ledger),
            Path_("/__health", self._health),
        ]
        made = Starlette(routes=routes, exception_handlers={Refusal: _on_refusal, Exception: _on_bug})
        made.state.connections = connections
        return made

    async def _list_routes(self, request: Request) -> Response:
        """Return that this is a simulator, and what it serves."""
        paths = (each for each in request.app.routes if isinstance(each, Path_))
        routes = [
            f"{verb} {each.path}" for each in paths for verb in sorted((each.methods or set()) - {"HEAD"})
        ]
        about = "a simulator of the Model API, by shotrunner simulate; nothing is paid here"
        return JSONResponse({"about": about, "simulated": True, "routes": routes})

    async def _submit(self, request: Request) -> Response:
        self.ledger.hits[Route.SUBMIT] += 1
        owner = self._owner(request)
        name = request.path_params["model_id"]
        model = self._known(name)
        raw = await request.body()
        body = self._checked(raw, model)
        if self._micros_left() <= 0:
            raise Refusal(self.settings.no_balance_status, "no balance left", 400002)
        rule = self.faults.strike(Route.SUBMIT, model=name, key=hashlib.sha256(raw).hexdigest())
        if rule is not None and not rule.accepted:
            # It looks like an acceptance if the fault hides most of it, and like an outage if all of it is seen.
            hidden = Refusal(200 if rule.fault.answer else 503, "service unavailable")
            return await self._spoiled(hidden.answer, rule, request)
        job = self.dispatcher.decide(
            name,
            raw,
            owner=owner,
            price=self._price(name, model, body),
            seconds=clip_seconds(body),
            fate=rule.fault.fate if rule else None,
            flaw=rule.fault.flaw if rule else None,
            ending=job_json.PICTURE if model.makes_pictures else ".mp4",
        )
        self.ledger.charge(job)
        if job.fate is JobOutcome.SUCCEEDS:
            self.previews.order(self._scene(job, body))
        return await self._spoiled(job_json.accepted(job, self.origin), rule, request)

    async def _status(self, request: Request) -> Response:
        job, rule = self._job_of(Route.STATUS, request)
        now = self.clock()
        ahead = self.dispatcher.ahead_of(job, now)
        record = job_json.status(job, now, ahead, self.origin, self.settings.failed_word)
        return await self._spoiled(record, rule, request)

    async def _result(self, request: Request) -> Response:
        job, rule = self._job_of(Route.RESULT, request)
        now = self.clock()
        if self.settings.early_result == "error" and job.phase(now) in {Phase.QUEUED, Phase.RUNNING}:
            early = Refusal(400, "the result is not ready", 400005)
            return await self._spoiled(early.answer, rule, request)
        with_cost = request.query_params.get("include_cost") == "true"
        cost_after_s = self.settings.late_cost_s if with_cost else None
        record = job_json.result(job, now, self.origin, cost_after_s)
        return await self._spoiled(record, rule, request)

    async def _cancel(self, request: Request) -> Response:
        job, rule = self._job_of(Route.CANCEL, request)
        now = self.clock()
        done = job.phase(now) is Phase.QUEUED and (rule is None or rule.fault.accepted)
        if done:
            self.dispatcher.withdraw(job)
            job = self.ledger.cancel(job.request_id, at=now)
        answer = JSONResponse(job_json.cancel(job, now, done=done), 202)
        return await self._spoiled(answer, rule, request)

    async def _list_models(self, request: Request) -> Response:
        rule = self._free_look(Route.CATALOGUE, request)
        return await self._spoiled(catalogue.page(self.models, request.query_params), rule, request)

    async def _list_categories(self, request: Request) -> Response:
        rule = self._free_look(Route.CATALOGUE, request)
        return await self._spoiled(catalogue.categories(self.models), rule, request)

    async def _one_model(self, request: Request) -> Response:
        name = request.path_params["model_id"]
        rule = self._free_look(Route.CATALOGUE, request, model=name)
        return await self._spoiled(catalogue.entry(name, self._known(name)), rule, request)

    async def _balance(self, request: Request) -> Response:
        rule = self._free_look(Route.BALANCE, request)
        micros = self._micros_left()
        record = {"balance_usd": micros / 1_000_000, "balance_microdollars": micros, "currency": "USD"}
        return await self._spoiled(record, rule, request)

    async def _file(self, request: Request) -> Response:
        self.ledger.hits[Route.FILE] += 1
        if "authorization" in request.headers:
            self.ledger.token_leaks += 1
        job = self.ledger.find_file(request.path_params["name"])
        ended = job is not None and job.phase(self.clock()) is Phase.ENDED
        if job is None or not ended or self._expired(job, self.settings.file_ttl_s):
            return Response("no such file", 404, media_type="text/plain")
        scene = self._scene(job, json.loads(job.body))
        clip = await asyncio.shield(asyncio.wrap_future(self.previews.order(scene)))
        kind = "image/png" if scene.is_picture else "video/mp4"
        answer = FileResponse(clip, media_type=kind, headers={"etag": f'"{scene.key}"'})
        rule = self.faults.strike(Route.FILE, model=job.model, key=job.request_id)
        return await self._spoiled(answer, rule, request)

    async def _show_ledger(self, _: Request) -> Response:
        now, ledger = self.clock(), self.ledger
        return JSONResponse(
            {
                "charges": [job_json.charge(job, now) for job in ledger.charges()],
                "submits": ledger.submits,
                "distinct": ledger.distinct,
                "doubled": len(ledger.doubled()),
                "peak_outstanding": ledger.peak_outstanding,
                "token_leaks": ledger.token_leaks,
                "spent_usd": ledger.spent / 1_000_000,
                "hits": ledger.hits,
            }
        )

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"ok": True, "simulated": True, "previews": self.previews.real})

    async def _spoiled(
        self, right: Response | Mapping[str, Any], rule: Rule | None, request: Request
    ) -> Response:
        """Return what the client sees of a right answer or record, after the rule's delay, if the client waits."""
        if not isinstance(right, Response):
            right = JSONResponse(right)
        if rule is None:
            return right
        if rule.delay_s:
            await client_left(request.receive, within=rule.delay_s)
        if rule.fault.answer is None:
            return right
        if isinstance(right, FileResponse):
            right = await in_memory(right, request)
        return rule.fault.answer(FaultContext(right, rule, request, self.clock))

    def _owner(self, request: Request) -> str:
        """Return a name for the token's account that does not reveal the token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or self.settings.token not in {None, token}:
            raise Refusal(self.settings.auth_status, "missing, expired or revoked token", 400004)
        return hashlib.sha256(token.encode("latin-1")).hexdigest()[:16]

    def _known(self, name: str) -> Model:
        model = self.models.find(name)
        if model is None:
            raise Refusal(self.settings.unknown_model_status, f"unknown model {name[:200]}", 400001)
        return model

    def _checked(self, raw: bytes, model: Model) -> dict[str, JsonValue]:
        status = self.settings.bad_input_status
        try:
            body = json.loads(raw, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refusal(status, "the body is not a JSON object")
        if faults := model.body_faults(body):
            detail: list[JsonValue] = [
                {"loc": ["body", field], "msg": message, "type": "value_error"} for field, message in faults
            ]
            raise Refusal(status, "the inputs do not fit the model", detail=detail)
        return body

    def _job_of(self, route: Route, request: Request) -> tuple[Job, Rule | None]:
        """Return the job of a request, and the rule that applies to it."""
        self.ledger.hits[route] += 1
        owner = self._owner(request)
        request_id = request.path_params["request_id"]
        job = self.ledger.find(request_id)
        if job is None and not _ID.fullmatch(request_id):
            raise Refusal(400, "malformed request id", 400001)
        if job is None or self._expired(job, self.settings.id_ttl_s):
            raise Refusal(404, "unknown, deleted or expired request id", 404001)
        # Where one token is accepted there is one account, whatever its token was when the ledger was begun.
        if self.settings.token is None and job.owner != owner:
            raise Refusal(403, "the request belongs to another account", 403001)
        return job, self.faults.strike(route, model=job.model, key=request_id)

    def _free_look(self, route: Route, request: Request, *, model: str = "") -> Rule | None:
        self.ledger.hits[route] += 1
        self._owner(request)
        return self.faults.strike(route, model=model)

    def _expired(self, job: Job, ttl: float | None) -> bool:
        return ttl is not None and job.over_at is not None and self.clock() > job.over_at + ttl

    def _price(self, name: str, model: Model, body: Mapping[str, JsonValue]) -> int:
        """Return what a body costs, in millionths of a dollar."""
        known = self.prices(name, body)
        return catalogue.price_of(name, model).of(body) if known is None else round(known * 1_000_000)

    def _micros_left(self) -> int:
        """Return what is left of the balance; an account that never runs out shows the same sum at all times."""
        if self.settings.balance_usd is None:
            return _ENDLESS_MICROS
        return round(self.settings.balance_usd * 1_000_000) - self.ledger.spent

    def _scene(self, job: Job, body: Mapping[str, JsonValue]) -> Scene:
        scene = scene_of(
            job.model,
            body,
            slate=self.slates(job.model, body),
            is_small=self.settings.small,
            is_picture=job.file.endswith(job_json.PICTURE),
        )
        return flawed(scene, job.flaw)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
