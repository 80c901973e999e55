"""Serves the API's routes: checks a request, asks the ledger and the dispatcher, and lets a rule spoil the answer.

In: requests. Out: answers, charges in the ledger, and clips ordered in advance. It gets everything it needs from its
caller. It runs on one event loop, and only a request for a clip waits for anything slower than an `fsync`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route as Path_

from runner.simulator import catalogue, error_responses, job_json, odd_files
from runner.simulator.clip_cache import ClipCache
from runner.simulator.error_responses import Refusal
from runner.simulator.fault_responses import FaultContext, ServerContext, balance_record, refused, spoiled
from runner.simulator.faults import FAULTS, Fault, FaultPlan, Route, Rule
from runner.simulator.jobs import Dispatcher, Job, JobOutcome, Phase
from runner.simulator.ledger import Ledger
from runner.simulator.scene import Scene, clip_seconds, scene_of
from runner.system.canonical_json import JsonValue

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FATES: Mapping[Fault, JobOutcome] = {
    Fault(fate): fate for fate in JobOutcome if fate is not JobOutcome.SUCCEEDS
}
_log = logging.getLogger(__name__)


Slates: TypeAlias = Callable[[str, Mapping[str, JsonValue]], str]
"""Returns the name of the take that a model's body belongs to, or an empty text; a request does not name its take."""


@dataclass(frozen=True, slots=True)
class House:
    """All parts of one simulator."""

    stage: ServerContext
    models: catalogue.KnownModels
    ledger: Ledger
    dispatcher: Dispatcher
    mischief: FaultPlan
    previews: ClipCache
    slates: Slates

    def scene(self, model: str, body: Mapping[str, JsonValue]) -> Scene:
        """Return what a job's clip shows, with the take's name on it if it is known."""
        return scene_of(model, body, slate=self.slates(model, body))


def application(house: House) -> Starlette:
    """Return the ASGI application for a house."""
    front = _Front(house)
    routes = [
        Path_("/v1/models", front.list_models),
        Path_("/v1/models/categories", front.list_categories),
        Path_("/v1/models/{model_id:path}", front.one_model),
        Path_("/v1/models/{model_id:path}", front.submit, methods=["POST"]),
        Path_("/v1/requests/{request_id:path}/status", front.status),
        Path_("/v1/requests/{request_id:path}/result", front.result),
        Path_("/v1/requests/{request_id:path}/cancel", front.cancel, methods=["POST"]),
        Path_("/prod/v2/balance", front.balance),
        Path_("/files/{name}", front.file),
        Path_("/__ledger", front.show_ledger),
        Path_("/__health", front.health),
    ]
    return Starlette(routes=routes, exception_handlers={Refusal: _on_refusal, Exception: _on_bug})


async def _on_refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return refused(error)


async def _on_bug(request: Request, error: Exception) -> Response:
    _log.error("the simulator failed on %s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error_message": f"a bug of the simulator: {error!r}"}, 500)


class _Front:
    """The endpoints."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stage = house.stage
        self._settings = house.stage.settings
        self._ledger = house.ledger

    async def submit(self, request: Request) -> Response:
        self._ledger.note_hit(Route.SUBMIT)
        owner = self._owner(request)
        name = request.path_params["model_id"]
        model = self._known(name)
        raw = await request.body()
        body = self._checked(raw, model)
        if self._balance() <= 0:
            raise error_responses.no_balance(self._settings)
        key = hashlib.sha256(raw).hexdigest()
        rule = self._house.mischief.strike(Route.SUBMIT, model=name, key=key)
        if rule is not None and not rule.accepted:
            return await self._spoiled(_unaccepted(rule), rule, request)
        job = self._house.dispatcher.decide(
            name,
            raw,
            owner=owner,
            price=catalogue.price_of(name, model).of(body),
            seconds=clip_seconds(body),
            fate=_FATES.get(rule.fault) if rule else None,
            id_form=rule.id if rule and rule.fault is Fault.ODD_ID else "{}",
            outputs=rule.outputs if rule and rule.fault is Fault.OUTPUTS else 1,
        )
        if rule is not None and rule.fault is Fault.ODD_ID:
            rule = replace(rule, id="{}")  # the job has the odd id, and its answer repeats it as it is
        self._ledger.charge(job)
        if job.fate in {JobOutcome.SUCCEEDS, JobOutcome.NEVER_ENDS}:
            self._house.previews.order(self._house.scene(name, body))
        return await self._spoiled(JSONResponse(job_json.accepted(job, self._stage.origin)), rule, request)

    async def status(self, request: Request) -> Response:
        job, rule = self._look(Route.STATUS, request)
        now = self._stage.clock()
        ahead = self._house.dispatcher.ahead_of(job, now)
        record = job_json.status(
            job, now=now, ahead=ahead, origin=self._stage.origin, settings=self._settings, rule=rule
        )
        return await self._spoiled(JSONResponse(record), rule, request)

    async def result(self, request: Request) -> Response:
        job, rule = self._look(Route.RESULT, request)
        return await self._spoiled(self._result_of(job, request, rule), rule, request)

    def _result_of(self, job: Job, request: Request, rule: Rule | None) -> Response:
        now = self._stage.clock()
        if job_json.is_early(job, now=now, rule=rule):
            if self._settings.early_result == "error":
                return refused(error_responses.not_ready())
            return JSONResponse(job_json.early_result(job, now=now))
        with_cost = request.query_params.get("include_cost") == "true"
        return JSONResponse(
            job_json.result(
                job, now=now, origin=self._stage.origin, with_cost=with_cost, settings=self._settings
            )
        )

    async def cancel(self, request: Request) -> Response:
        job, rule = self._look(Route.CANCEL, request)
        now = self._stage.clock()
        is_refused = rule is not None and FAULTS[rule.fault].accepted is False
        waiting = job.phase(now) is Phase.QUEUED and not is_refused
        if waiting:
            self._house.dispatcher.withdraw(job)
            job = self._ledger.cancel(job.request_id, at=now)
        answer = JSONResponse(job_json.cancel(job, now=now, done=waiting), 202)
        return await self._spoiled(answer, rule, request)

    async def list_models(self, request: Request) -> Response:
        rule = self._free_look(Route.CATALOGUE, request)
        page = catalogue.page(self._house.models, _query(request.query_params))
        return await self._spoiled(JSONResponse(page), rule, request)

    async def list_categories(self, request: Request) -> Response:
        rule = self._free_look(Route.CATALOGUE, request)
        return await self._spoiled(JSONResponse(catalogue.categories(self._house.models)), rule, request)

    async def one_model(self, request: Request) -> Response:
        name = request.path_params["model_id"]
        rule = self._free_look(Route.CATALOGUE, request, model=name)
        entry = catalogue.entry(name, self._known(name))
        return await self._spoiled(JSONResponse(entry), rule, request)

    async def balance(self, request: Request) -> Response:
        rule = self._free_look(Route.BALANCE, request)
        return await self._spoiled(JSONResponse(balance_record(self._balance())), rule, request)

    async def file(self, request: Request) -> Response:
        self._ledger.note_hit(Route.FILE)
        if "authorization" in request.headers:
            self._ledger.note_token_leak()
        found = self._ledger.find_file(request.path_params["name"])
        now = self._stage.clock()
        if found is None or not self._is_served(found[0], now):
            return Response("no such file", 404, media_type="text/plain")
        job, number = found
        scene = self._house.scene(job.model, json.loads(job.body))
        clip = await asyncio.shield(asyncio.wrap_future(self._house.previews.order(scene)))
        rule = self._house.mischief.strike(Route.FILE, model=job.model, key=job.request_id)
        etag = f'"{scene.key}"' if number == 1 else f'"{scene.key}.{number}"'
        if rule is None and number == 1:
            return FileResponse(clip, media_type="video/mp4", headers={"etag": etag})
        whole = odd_files.numbered(clip.read_bytes(), number)
        return await self._spoiled(odd_files.asked_part(whole, etag, request.headers), rule, request)

    def _is_served(self, job: Job, now: float) -> bool:
        return job.phase(now) is Phase.ENDED and not self._expired(job, self._settings.file_ttl_s)

    async def show_ledger(self, _: Request) -> Response:
        now, ledger = self._stage.clock(), self._ledger
        return JSONResponse(
            {
                "charges": [job_json.charge(job, now=now) for job in ledger.charges()],
                "submits": ledger.submits,
                "distinct": ledger.distinct,
                "doubled": len(ledger.doubled()),
                "peak_outstanding": ledger.peak_outstanding,
                "token_leaks": ledger.token_leaks,
                "spent_usd": ledger.spent / 1_000_000,
                "hits": dict(ledger.hits),
            }
        )

    async def health(self, _: Request) -> Response:
        return JSONResponse({"ok": True, "simulated": True, "previews": self._house.previews.real})

    async def _spoiled(self, right: Response, rule: Rule | None, request: Request) -> Response:
        return right if rule is None else await spoiled(FaultContext(right, rule, request, self._stage))

    def _owner(self, request: Request) -> str:
        """Return a name for the token's account that does not reveal the token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or self._settings.token not in {None, token}:
            raise error_responses.bad_token(self._settings)
        return hashlib.sha256(token.encode("latin-1")).hexdigest()[:16]

    def _known(self, name: str) -> catalogue.KnownModel:
        model = self._house.models.find(name)
        if model is None:
            raise error_responses.unknown_model(self._settings, name)
        return model

    def _checked(self, raw: bytes, model: catalogue.KnownModel) -> dict[str, JsonValue]:
        try:
            body = json.loads(raw, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise error_responses.not_json(self._settings) from None
        if not isinstance(body, dict):
            raise error_responses.not_json(self._settings)
        if faults := model.body_faults(body):
            raise error_responses.bad_inputs(self._settings, faults)
        return body

    def _look(self, route: Route, request: Request) -> tuple[Job, Rule | None]:
        """Return the job of a request, and the rule that strikes it."""
        self._ledger.note_hit(route)
        owner = self._owner(request)
        request_id = request.path_params["request_id"]
        job = self._ledger.find(request_id)
        if job is None and not _ID.fullmatch(request_id):
            raise error_responses.malformed_id()
        if job is None or self._expired(job, self._settings.id_ttl_s):
            raise error_responses.unknown_id()
        if job.owner != owner:
            raise error_responses.not_yours()
        return job, self._house.mischief.strike(route, model=job.model, key=request_id)

    def _free_look(self, route: Route, request: Request, *, model: str = "") -> Rule | None:
        self._ledger.note_hit(route)
        self._owner(request)
        return self._house.mischief.strike(route, model=model)

    def _expired(self, job: Job, ttl: float | None) -> bool:
        return ttl is not None and job.over_at is not None and self._stage.clock() > job.over_at + ttl

    def _balance(self) -> int:
        return round(self._settings.balance_usd * 1_000_000) - self._ledger.spent


def _unaccepted(rule: Rule) -> Response:
    """Return the answer to spoil for a submit that is not accepted; it never has an id.

    It looks like an acceptance if the fault shows only a spoiled part of it, and like an outage if all of it shows.
    """
    seen_whole = rule.fault in {Fault.DELAY, Fault.DRIP, Fault.WRONG_LENGTH}
    return JSONResponse(error_responses.unavailable().record(), 503 if seen_whole else 200)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _query(asked: Mapping[str, Any]) -> catalogue.Query:
    def count(name: str, otherwise: int) -> int:
        text = str(asked.get(name, ""))
        return min(int(text), 10_000) if text.isascii() and text.isdigit() else otherwise

    return catalogue.Query(
        search=asked.get("search", ""),
        category=asked.get("category", ""),
        kind=asked.get("kind", ""),
        with_schema=asked.get("include_schema") == "true",
        limit=count("limit", catalogue.PAGE),
        offset=count("offset", 0),
    )
