"""A virtual service for whole nights: jobs, a ledger, weather, and machines that sleep; no socket and no real second.

In: bodies, ids and the weather. Out: exchanges, which go through the product's own classifier, and a ledger that says
what was charged and for which take. The service's time goes on while the client's machine sleeps. What a request does
here happens when it arrives, so a client that dies meanwhile changes nothing. It decides nothing about money.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.states import Delivered

READ_DEADLINE = 20.0
_LINK_LIVES = 2 * 3600.0


class Bad(StrEnum):
    """A kind of weather."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    LOSING = "losing"
    ERRING = "erring"
    THROTTLED = "throttled"
    CLIPS_AWAY = "clips away"


@dataclass(frozen=True, slots=True)
class Spell:
    """Bad weather from `begin` to `end` in the service's seconds; it strikes that `share` of the requests."""

    bad: Bad
    begin: float
    end: float
    share: float = 1.0
    reads_only: bool = False


@dataclass(frozen=True, slots=True)
class Fates:
    """How jobs go: their `median` seconds, and the shares that end badly or take twenty times as long."""

    median: float = 90.0
    moderated: float = 0.03
    failing: float = 0.03
    empty: float = 0.01
    refused: float = 0.01
    slow: float = 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it left, by the service's time, and what it was."""

    at: float
    verb: str


@dataclass(slots=True)
class Job:
    """One accepted job: a charge. Times are the service's seconds."""

    request_id: str
    take: str
    at: float
    starts: float
    ends: float
    fate: str


@dataclass(slots=True)
class _Call:
    verb: str
    effect: Callable[[], Answer]
    answer: asyncio.Future[HttpOutcome]
    deadline: float


def body_of(take: str) -> str:
    """Return the body by which the service knows whose job it is."""
    return json.dumps({"promptText": take})


def take_of(body: str) -> str:
    """Return the take that a body belongs to."""
    return str(json.loads(body)["promptText"])


class NightApi:
    """The service; its ledger is the truth about money.

    `asked` has every request by the service's time, `left_at` the same by the machine's own, and `accepted_at` when
    jobs were accepted, also by the machine's own. `posting` is set whenever a POST has begun.
    """

    def __init__(self, *, seed: int, weather: Iterable[Spell] = (), fates: Fates | None = None) -> None:
        self.weather = tuple(weather)
        self.fates = fates or Fates()
        self.ledger: list[Job] = []
        self.asked: list[Asked] = []
        self.left_at: list[float] = []
        self.accepted_at: list[float] = []
        self.clips: list[tuple[str, str]] = []
        self.posting = asyncio.Event()
        self._seed = seed
        self._random = random.Random(seed)
        self._jobs: dict[str, Job] = {}
        self._charges: Counter[str] = Counter()
        self._skipped = 0.0
        self._sleeps = 0

    def now(self) -> float:
        """Return the service's time in seconds."""
        return asyncio.get_running_loop().time() + self._skipped

    def machine_slept(self, seconds: float) -> None:
        """Let the service's time go on while the client's machine stood still; what was in the air is cut."""
        self._skipped += seconds
        self._sleeps += 1

    def charges_of(self, take: str) -> list[str]:
        """Return the ids of all jobs that were charged for a take."""
        return [job.request_id for job in self.ledger if job.take == take]

    def job(self, request_id: str) -> Job | None:
        """Return a job by its id."""
        return self._jobs.get(request_id)

    async def talk(
        self,
        verb: str,
        effect: Callable[[], Answer],
        *,
        deadline: float = READ_DEADLINE,
        begin: Callable[[], Awaitable[None]] | None = None,
    ) -> HttpOutcome:
        """Carry one request to the service and back, through whatever weather there is."""
        loop = asyncio.get_running_loop()
        self.asked.append(Asked(self.now(), verb))
        self.left_at.append(loop.time())
        if self._strikes(verb) is Bad.UNREACHABLE:
            await asyncio.sleep(0.02)
            return NoResponse(SendStage.NOTHING_SENT, SilenceKind.UNREACHABLE, "connection refused")
        if begin is not None:
            await asyncio.sleep(0.02)
            await begin()
            self.posting.set()
        sleeps = self._sleeps
        call = _Call(verb, effect, loop.create_future(), deadline)
        loop.call_later(self._random.uniform(0.02, 0.3), self._arrive, call)
        exchange = await call.answer
        if sleeps != self._sleeps:
            return NoResponse(SendStage.SENT, SilenceKind.BROKEN, "the connection was cut by sleep")
        return exchange

    def _strikes(self, verb: str) -> Bad | None:
        now = self.now()
        for spell in self.weather:
            mine = verb != "submit" or not spell.reads_only
            if spell.begin <= now < spell.end and mine and spell.bad is not Bad.CLIPS_AWAY:
                return spell.bad if self._random.random() < spell.share else None
        return None

    def _arrive(self, call: _Call) -> None:
        match self._strikes(call.verb):
            case Bad.SILENT:
                self._answer(call, _timed_out(), after=call.deadline)
            case Bad.UNREACHABLE:
                self._answer(call, NoResponse(SendStage.SENDING, SilenceKind.BROKEN, "reset"), after=0.0)
            case Bad.LOSING:
                call.effect()
                late = self._random.random() < 0.5
                broken = NoResponse(SendStage.SENT, SilenceKind.BROKEN, "reset")
                self._answer(call, _timed_out() if late else broken, after=call.deadline if late else 0.1)
            case Bad.ERRING:
                # Half of the gateways' complaints come after the work was taken on.
                if self._random.random() < 0.5:
                    call.effect()
                status = self._random.choice((500, 502, 503, 504))
                self._answer(call, Answer(status, b"<html>bad gateway</html>"), after=0.1)
            case Bad.THROTTLED:
                wish = {} if self._random.random() < 0.5 else {"retry-after": "20"}
                self._answer(call, Answer(429, b"{}", wish), after=0.05)
            case _:
                # Of a read only the way there is worth a moment of its own: nights are long.
                after = self._random.uniform(0.02, 0.3) if call.verb == "submit" else 0.0
                self._answer(call, call.effect(), after=after)

    def _answer(self, call: _Call, exchange: HttpOutcome, *, after: float) -> None:
        def give() -> None:
            if not call.answer.done():
                call.answer.set_result(exchange)

        if after:
            asyncio.get_running_loop().call_later(after, give)
        else:
            give()

    def refuses(self, take: str) -> bool:
        """Return whether it refuses what a take would send next; it does so each time."""
        return self._chance(take).random() < self.fates.refused

    def _chance(self, take: str) -> random.Random:
        return random.Random(f"{self._seed}/{take}/{self._charges[take]}")

    def accept(self, body: str) -> Answer:
        """Charge for a job, whatever was charged before."""
        take = take_of(body)
        chance = self._chance(take)
        if chance.random() < self.fates.refused:
            return _json(422, {"detail": [{"loc": ["body", "image"], "msg": "cannot be read"}]})
        self._charges[take] += 1
        self.accepted_at.append(asyncio.get_running_loop().time())
        now = self.now()
        starts = now + chance.expovariate(1 / 8.0)
        lasts = self.fates.median * chance.lognormvariate(0.0, 0.4)
        if chance.random() < self.fates.slow:
            lasts *= 20
        job = Job(
            f"r{len(self.ledger):05}-{chance.randrange(1 << 32):08x}", take, now, starts, starts + lasts, ""
        )
        job.fate = self._fate(chance)
        self.ledger.append(job)
        self._jobs[job.request_id] = job
        return _json(200, {"request_id": job.request_id})

    def _fate(self, chance: random.Random) -> str:
        drawn, fates = chance.random(), self.fates
        for share, fate in (
            (fates.moderated, "moderated"),
            (fates.failing, "failed"),
            (fates.empty, "empty"),
        ):
            if drawn < share:
                return fate
            drawn -= share
        return "succeeded"

    def status(self, request_id: str) -> Answer:
        """Return where a job stands."""
        job = self._jobs.get(request_id)
        if job is None:
            return _json(404, {"error_code": 404001})
        now = self.now()
        word = "completed" if now >= job.ends else "in_progress" if now >= job.starts else "in_queue"
        if word == "in_progress" and self._random.random() < 0.002:
            word = self._random.choice(("warming_up", "in_queue"))
        return _json(200, {"request_id": request_id, "status": word})

    def record(self, request_id: str) -> Answer:
        """Return a job's result record, with a link that lives for two hours."""
        job = self._jobs.get(request_id)
        if job is None:
            return _json(404, {"error_code": 404001})
        if self.now() < job.ends:
            return _json(400, {"error_code": 400005})
        link = f"https://clips.example/{request_id}.mp4?until={self.now() + _LINK_LIVES:.0f}"
        said: dict[str, dict[str, object]] = {
            "succeeded": {"status": "succeeded", "output": {"video": link}, "cost": 0.25},
            "empty": {"status": "succeeded", "output": {}},
            "moderated": {"status": "failed", "error": "flagged by content moderation"},
            "failed": {"status": "failed", "error": {"message": "worker died"}},
        }
        return _json(200, {"request_id": request_id, **said[job.fate]})

    def no_cancel(self, request_id: str) -> Answer:
        """Say that nothing can be cancelled."""
        known = request_id in self._jobs
        return _json(202, {"outcome": "not_cancellable"}) if known else _json(404, {"error_code": 404001})

    def clip(self, take: str, link: str) -> FetchAnswer:
        """Answer a download; what is brought home is noted with the take that asked for it."""
        now = self.now()
        if any(one.bad is Bad.CLIPS_AWAY and one.begin <= now < one.end for one in self.weather):
            return FetchTrouble("connection refused", unreachable=True)
        name, _, until = link.removeprefix("https://clips.example/").partition(".mp4?until=")
        if now > float(until):
            return FetchTrouble("HTTP 403", link_refused=True)
        if self._random.random() < 0.02:
            return FetchTrouble("the body broke off")
        self.clips.append((take, name))
        return Delivered(f"clips/{take}.mp4", "0" * 64, 1)


def _timed_out() -> NoResponse:
    return NoResponse(SendStage.SENT, SilenceKind.TIMEOUT, "ReadTimeout")


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode())
