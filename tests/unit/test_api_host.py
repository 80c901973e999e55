"""A host that does not exist is a wrong address and ends a run soon; one that was there before is waited for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import NoReturn

import pytest

from runner.api.account import Account, Secret
from runner.api.classify import sort_look, sort_probe, sort_submit
from runner.api.client import Host, RunComfyQueue
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.read_pool import ReadPool
from runner.api.submit_client import SubmitClient
from runner.domain.api_answers import FailureKind, LookAnswer, RequestFailure, SubmitAnswer
from runner.domain.errors import CertificateRefused, NoSuchHost, ProxyRefused, ShotrunnerError
from runner.domain.run_ending import EndingKind
from runner.domain.shots import Ticket
from runner.domain.states import LostContact, NotSent, TakeState
from runner.engine.circuit_breaker import ABSENCES_THAT_END
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.testing import JobScript, MemoryDelivery, MemoryJournal, Recorder, ScriptedQueue
from runner.system.proxies import read_proxies
from tests.unit.test_engine import EPOCH, Night, night, ticket
from tests.virtual_time import VirtualClock, VirtualLoop

NAME = "model-api.exmaple.net"
ORIGIN = f"https://{NAME}"
NO_SUCH_NAME = NoResponse(SendStage.NOTHING_SENT, SilenceKind.NO_SUCH_NAME, "ConnectError")
WORDS_OF_IT = f"ConnectError: [Errno {int(socket.EAI_NONAME)}] Name or service not known"
REFUSED = NoResponse(
    SendStage.NOTHING_SENT, SilenceKind.UNREACHABLE, "ConnectError: All connection attempts failed"
)
ABSENT = RequestFailure(FailureKind.NO_HOST, f"the API's host {NAME} does not exist")
AWAY = RequestFailure(FailureKind.TRANSIENT, "ConnectError")


def silence(milestone: SendStage, kind: SilenceKind, reason: str = "why") -> NoResponse:
    return NoResponse(milestone, kind, reason)


class TestAHost:
    """A name counts as wrong only while nobody has ever been reached under it."""

    @pytest.mark.parametrize("milestone", [SendStage.NOTHING_SENT, SendStage.SENDING])
    def test_whose_name_is_unknown_is_named(self, milestone: SendStage) -> None:
        """Without the trace hook a submit is taken for begun before its connection is made."""
        exchange = NoResponse(milestone, NO_SUCH_NAME.kind, NO_SUCH_NAME.reason)
        host = Host(ORIGIN)
        host.note(exchange)
        assert host.absence(exchange) == ABSENT

    @pytest.mark.parametrize(
        "exchange",
        [
            pytest.param(REFUSED, id="refused"),
            pytest.param(
                silence(SendStage.NOTHING_SENT, SilenceKind.UNREACHABLE, WORDS_OF_IT), id="words alone"
            ),
            pytest.param(silence(SendStage.NOTHING_SENT, SilenceKind.TIMEOUT), id="time-out"),
            pytest.param(silence(SendStage.NOTHING_SENT, SilenceKind.MISUSE, WORDS_OF_IT), id="other kind"),
            pytest.param(Answer(404, WORDS_OF_IT.encode()), id="an answer that quotes it"),
        ],
    )
    def test_that_fails_in_another_way_is_not_called_absent(self, exchange: HttpOutcome) -> None:
        assert Host(ORIGIN).absence(exchange) is None

    @pytest.mark.parametrize(
        ("barred", "kind"),
        [(SilenceKind.CERTIFICATE, FailureKind.UNTRUSTED), (SilenceKind.PROXY, FailureKind.PROXY)],
    )
    def test_that_is_barred_is_an_outage_once_it_was_reached(
        self, barred: SilenceKind, kind: FailureKind
    ) -> None:
        host, exchange = Host(ORIGIN), NoResponse(SendStage.NOTHING_SENT, barred, "why", advice="what to do")
        assert host.absence(exchange) == RequestFailure(kind, "why", advice="what to do")
        host.note(Answer(500, b""))
        assert host.absence(exchange) is None

    def test_behind_a_proxy_without_a_host_is_not_called_absent_itself(self) -> None:
        (proxy,) = filter(None, [read_proxies({"HTTPS_PROXY": "http://p.example:3128"}).proxy])
        found = Host(ORIGIN, proxy=proxy).absence(NO_SUCH_NAME)
        assert found is not None
        assert found.reason == "the host of the proxy http://p.example:3128 does not exist"
        assert "HTTPS_PROXY" in found.advice

    @pytest.mark.parametrize(
        ("before", "known"),
        [
            pytest.param(Answer(500, b""), True, id="an answer"),
            pytest.param(silence(SendStage.SENT, SilenceKind.TIMEOUT), True, id="sent"),
            pytest.param(silence(SendStage.SENDING, SilenceKind.BROKEN), True, id="begun"),
            pytest.param(silence(SendStage.SENDING, SilenceKind.UNREACHABLE), False, id="never connected"),
            pytest.param(silence(SendStage.SENDING, SilenceKind.NO_SUCH_NAME), False, id="never found"),
            pytest.param(REFUSED, False, id="refused"),
        ],
    )
    def test_that_was_reached_once_is_never_called_absent_again(
        self, before: HttpOutcome, *, known: bool
    ) -> None:
        host = Host(ORIGIN)
        host.note(before)
        assert (host.absence(NO_SUCH_NAME) is None) is known


class NoNames(VirtualLoop):
    """A virtual loop on a network that knows no names, and says so in another language than ours."""

    said: OSError = socket.gaierror(socket.EAI_NONAME, "Der Name ist unbekannt")

    async def getaddrinfo(self, *_where: object, **_how: object) -> NoReturn:
        """Answer as the system does for a name that does not exist."""
        raise self.said


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        pytest.param(NoNames.said, SilenceKind.NO_SUCH_NAME, id="no such name"),
        pytest.param(
            socket.gaierror(socket.EAI_AGAIN, "Name or service not known"),
            SilenceKind.UNREACHABLE,
            id="a resolver that is away",
        ),
        pytest.param(
            OSError(socket.EAI_NONAME, "no resolver's"), SilenceKind.UNREACHABLE, id="another's number"
        ),
    ],
)
def test_only_the_resolvers_own_number_says_that_there_is_no_such_name(
    said: OSError, kind: SilenceKind
) -> None:
    """Through the real transport, for a read and for a submit; no wording counts, ours or another's."""

    async def begun() -> None:
        """Write nothing down."""

    async def main() -> list[HttpOutcome]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NoNames)
        loop.said = said
        lanes, submits = ReadPool(ORIGIN, Secret("t")), SubmitClient(ORIGIN, Secret("t"))
        try:
            return [await lanes.ask("/x"), await submits.post("/x", b"{}", begin=begun)]
        finally:
            await lanes.aclose()
            await submits.aclose()

    with asyncio.Runner(loop_factory=NoNames) as runner:
        found = runner.run(main())
    assert [(each.milestone, each.kind) for each in found if isinstance(each, NoResponse)] == [
        (SendStage.NOTHING_SENT, kind),
        (SendStage.NOTHING_SENT, kind),
    ]


def test_the_real_adapter_on_a_network_without_the_name_ends_soon_with_nothing_begun() -> None:
    """From the resolver's own exception, through the real transport, to the error a person reads."""
    tickets = [ticket("s0"), ticket("s1")]
    journal = MemoryJournal(["s0", "s1"])

    async def main() -> float:
        clock = VirtualClock(epoch=EPOCH)
        queue = RunComfyQueue(Account(ORIGIN, Secret("canary-token"), "a test"), clock=clock)
        engine = Engine(
            tickets,
            queue=queue,
            journal=journal,
            delivery=MemoryDelivery(),
            clock=clock,
            listener=Recorder(),
            options=EngineOptions(),
            epoch=journal.epoch,
            chance=lambda: 0.5,
        )
        try:
            with pytest.raises(NoSuchHost, match=rf"host {NAME} does not exist; nothing was sent"):
                await engine.run()
        finally:
            await queue.aclose()
        return clock.monotonic()

    with asyncio.Runner(loop_factory=NoNames) as runner:
        assert runner.run(main()) < 60
    assert journal.facts == []


UNSENT = JobScript(submits=[lambda a: NotSent(a, "ConnectError: [Errno -2]")] * 100_000)


def ended_wrongly(tickets: list[Ticket], queue: ScriptedQueue, journal: MemoryJournal) -> NoSuchHost:
    with pytest.raises(NoSuchHost) as refusal:
        night(tickets, queue=queue, journal=journal)
    return refusal.value


HOPELESS = JobScript(submits=[lambda a: NotSent(a, "not accepted", hopeless=True)] * 9)


@pytest.mark.parametrize(
    ("kind", "refusal"), [(FailureKind.UNTRUSTED, CertificateRefused), (FailureKind.PROXY, ProxyRefused)]
)
@pytest.mark.parametrize("state", [TakeState.PENDING, TakeState.RUNNING])
def test_a_run_whose_way_is_barred_ends_at_once_with_what_to_do(
    kind: FailureKind, refusal: type[ShotrunnerError], state: TakeState
) -> None:
    """Whether it has something to send, or only asks about jobs of an earlier run."""
    journal = MemoryJournal(["s0"])
    away = [RequestFailure(FailureKind.TRANSIENT, "not accepted")] * 999
    queue = ScriptedQueue(
        {"s0": HOPELESS if state is TakeState.PENDING else JobScript(looks=list(away))},
        probes=[RequestFailure(kind, "not accepted", advice="set it right")] * 9,
    )
    job = ticket("s0", state=state)
    if state is TakeState.RUNNING:
        job = ticket("s0", state=state, request_id="old-1", submitted_at=EPOCH - 600)
    with pytest.raises(refusal, match="not accepted; nothing was sent") as ended:
        night([job], queue=queue, journal=journal)
    assert (ended.value.advice, ended.value.exit_code) == ("set it right", 77)
    assert queue.calls("submit") == (state is TakeState.PENDING)
    assert queue.calls("probe") == 1
    assert journal.facts == []


class TestARunWhoseFirstContactsFindNoHost:
    """It ends within a minute, says what to check, and nothing has moved."""

    def test_ends_as_a_configuration_error(self) -> None:
        journal = MemoryJournal(["s0", "s1"])
        queue = ScriptedQueue({"s0": UNSENT}, probes=[ABSENT] * 1000)
        error = ended_wrongly([ticket("s0"), ticket("s1")], queue, journal)
        assert error.exit_code == 64
        assert NAME in error.message
        assert "--api-base" in error.advice
        assert "DNS" in error.advice
        assert queue.calls("submit") == 1
        assert queue.calls("probe") == ABSENCES_THAT_END
        assert queue.history[-1][0] < 60
        assert (journal.facts, queue.ledger) == ([], [])

    def test_leaves_what_an_earlier_run_has_out_there_where_it_is(self) -> None:
        out = ticket("s0", state=TakeState.RUNNING, request_id="old-1", submitted_at=EPOCH - 600)
        journal = MemoryJournal(["s0"])
        journal._rows["s0"].state = TakeState.RUNNING
        lost = JobScript(looks=[AWAY] * 100_000)
        queue = ScriptedQueue({"s0": lost}, probes=[ABSENT] * 1000)
        ended_wrongly([out], queue, journal)
        assert journal.state_of("s0")[0] is TakeState.RUNNING
        assert journal.facts == []

    def test_goes_on_if_the_name_turns_up_in_time(self) -> None:
        once = JobScript(submits=[lambda a: NotSent(a, "ConnectError: [Errno -2]")])
        queue = ScriptedQueue({"s0": once}, probes=[ABSENT] * (ABSENCES_THAT_END - 1))
        run = night([ticket("s0")], queue=queue)
        assert run.states() == {"s0": TakeState.SUCCEEDED}
        assert run.queue.ledger == ["s0"]

    def test_counts_only_absences_in_a_row(self) -> None:
        few = [ABSENT] * (ABSENCES_THAT_END - 1)
        once = JobScript(submits=[lambda a: NotSent(a, "ConnectError: [Errno -2]")])
        run = night([ticket("s0")], queue=ScriptedQueue({"s0": once}, probes=[*few, AWAY, *few]))
        assert run.states() == {"s0": TakeState.SUCCEEDED}


class LosesItsName(ScriptedQueue):
    """An API whose name is taken off the network at a time, sorted as the real adapter sorts it."""

    def __init__(self, *, gone_at: float) -> None:
        super().__init__()
        self._gone_at = gone_at
        self._host = Host(ORIGIN)

    def _found(self) -> bool:
        found = asyncio.get_running_loop().time() < self._gone_at
        self._host.note(Answer(200, b"{}") if found else NO_SUCH_NAME)
        return found

    async def submit(
        self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
    ) -> SubmitAnswer:
        """Accept, or find nobody."""
        if self._found():
            return await super().submit(ticket, attempt=attempt, begin=begin)
        self._note("submit", ticket.take_id)
        return sort_submit(NO_SUCH_NAME, attempt=attempt, now=EPOCH)

    async def look(self, request_id: str) -> LookAnswer:
        """Look, or find nobody."""
        return await super().look(request_id) if self._found() else sort_look(NO_SUCH_NAME, now=EPOCH)

    async def probe(self, model: str) -> RequestFailure | None:
        """Answer, or find nobody."""
        if self._found():
            return await super().probe(model)
        self._note("probe", model)
        return self._host.absence(NO_SUCH_NAME) or sort_probe(NO_SUCH_NAME, now=EPOCH)


@pytest.mark.parametrize("gone_at", [0.005, 3.0, 12.0], ids=["after a submit", "in a job", "between jobs"])
def test_after_one_success_a_name_that_vanishes_is_an_outage_like_any_other(gone_at: float) -> None:
    options = EngineOptions(jobs=1, outage_limit=3600.0)
    run: Night = night(
        [ticket(f"s{n}") for n in range(9)], queue=LosesItsName(gone_at=gone_at), options=options
    )
    assert run.ending.kind is EndingKind.OUTAGE
    assert run.seconds >= 3600
    assert LostContact not in {type(fact) for _, fact in run.journal.facts}
    assert TakeState.PENDING in run.states().values()
