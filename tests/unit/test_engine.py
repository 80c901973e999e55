"""The engine against scripted fakes, in virtual time: whole nights in milliseconds, and no real sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from runner.domain.api_answers import (
    FailureKind,
    FetchAnswer,
    FetchTrouble,
    JobStatus,
    NotReady,
    RequestFailure,
    StatusReply,
    SubmitAnswer,
)
from runner.domain.errors import DiskFailed
from runner.domain.money import Charge, Spending
from runner.domain.records import CostsUntold, PastJob
from runner.domain.run_ending import Ending, EndingKind, Stop
from runner.domain.run_events import Message
from runner.domain.shots import Ticket
from runner.domain.states import (
    ACTIVE,
    Accepted,
    DeliveryState,
    Ended,
    Fact,
    FailureClass,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    TakeState,
    Undeliverable,
    Vanished,
)
from runner.engine.engine import Engine
from runner.engine.options import (
    NO_PAST,
    RETRIED_BY_ITSELF,
    EngineOptions,
    FailureLimit,
    OnUnknown,
    RunHistory,
)
from runner.engine.poll_pace import LookPace
from runner.engine.ports import Announce, FreeSpace, Journal, unannounced
from runner.engine.testing import (
    JobScript,
    MemoryDelivery,
    MemoryJournal,
    Recorder,
    ScriptedQueue,
    done,
    failed,
)
from tests.virtual_time import VirtualClock, run_virtual

MODEL = "pika/pikaframes"
EPOCH = 1_800_000_000.0


def ticket(name: str, **changes: object) -> Ticket:
    plain = Ticket(name, MODEL, '{"seed":1}', f"print-of-{name}", TakeState.PENDING)
    return replace(plain, **changes)  # type: ignore[arg-type]


def past_jobs(seconds: float, number: int = 1) -> list[PastJob]:
    """Return so many jobs of takes as `ticket` makes them."""
    return [PastJob(MODEL, "{}", seconds)] * number


@dataclass
class Night:
    """One run and everything it touched."""

    queue: ScriptedQueue
    journal: MemoryJournal
    delivery: MemoryDelivery
    heard: Recorder
    ending: Ending
    seconds: float
    untold: CostsUntold | None = None

    @property
    def said(self) -> str:
        return "\n".join(event.text for event in self.heard.events if isinstance(event, Message))

    def states(self) -> dict[str, str]:
        return {name: self.journal.state_of(name)[0] for name in self.journal._rows}


class FailNth:
    """A journal whose n-th record fails as a full disk does, and all after it unless `once`."""

    def __init__(self, journal: Journal, n: int, *, once: bool = False) -> None:
        self._journal = journal
        self._left = n
        self._once = once

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        self._left -= 1
        if self._left == 0 or (self._left < 0 and not self._once):
            return failed(DiskFailed("the disk is full"))
        return self._journal.record(take_id, fact, at=at)


def night(
    tickets: Sequence[Ticket],
    *,
    scripts: Mapping[str, JobScript] | None = None,
    queue: ScriptedQueue | None = None,
    journal: MemoryJournal | None = None,
    delivery: MemoryDelivery | None = None,
    options: EngineOptions | None = None,
    stop: tuple[float, Stop] | None = None,
    patience: float | None = None,
    at: Sequence[tuple[float, Callable[[VirtualClock], None]]] = (),
    orders: Sequence[tuple[float, Callable[[Engine], object]]] = (),
    limit: float = 10 * 24 * 3600.0,
    through: Journal | None = None,
    heard: Recorder | None = None,
    past: RunHistory = NO_PAST,
    deadline: float | None = None,
    room: FreeSpace | None = None,
    announce: Announce = unannounced,
    stand_ins: tuple[str, ...] = (),
) -> Night:
    """Run the engine once over `tickets` in virtual time."""
    the_queue = queue or ScriptedQueue(scripts)
    the_journal = journal or MemoryJournal([each.take_id for each in tickets])
    the_delivery = delivery or MemoryDelivery()
    heard = heard or Recorder()

    async def main() -> tuple[Ending, float, CostsUntold | None]:
        clock = VirtualClock(epoch=EPOCH)
        for each in tickets:
            if each.request_id is not None and each.request_id not in the_queue._jobs:
                the_queue.adopt(each)
        engine = Engine(
            tickets,
            queue=the_queue,
            journal=through or the_journal,
            delivery=the_delivery,
            clock=clock,
            listener=heard,
            options=options or EngineOptions(),
            epoch=the_journal.epoch,
            past=past,
            deadline=deadline,
            room=room,
            announce=announce,
            stand_ins=stand_ins,
            chance=lambda: 0.5,
        )
        loop = asyncio.get_running_loop()
        if stop is not None:
            loop.call_later(stop[0], lambda: engine.stop(stop[1], patience=patience))
        for when, happening in at:
            loop.call_later(when, happening, clock)
        for when, order in orders:
            loop.call_later(when, order, engine)
        async with asyncio.timeout(limit):
            return await engine.run(), clock.monotonic(), engine.costs_untold

    return Night(the_queue, the_journal, the_delivery, heard, *run_virtual(main()))


def test_every_take_is_submitted_once_and_delivered_once() -> None:
    run = night([ticket(f"s{n:03}") for n in range(20)])
    assert run.ending.kind is EndingKind.FINISHED
    assert sorted(run.queue.ledger) == [f"s{n:03}" for n in range(20)]
    assert sorted(name for name, _ in run.delivery.fetched) == [f"s{n:03}" for n in range(20)]


def test_facts_of_a_take_come_in_the_order_of_the_payment_protocol() -> None:
    run = night([ticket("s010")])
    assert run.journal.kinds("s010") == [
        "SubmissionStarted",
        "Accepted",
        "Started",
        "Ended",
        "FetchStarted",
        "Delivered",
    ]


def test_takes_are_submitted_in_the_order_given() -> None:
    run = night([ticket(name) for name in ("s030", "s010", "s020")])
    assert [what for _, verb, what in run.queue.history if verb == "submit"] == ["s030", "s010", "s020"]


@pytest.mark.parametrize("jobs", [1, 4, 7])
def test_never_more_jobs_out_there_than_the_cap(jobs: int) -> None:
    run = night([ticket(f"s{n}") for n in range(25)], options=EngineOptions(jobs=jobs, submit_window=3))
    assert run.queue.peak == jobs
    assert len(run.queue.ledger) == 25


def test_without_downloads_a_run_ends_at_the_results() -> None:
    run = night([ticket("s010")], options=EngineOptions(download=False))
    assert run.delivery.fetched == []
    assert run.states() == {"s010": TakeState.SUCCEEDED}


def test_nothing_to_do_ends_at_once_and_asks_nobody() -> None:
    finished = ticket("s010", state=TakeState.SUCCEEDED, delivery=DeliveryState.DELIVERED)
    run = night([finished, ticket("s020", state=TakeState.HELD), ticket("s030", state=TakeState.FAILED)])
    assert run.ending.kind is EndingKind.FINISHED
    assert run.queue.history == []
    assert run.seconds == 0


class TestLookingAtTheRightTime:
    """Looks are few, and where an end is likely."""

    def test_first_look_waits_for_what_history_says(self) -> None:
        history = RunHistory(durations=past_jobs(60.0, 20))
        run = night([ticket("s010")], scripts={"s010": JobScript(runs=60.0)}, past=history)
        looks = [at for at, verb, _ in run.queue.history if verb == "look"]
        assert looks[0] == pytest.approx(60.0, abs=7.0)
        assert len(looks) <= 4

    def test_without_history_looks_widen_up_to_the_ceiling(self) -> None:
        pace = LookPace(floor=1.0, ceiling=30.0, jitter=0.0)
        run = night(
            [ticket("s010")], scripts={"s010": JobScript(runs=3600.0)}, options=EngineOptions(pace=pace)
        )
        looks = [at for at, verb, _ in run.queue.history if verb == "look"]
        gaps = [later - earlier for earlier, later in pairwise(looks)]
        assert gaps[0] == pytest.approx(1.0, abs=0.1)
        assert max(gaps) == pytest.approx(30.0, abs=0.1)
        # Where a job is long overdue, its result is asked for too, which takes a moment.
        assert all(later >= earlier - 0.02 for earlier, later in pairwise(gaps))

    def test_the_run_learns_from_its_own_takes(self) -> None:
        scripts = {f"s{n}": JobScript(queued=0.0, runs=50.0) for n in range(30)}
        run = night([ticket(name) for name in scripts], scripts=scripts, options=EngineOptions(jobs=1))
        last = run.journal._rows["s29"].request_id
        looks = [what for _, verb, what in run.queue.history if verb == "look"]
        assert looks.count("req-1") > 10
        assert looks.count(str(last)) <= 6


class TestAnAnswerThatWasLost:
    """A submit without an answer may have been charged: it is held, and never sent again by itself."""

    LOST = JobScript(submits=[lambda a: LostContact(a, "sent", "ReadTimeout")], lost_but_accepted=True)

    def test_is_held_and_the_rest_goes_on(self) -> None:
        run = night([ticket(f"s{n}") for n in range(5)], scripts={"s1": self.LOST})
        assert run.states()["s1"] is TakeState.HELD
        assert sorted(run.queue.ledger) == ["s0", "s1", "s2", "s3", "s4"]
        assert run.ending.kind is EndingKind.FINISHED

    def test_a_free_question_is_answered_before_the_next_submit(self) -> None:
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": self.LOST})
        verbs = [verb for _, verb, _ in run.queue.history]
        assert verbs.index("probe") < verbs.index("submit", verbs.index("submit") + 1)

    def test_an_outage_costs_one_held_take_and_few_probes(self) -> None:
        away = [RequestFailure(FailureKind.TRANSIENT, "ConnectError")] * 40
        queue = ScriptedQueue({"s0": self.LOST}, probes=away)
        run = night([ticket(f"s{n}") for n in range(10)], queue=queue)
        assert [name for name, state in run.states().items() if state == "held"] == ["s0"]
        assert run.seconds > 3600
        assert run.queue.calls("probe") / run.seconds <= 1 / 30

    def test_too_many_stop_the_submitting(self) -> None:
        scripts = {f"s{n}": self.LOST for n in range(10)}
        run = night([ticket(name) for name in scripts], scripts=scripts, options=EngineOptions(max_unknown=3))
        assert run.ending.kind is EndingKind.UNKNOWNS
        assert list(run.states().values()).count(TakeState.HELD) == 3
        assert run.queue.calls("submit") == 3

    def test_a_service_that_stays_away_ends_the_run(self) -> None:
        away = [RequestFailure(FailureKind.TRANSIENT, "ConnectError")] * 1000
        queue = ScriptedQueue({"s0": self.LOST}, probes=away)
        run = night([ticket("s0"), ticket("s1")], queue=queue, options=EngineOptions(outage_limit=3600))
        assert run.ending.kind is EndingKind.OUTAGE
        assert run.states()["s1"] is TakeState.PENDING
        assert 3600 <= run.seconds < 4200


class TestARedirect:
    """It leaves its take in doubt, and everything sent after it would end alike: almost surely a wrong address."""

    MOVED = JobScript(submits=[lambda a: LostContact(a, "answering", "HTTP 302", hopeless=True)] * 9)

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param(EngineOptions(), id="hold"),
            pytest.param(EngineOptions(on_unknown=OnUnknown.STOP), id="stop"),
            pytest.param(EngineOptions(on_unknown=OnUnknown.PAY_AGAIN, max_extra_paid=5), id="pay again"),
            pytest.param(EngineOptions(max_unknown=1), id="at most one unknown"),
        ],
    )
    def test_is_held_and_stops_the_submitting_at_once_under_every_policy(
        self, options: EngineOptions
    ) -> None:
        run = night(
            [ticket("s0"), ticket("s1")], scripts={"s0": self.MOVED, "s1": self.MOVED}, options=options
        )
        assert run.ending == Ending(EndingKind.ACCOUNT, "HTTP 302")
        assert run.states() == {"s0": TakeState.HELD, "s1": TakeState.PENDING}
        assert run.queue.calls("submit") == 1
        assert run.queue.calls("probe") == 0

    def test_in_the_middle_of_a_run_sees_the_rest_through(self) -> None:
        run = night([ticket(f"s{n}") for n in range(3)], scripts={"s1": self.MOVED})
        assert run.ending.kind is EndingKind.ACCOUNT
        assert list(run.states().values()) == [TakeState.SUCCEEDED, TakeState.HELD, TakeState.PENDING]
        assert [name for name, _ in run.delivery.fetched] == ["s0"]


class TestAnAnswerThatWasNo:
    """Refusals cost nothing; each kind has its own consequence."""

    def test_not_sent_goes_again_by_itself(self) -> None:
        script = JobScript(submits=[lambda a: NotSent(a, "connection refused")] * 3)
        run = night([ticket("s0")], scripts={"s0": script})
        assert run.queue.ledger == ["s0"]
        assert run.states()["s0"] is TakeState.SUCCEEDED

    def test_a_pause_is_honoured_by_all_submits(self) -> None:
        script = JobScript(submits=[lambda a: RefusedForNow(a, "429", EPOCH + 100.0)])
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": script})
        submits = [at for at, verb, _ in run.queue.history if verb == "submit"]
        assert submits[0] < 1
        assert min(submits[1:]) >= 100
        assert run.queue.ledger == ["s0", "s1"]

    def test_a_refused_take_fails_and_the_rest_goes_on(self) -> None:
        script = JobScript(submits=[lambda a: Refused(a, FailureClass.INVALID_INPUT, "bad image")])
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": script})
        assert run.states() == {"s0": TakeState.FAILED, "s1": TakeState.SUCCEEDED}
        assert run.queue.calls("submit") == 2


class TestReadsThatFail:
    """A failed look never fails a paid take."""

    def test_trouble_is_waited_out(self) -> None:
        spell = JobScript(looks=[RequestFailure(FailureKind.TRANSIENT, "HTTP 502")] * 30)
        run = night([ticket("s0")], scripts={"s0": spell})
        assert run.states()["s0"] is TakeState.SUCCEEDED

    def test_the_servers_wish_is_kept(self) -> None:
        throttled = JobScript(looks=[RequestFailure(FailureKind.THROTTLED, "HTTP 429", retry_after=300.0)])
        run = night([ticket("s0")], scripts={"s0": throttled})
        looks = [at for at, verb, _ in run.queue.history if verb == "look"]
        assert looks[1] - looks[0] >= 300

    def test_an_unknown_status_word_is_said_once_and_looked_past(self) -> None:
        odd = JobScript(looks=[StatusReply(JobStatus.UNKNOWN, "warming_up")] * 4)
        run = night([ticket("s0")], scripts={"s0": odd})
        assert run.states()["s0"] is TakeState.SUCCEEDED
        assert run.said.count("warming_up") == 1

    def test_an_answer_about_another_job_is_said_once_and_never_taken(self) -> None:
        """The API answers, so nothing is held up by it; the job itself is waited for as for one without an answer."""
        other = RequestFailure(FailureKind.STRANGE, "reported another job: req-9")
        script = JobScript(looks=[other] * 3, results=[other] * 3)
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": script})
        assert set(run.states().values()) == {TakeState.SUCCEEDED}
        assert run.said.count("reported another job: req-9; not believed") == 1
        assert "no usable answer" not in run.said
        lasting = JobScript(results=[other] * 100_000)
        left = night([ticket("s0"), ticket("s1")], scripts={"s0": lasting})
        assert left.ending.kind is EndingKind.OUTAGE
        assert left.states() == {"s0": TakeState.RUNNING, "s1": TakeState.SUCCEEDED}
        assert "s0 is left to the next run: reported another job: req-9" in left.said

    def test_what_is_left_out_of_a_result_is_said(self) -> None:
        ending = replace(JobScript().ending, remarks=("its result names 300 outputs",))
        run = night([ticket("s0")], scripts={"s0": JobScript(ending=ending)})
        assert "s0: its result names 300 outputs" in run.said

    def test_the_very_same_clip_for_two_takes_is_said_once(self) -> None:
        run = night([ticket("s0"), ticket("s1")])
        assert run.said.count("has the very same clip as") == 1

    @pytest.mark.parametrize(("stand_ins", "times"), [((), 1), (("0" * 64,), 0)])
    def test_a_clip_that_any_number_of_jobs_may_have_is_not_compared(
        self, stand_ins: tuple[str, ...], times: int
    ) -> None:
        scripts = {
            name: JobScript(ending=replace(JobScript().ending, outputs=(f"https://cdn.example/{name}.mp4",)))
            for name in ("s0", "s1")
        }
        run = night([ticket("s0"), ticket("s1")], scripts=scripts, stand_ins=stand_ins)
        assert run.said.count("has the very same clip as") == times

    def test_a_result_that_lags_behind_the_status_is_read_again(self) -> None:
        run = night([ticket("s0")], scripts={"s0": JobScript(results=[NotReady("in_progress")] * 3)})
        assert run.states()["s0"] is TakeState.SUCCEEDED
        assert run.queue.calls("result") == 4

    def test_an_id_unknown_for_a_moment_is_forgiven(self) -> None:
        lag = JobScript(looks=[RequestFailure(FailureKind.MISSING, "404")] * 5)
        run = night([ticket("s0")], scripts={"s0": lag})
        assert run.states()["s0"] is TakeState.SUCCEEDED

    def test_an_id_unknown_for_long_fails_the_take_and_is_not_submitted_again(self) -> None:
        gone = JobScript(looks=[RequestFailure(FailureKind.MISSING, "404")] * 10_000)
        run = night([ticket("s0")], scripts={"s0": gone})
        assert run.journal.kinds("s0")[-1] == "Vanished"
        assert run.queue.ledger == ["s0"]
        assert run.seconds >= 600

    def test_a_short_spell_of_unknown_ids_does_not_fail_an_old_job(self) -> None:
        """Ten minutes of it count from the first miss, however old the job is."""
        gone = [RequestFailure(FailureKind.MISSING, "404")] * 4
        script = JobScript(looks=[*[StatusReply(JobStatus.RUNNING, "in_progress")] * 40, *gone], runs=3600.0)
        run = night([ticket("s0")], scripts={"s0": script})
        assert run.states()["s0"] is TakeState.SUCCEEDED

    def test_a_result_that_has_run_out_fails_the_take_as_expired(self) -> None:
        gone = JobScript(results=[RequestFailure(FailureKind.MISSING, "404")] * 10_000)
        run = night([ticket("s0")], scripts={"s0": gone})
        assert run.states()["s0"] is TakeState.FAILED
        assert run.journal.facts[-1][1] == Vanished(FailureClass.EXPIRED, "404")

    @pytest.mark.parametrize(
        "script",
        [
            JobScript(looks=[RequestFailure(FailureKind.TRANSIENT, "HTTP 500")] * 100_000),
            JobScript(results=[RequestFailure(FailureKind.TRANSIENT, "HTTP 500")] * 100_000),
            JobScript(results=[NotReady("in_progress")] * 100_000),
        ],
        ids=["looks", "results", "results that go on"],
    )
    def test_one_take_that_is_never_answered_for_is_left_and_the_rest_ends(self, script: JobScript) -> None:
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": script})
        assert run.ending.kind is EndingKind.OUTAGE
        assert run.states()["s0"] in ACTIVE
        assert run.states()["s1"] is TakeState.SUCCEEDED
        assert 12 * 3600 <= run.seconds < 13 * 3600
        assert len(run.queue.history) < 6000
        # A line now and then, every hour, so that nobody wonders in the morning.
        assert run.said.count("\n") <= 16

    def test_a_job_that_turns_out_not_to_have_ended_holds_its_slot_again(self) -> None:
        back = JobScript(
            looks=[StatusReply(JobStatus.ENDED, "completed")], results=[NotReady("in_progress")], runs=30.0
        )
        run = night(
            [ticket("s0"), ticket("s1"), ticket("s2")], scripts={"s0": back}, options=EngineOptions(jobs=1)
        )
        assert run.queue.peak <= 2
        assert set(run.states().values()) == {TakeState.SUCCEEDED}

    def test_what_a_server_says_of_its_times_is_believed_only_as_far_as_our_clock_allows(self) -> None:
        lying = replace(JobScript().ending, seconds=60_000.0)
        run = night(
            [ticket("s0"), ticket("s1")],
            scripts={"s0": JobScript(ending=lying)},
            options=EngineOptions(jobs=1),
        )
        assert run.seconds < 60
        assert all(fact.seconds is None for _, fact in run.journal.facts if isinstance(fact, Ended))

    def test_a_running_job_that_waits_again_is_followed(self) -> None:
        back = JobScript(
            looks=[
                StatusReply(JobStatus.RUNNING, "in_progress"),
                StatusReply(JobStatus.QUEUED, "in_queue", 3),
            ]
        )
        run = night([ticket("s0")], scripts={"s0": back})
        assert run.journal.kinds("s0")[2:4] == ["Started", "Requeued"]
        assert run.states()["s0"] is TakeState.SUCCEEDED


class TestWhenNothingWorks:
    """Spells of trouble are bounded in requests, in words and in time."""

    def test_submits_that_never_get_through_grow_rarer_and_end(self) -> None:
        never = JobScript(submits=[lambda a: NotSent(a, "ConnectError")] * 100_000)
        run = night([ticket("s0")], scripts={"s0": never})
        assert run.ending == Ending(EndingKind.OUTAGE, "ConnectError")
        assert run.states() == {"s0": TakeState.PENDING}
        assert 12 * 3600 <= run.seconds < 14 * 3600
        assert run.queue.calls("submit") < 800
        assert run.said.count("no usable answer") < 5

    def test_a_certificate_that_cannot_be_trusted_ends_the_run_at_once(self) -> None:
        hopeless = JobScript(submits=[lambda a: NotSent(a, "expired certificate", hopeless=True)] * 9)
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": hopeless})
        assert run.ending == Ending(EndingKind.OUTAGE, "expired certificate")
        assert run.queue.calls("submit") == 1

    def test_throttling_for_ever_ends_and_is_said_once(self) -> None:
        later = JobScript(submits=[lambda a: RefusedForNow(a, "429", 0.0)] * 100_000)
        run = night([ticket("s0")], scripts={"s0": later})
        assert run.ending.kind is EndingKind.OUTAGE
        assert run.said.count("pause") == 1
        assert run.queue.calls("submit") < 800

    def test_the_first_404_stops_the_run_it_is_a_wrong_address(self) -> None:
        wrong = JobScript(submits=[lambda a: Refused(a, FailureClass.REFUSED, "HTTP 404")])
        run = night([ticket(f"s{n}") for n in range(9)], scripts={f"s{n}": wrong for n in range(9)})
        assert run.ending.kind is EndingKind.HALTED
        assert run.queue.calls("submit") == 1

    @pytest.mark.parametrize("at", [0, 3], ids=["first", "after others were accepted"])
    def test_a_refusal_of_every_submit_stops_the_run_whenever_it_comes(self, at: int) -> None:
        cannot = JobScript(submits=[lambda a: Refused(a, FailureClass.REFUSED, "HTTP 501", hopeless=True)])
        names = [f"s{n}" for n in range(6)]
        run = night([ticket(name) for name in names], scripts=dict.fromkeys(names[at:], cannot))
        assert run.ending == Ending(EndingKind.HALTED, "the API cannot take submits: HTTP 501")
        assert run.queue.calls("submit") == at + 1
        assert list(run.states().values()) == [
            *[TakeState.SUCCEEDED] * at,
            *[TakeState.PENDING] * (6 - at),
        ]

    def test_the_same_refusal_of_all_that_there_is_at_the_start_stops_the_run(self) -> None:
        bad = JobScript(submits=[lambda a: Refused(a, FailureClass.INVALID_INPUT, "seed is gone")])
        run = night([ticket(f"s{n}") for n in range(9)], scripts={f"s{n}": bad for n in range(9)})
        assert run.ending.kind is EndingKind.HALTED
        assert run.queue.calls("submit") == 9

    def test_takes_held_by_earlier_runs_count_against_the_limit(self) -> None:
        held = [ticket(f"h{n}", state=TakeState.HELD) for n in range(2)]
        lost = JobScript(submits=[lambda a: LostContact(a, "sent", "ReadTimeout")])
        run = night([*held, ticket("s0"), ticket("s1")], scripts={"s0": lost})
        assert run.ending.kind is EndingKind.UNKNOWNS
        assert run.queue.calls("submit") == 1

    def test_a_lost_answer_with_nothing_left_to_do_waits_for_nobody(self) -> None:
        lost = JobScript(submits=[lambda a: LostContact(a, "sent", "ReadTimeout")])
        run = night([ticket("s0")], scripts={"s0": lost})
        assert run.said == ""
        assert run.seconds < 1

    def test_a_wall_clock_that_was_set_back_makes_nobody_wait_longer(self) -> None:
        later = JobScript(submits=[lambda a: RefusedForNow(a, "429", EPOCH + 5.0)])
        back = (0.005, lambda clock: clock.set_wall(EPOCH - 30 * 24 * 3600.0))
        run = night([ticket("s0")], scripts={"s0": later}, at=[back])
        assert run.seconds < 3700

    def test_a_machine_that_slept_looks_at_everything_at_once(self) -> None:
        slept = (12.0, lambda clock: clock.set_wall(clock.wall() + 8 * 3600.0))
        pace = LookPace(floor=1.0, ceiling=3000.0, longest_wait=3000.0)
        run = night(
            [ticket("s0")],
            options=EngineOptions(pace=pace),
            past=RunHistory(durations=past_jobs(2000.0, 9)),
            at=[slept],
        )
        assert "slept for 28800 s" in run.said
        assert run.seconds < 60


class TestAnIdIsNeverThrownAway:
    """Whatever fails around it: the id is on record, or a person has it."""

    @pytest.mark.parametrize("once", [True, False])
    def test_if_the_journal_does_not_take_it_it_is_said_and_not_tried_again(self, once: bool) -> None:
        """Trying again is the state file's own affair: it alone knows whether the disk can be trusted."""
        journal = MemoryJournal(["s0"])
        heard = Recorder()
        with pytest.raises(DiskFailed):
            night([ticket("s0")], journal=journal, through=FailNth(journal, 2, once=once), heard=heard)
        assert journal.state_of("s0")[0] is TakeState.SUBMITTING
        assert any("req-1" in event.text for event in heard.events if isinstance(event, Message))

    def test_if_another_take_has_it_the_take_is_held_with_the_id_as_evidence(self) -> None:
        twice = JobScript(submits=[lambda a: Accepted(a, "same")])
        run = night([ticket("s0"), ticket("s1")], scripts={"s0": twice, "s1": twice}, stop=(5.0, Stop.DETACH))
        assert run.states()["s1"] is TakeState.HELD
        (lost,) = [fact for _, fact in run.journal.facts if isinstance(fact, LostContact)]
        assert lost.evidence == "same"

    def test_a_part_that_fails_does_not_abandon_the_post_in_the_air(self) -> None:
        """A full disk under the clips must not cost the receipt of a submit."""

        class FullDisk(MemoryDelivery):
            def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
                return failed(DiskFailed(f"no room for {ticket.take_id}"))

        journal = MemoryJournal(["done", "s0"])
        journal._rows["done"].state = TakeState.SUCCEEDED
        done = ticket("done", state=TakeState.SUCCEEDED, outputs=("https://files.example/a.mp4",))
        with pytest.raises(DiskFailed):
            night([done, ticket("s0")], journal=journal, delivery=FullDisk())
        assert journal.state_of("s0") == (TakeState.QUEUED, DeliveryState.NONE, "req-1")


def ending(failure: FailureClass) -> JobScript:
    return JobScript(ending=Ended(TakeState.FAILED, "{}", (), failure, "no luck"))


class TestPoliciesAboutMoney:
    """What a run may decide by itself is stated, bounded and counted over the run's whole life."""

    LOST = JobScript(submits=[lambda a: LostContact(a, "sent", "ReadTimeout")], lost_but_accepted=True)

    def test_pay_again_pays_at_most_so_much_extra(self) -> None:
        options = EngineOptions(on_unknown=OnUnknown.PAY_AGAIN, max_extra_paid=2)
        scripts = {f"s{n}": self.LOST for n in range(4)}
        run = night([ticket(name) for name in scripts], scripts=scripts, options=options)
        assert len(run.queue.ledger) == 4 + 2
        assert list(run.states().values()).count(TakeState.HELD) == 2

    def test_what_earlier_runs_paid_extra_counts(self) -> None:
        options = EngineOptions(on_unknown=OnUnknown.PAY_AGAIN, max_extra_paid=2)
        run = night([ticket("s0")], scripts={"s0": self.LOST}, options=options, past=RunHistory(extra_paid=2))
        assert run.queue.ledger == ["s0"]
        assert run.states() == {"s0": TakeState.HELD}

    def test_stop_ends_the_submitting_at_the_first_unknown(self) -> None:
        options = EngineOptions(on_unknown=OnUnknown.STOP)
        run = night([ticket(f"s{n}") for n in range(5)], scripts={"s1": self.LOST}, options=options)
        assert run.ending.kind is EndingKind.UNKNOWNS
        assert run.queue.calls("submit") == 2

    @pytest.mark.parametrize(("retries", "charges"), [(0, 1), (1, 2), (3, 4)])
    def test_a_take_the_provider_failed_is_paid_for_again_as_often_as_stated(
        self, retries: int, charges: int
    ) -> None:
        script = ending(FailureClass.PROVIDER_FAILED)
        run = night([ticket("s0")], scripts={"s0": script}, options=EngineOptions(retries=retries))
        assert run.queue.ledger == ["s0"] * charges
        assert run.states() == {"s0": TakeState.FAILED}

    def test_paid_attempts_of_earlier_runs_count(self) -> None:
        script, past = (
            ending(FailureClass.PROVIDER_FAILED),
            RunHistory(spending=Spending((Charge("s0"), Charge("s0")))),
        )
        run = night([ticket("s0")], scripts={"s0": script}, options=EngineOptions(retries=2), past=past)
        assert run.queue.ledger == ["s0"]

    @pytest.mark.parametrize("failure", sorted(set(FailureClass) - RETRIED_BY_ITSELF))
    def test_no_other_class_is_paid_for_again_by_itself(self, failure: FailureClass) -> None:
        run = night([ticket("s0")], scripts={"s0": ending(failure)}, options=EngineOptions(retries=5))
        assert run.queue.ledger == ["s0"]

    def test_a_breaker_for_any_failure_stops_the_submitting(self) -> None:
        scripts = {f"s{n}": ending(FailureClass.PROVIDER_FAILED) for n in range(9)}
        options = EngineOptions(jobs=1, failure_limit=FailureLimit({"fail": 3}))
        run = night([ticket(name) for name in scripts], scripts=scripts, options=options)
        assert run.ending == Ending(EndingKind.HALTED, "3 takes failed, the last was s2")
        assert run.queue.calls("submit") == 3

    def test_a_breaker_for_a_class_counts_that_class_alone(self) -> None:
        kinds = [FailureClass.PROVIDER_FAILED, FailureClass.MODERATION]
        scripts = {f"s{n}": ending(kinds[n % 2]) for n in range(9)}
        options = EngineOptions(jobs=1, failure_limit=FailureLimit({"moderation": 2}))
        run = night([ticket(name) for name in scripts], scripts=scripts, options=options)
        assert run.ending == Ending(EndingKind.HALTED, "2 takes failed with moderation, the last was s3")

    def test_scouts_go_first_one_for_each_model_and_settings(self) -> None:
        cheap, dear = '{"resolution":"720p","seed":%d}', '{"resolution":"1080p","seed":%d}'
        takes = [ticket(f"a{n}", body=cheap % n) for n in range(3)] + [
            ticket(f"b{n}", body=dear % n) for n in range(3)
        ]
        run = night(takes, options=EngineOptions(scout=1))
        submits = [(at, what) for at, verb, what in run.queue.history if verb == "submit"]
        assert [what for _, what in submits[:2]] == ["a0", "b0"]
        assert submits[2][0] > 5.0
        assert len(run.queue.ledger) == 6

    def test_a_scout_that_fails_keeps_the_rest_from_being_paid_for(self) -> None:
        run = night(
            [ticket(f"s{n}") for n in range(5)],
            scripts={"s0": ending(FailureClass.MODERATION)},
            options=EngineOptions(scout=1),
        )
        assert run.ending == Ending(EndingKind.HALTED, "the scout s0 failed: no luck")
        assert run.queue.ledger == ["s0"]

    def test_an_interrupt_may_cancel_what_is_queued(self) -> None:
        slow = JobScript(queued=100.0)
        scripts = {f"s{n}": slow for n in range(3)}
        run = night([ticket(name) for name in scripts], scripts=scripts, stop=(1.0, Stop.CANCEL_QUEUED))
        assert run.queue.calls("cancel") == 3
        assert run.journal.kinds("s0").count("CancelRequested") == 1
        assert set(run.states().values()) == {TakeState.SUCCEEDED}


class TimedDelivery(MemoryDelivery):
    """Brings no clip before a time, of one take alone if so asked; `times` are those of its tries."""

    def __init__(self, trouble: FetchTrouble, *, works_at: float, only: str = "") -> None:
        super().__init__()
        self._trouble = trouble
        self._works_at = works_at
        self._only = only
        self.times: list[float] = []

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        now = asyncio.get_running_loop().time()
        if self._only not in {"", ticket.take_id}:
            return super().fetch(ticket)
        self.times.append(now)
        return super().fetch(ticket) if now >= self._works_at else done(self._trouble)


class SlowDelivery(MemoryDelivery):
    """Takes so long for each try; `begun` are names, times, and when their jobs had ended."""

    def __init__(self, scripts: Mapping[str, Sequence[FetchAnswer]], *, seconds: float) -> None:
        super().__init__(scripts)
        self._seconds = seconds
        self.begun: list[tuple[str, float, float]] = []

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        loop = asyncio.get_running_loop()
        ended = (ticket.finished_at or 0.0) - EPOCH
        self.begun.append((ticket.take_id, loop.time(), ended))
        answer: Future[FetchAnswer] = Future()
        loop.call_later(
            self._seconds, lambda: answer.set_result(super(SlowDelivery, self).fetch(ticket).result())
        )
        return answer


class TestBringingClipsHome:
    """A lost download is tried again and never leads to a submit."""

    def test_a_broken_download_is_tried_again(self) -> None:
        delivery = MemoryDelivery({"s0": [FetchTrouble("cut")] * 3})
        run = night([ticket("s0")], delivery=delivery)
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED
        assert run.queue.ledger == ["s0"]

    @pytest.mark.parametrize("empty", [1, 2])
    @pytest.mark.parametrize(
        "looks", [(), (StatusReply(JobStatus.UNKNOWN, "fertig"),) * 9], ids=["ended", "unknown word"]
    )
    def test_a_job_that_names_its_output_a_moment_after_its_end_has_it(
        self, empty: int, looks: tuple[StatusReply, ...]
    ) -> None:
        nothing = Ended(TakeState.FAILED, "{}", (), FailureClass.NO_OUTPUT, "names no output")
        ready = JobScript().ending
        script = JobScript(looks=looks, results=[nothing] * empty + [ready])
        run = night([ticket("s0")], scripts={"s0": script})
        assert run.journal.state_of("s0")[:2] == (TakeState.SUCCEEDED, DeliveryState.DELIVERED)
        assert run.queue.ledger == ["s0"]

    def test_a_job_that_never_names_an_output_has_failed_soon(self) -> None:
        nothing = Ended(TakeState.FAILED, "{}", (), FailureClass.NO_OUTPUT, "names no output")
        run = night([ticket("s0")], scripts={"s0": JobScript(ending=nothing)})
        assert run.journal.kinds("s0")[-1] == "Ended"
        assert run.journal.state_of("s0")[0] is TakeState.FAILED
        assert 10 <= run.seconds < 30

    def test_a_refused_link_is_read_again(self) -> None:
        fresh = Ended(TakeState.SUCCEEDED, "{}", ("https://files.example/fresh.mp4",))
        script = JobScript(results=[JobScript().ending, fresh])
        delivery = MemoryDelivery({"s0": [FetchTrouble("403", link_refused=True)]})
        run = night([ticket("s0")], scripts={"s0": script}, delivery=delivery)
        assert [url for _, url in run.delivery.fetched] == [
            "https://files.example/clip.mp4",
            "https://files.example/fresh.mp4",
        ]
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED

    @pytest.mark.parametrize(
        "trouble",
        [FetchTrouble("cut"), FetchTrouble("410", link_refused=True), FetchTrouble("cut", at_hand=7)],
        ids=["always cut", "link always refused", "cut at the same place"],
    )
    def test_a_clip_that_never_comes_is_tried_for_minutes_and_never_paid_again(
        self, trouble: FetchTrouble
    ) -> None:
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": [trouble] * 100}))
        assert run.journal.state_of("s0")[:2] == (TakeState.SUCCEEDED, DeliveryState.UNDELIVERABLE)
        assert 600 <= run.seconds < 700
        assert 15 <= len(run.delivery.fetched) <= 30
        assert run.queue.calls("result") <= len(run.delivery.fetched) + 1
        assert run.queue.ledger == ["s0"]
        lost = run.journal.facts[-1][1]
        assert isinstance(lost, Undeliverable)
        assert lost.reason.startswith(f"{trouble.reason}, after ")

    def test_trouble_that_no_other_try_can_help_is_not_tried_again(self) -> None:
        too_large = FetchTrouble("too large", permanent=True)
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": [too_large] * 100}))
        assert run.journal.facts[-1][1] == Undeliverable("too large")
        assert len(run.delivery.fetched) == 1

    def test_a_clip_that_is_late_is_said_to_be_once_for_a_reason(self) -> None:
        late = {f"s{n}": [FetchTrouble(f"HTTP 404 from https://x.example/{n}")] * 14 for n in range(4)}
        run = night([ticket(take_id) for take_id in late], delivery=MemoryDelivery(late))
        assert run.said.count("its clip has not arrived yet: HTTP 404 from https://x.example/") == 1
        quick = night([ticket("s0")], delivery=MemoryDelivery({"s0": [FetchTrouble("HTTP 404")] * 3}))
        assert "has not arrived yet" not in quick.said

    def test_a_link_that_is_led_astray_is_asked_for_again(self) -> None:
        """A host sends elsewhere while a file is made, and so does a captive portal."""
        astray = FetchTrouble("redirects more than 5 times", permanent=True, link_refused=True)
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": [astray] * 5}))
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED

    @pytest.mark.parametrize("works_after", [1.0, 25.0, 300.0, 550.0])
    @pytest.mark.parametrize("refused", [True, False], ids=["404", "a page"])
    def test_a_link_that_works_only_later_brings_its_clip(self, works_after: float, refused: bool) -> None:
        early = FetchTrouble("HTTP 404", link_refused=refused)
        delivery = TimedDelivery(early, works_at=10.0 + works_after)
        run = night([ticket("s0")], delivery=delivery)
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED
        waits = [later - earlier for earlier, later in pairwise(delivery.times)]
        assert max(waits, default=0.0) <= 60.0

    def test_while_other_jobs_go_on_a_clip_is_tried_for_longer_and_ever_more_rarely(self) -> None:
        delivery = TimedDelivery(FetchTrouble("HTTP 404", link_refused=True), works_at=3 * 3600.0, only="s0")
        scripts = {"s1": JobScript(runs=4 * 3600.0)}
        run = night([ticket("s0"), ticket("s1")], scripts=scripts, delivery=delivery)
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED
        assert len(delivery.times) < 20 + 3 * 3600 / 150

    def test_the_link_of_a_job_that_ended_long_ago_is_given_up_after_a_minute(self) -> None:
        old = ticket(
            "s0",
            state=TakeState.SUCCEEDED,
            request_id="req-0",
            outputs=("https://files.example/clip.mp4",),
            finished_at=EPOCH - 86400,
        )
        journal = MemoryJournal(["s0"])
        journal._rows["s0"].state = TakeState.SUCCEEDED
        refused = [FetchTrouble("HTTP 403", link_refused=True)] * 100
        run = night([old], journal=journal, delivery=MemoryDelivery({"s0": refused}))
        assert run.journal.state_of("s0")[1] is DeliveryState.UNDELIVERABLE
        assert 60 <= run.seconds < 130

    def test_tries_that_bring_bytes_start_the_count_again(self) -> None:
        """A line that breaks every minute still brings a large film home."""
        growing = [FetchTrouble("cut", at_hand=size) for size in range(1, 2000)]
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": growing}))
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED
        assert run.seconds < 2000 * 1.5

    def test_a_host_that_sends_little_for_ever_ends_with_the_outage_limit(self) -> None:
        endless = [FetchTrouble("cut", at_hand=size) for size in range(1, 100_000)]
        options = EngineOptions(outage_limit=3600.0)
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": endless}), options=options)
        assert run.journal.state_of("s0")[1] is DeliveryState.UNDELIVERABLE
        assert run.seconds < 3700

    def test_a_host_that_signs_each_link_anew_is_not_asked_without_a_pause(self) -> None:
        links = [Ended(TakeState.SUCCEEDED, "{}", (f"https://files.example/{n}.mp4",)) for n in range(1000)]
        refused = [FetchTrouble("HTTP 403", link_refused=True)] * 1000
        run = night(
            [ticket("s0")],
            scripts={"s0": JobScript(results=links)},
            delivery=MemoryDelivery({"s0": refused}),
        )
        assert run.journal.state_of("s0")[1] is DeliveryState.UNDELIVERABLE
        assert len(run.delivery.fetched) < 35

    def test_a_clip_that_was_not_tried_yet_goes_before_those_that_failed(self) -> None:
        names = [f"bad{n:02}" for n in range(40)]
        delivery = SlowDelivery({name: [FetchTrouble("cut")] * 1000 for name in names}, seconds=20.0)
        scripts = {"good": JobScript(runs=300.0)}
        takes = [ticket(name) for name in [*names, "good"]]
        run = night(takes, scripts=scripts, delivery=delivery, options=EngineOptions(jobs=50))
        assert run.journal.state_of("good")[1] is DeliveryState.DELIVERED
        (waited,) = [at - ready for name, at, ready in delivery.begun if name == "good"]
        assert waited <= 21.0

    def test_a_host_that_is_away_for_hours_is_waited_for(self) -> None:
        away = [FetchTrouble("ConnectError", unreachable=True)] * 60
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": away}))
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED
        assert run.seconds > 3600

    def test_a_run_that_wants_to_end_does_not_wait_for_a_host_that_is_away(self) -> None:
        away = [FetchTrouble("ConnectError", unreachable=True)] * 10_000
        run = night([ticket("s0")], delivery=MemoryDelivery({"s0": away}), stop=(60.0, Stop.DRAIN))
        assert run.journal.state_of("s0")[1] is DeliveryState.UNDELIVERABLE
        assert run.seconds < 3600

    def test_a_link_is_not_called_refused_for_good_while_the_api_is_away(self) -> None:
        away = RequestFailure(FailureKind.TRANSIENT, "HTTP 502")
        script = JobScript(results=[JobScript().ending, *[away] * 4])
        refused = [FetchTrouble("403", link_refused=True)] * 4
        run = night([ticket("s0")], scripts={"s0": script}, delivery=MemoryDelivery({"s0": refused}))
        assert run.journal.state_of("s0")[1] is DeliveryState.DELIVERED

    def test_a_failed_job_is_not_fetched(self) -> None:
        flagged = Ended(TakeState.FAILED, "{}", (), FailureClass.MODERATION, "flagged")
        run = night([ticket("s0")], scripts={"s0": JobScript(ending=flagged)})
        assert run.states() == {"s0": TakeState.FAILED}
        assert run.delivery.fetched == []


class TestStopping:
    """Ask to stop, then insist; in both cases everything known is on record."""

    def test_drain_submits_no_more_and_sees_the_rest_through(self) -> None:
        run = night(
            [ticket(f"s{n}") for n in range(9)], options=EngineOptions(jobs=2), stop=(1.0, Stop.DRAIN)
        )
        assert run.ending.kind is EndingKind.INTERRUPTED
        assert list(run.states().values()).count(TakeState.SUCCEEDED) == 2
        assert list(run.states().values()).count(TakeState.PENDING) == 7

    def test_detach_leaves_the_rest_to_the_next_run(self) -> None:
        run = night(
            [ticket(f"s{n}") for n in range(9)], options=EngineOptions(jobs=2), stop=(1.5, Stop.DETACH)
        )
        assert run.seconds == pytest.approx(1.5, abs=0.1)
        assert {TakeState.SUBMITTING, TakeState.HELD}.isdisjoint(run.states().values())

    def test_detach_waits_for_the_post_in_the_air(self) -> None:
        run = night([ticket("s0")], stop=(0.005, Stop.DETACH))
        assert run.states() == {"s0": TakeState.QUEUED}

    def test_an_answer_that_does_not_come_in_time_leaves_the_take_held(self) -> None:
        class Slow(ScriptedQueue):
            async def submit(
                self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
            ) -> SubmitAnswer:
                await begin()
                await asyncio.sleep(100)
                return Accepted(attempt, f"late for {ticket.take_id}")

        run = night([ticket("s0"), ticket("s1")], queue=Slow(), stop=(1.0, Stop.DETACH), patience=8.0)
        assert run.states() == {"s0": TakeState.HELD, "s1": TakeState.PENDING}
        assert run.seconds == pytest.approx(9.0, abs=0.1)

    def test_a_drain_ends_even_if_the_post_in_the_air_comes_back_unsent(self) -> None:
        script = JobScript(submits=[lambda a: RefusedForNow(a, "429", EPOCH + 5.0)])
        run = night([ticket("s0")], scripts={"s0": script}, stop=(0.005, Stop.DRAIN))
        assert run.states() == {"s0": TakeState.PENDING}
        assert run.queue.ledger == []


def _again(journal: MemoryJournal) -> list[Ticket]:
    """Return what the state file would give the next run: doubtful takes held, the rest as they stand."""
    tickets = []
    for name, row in journal._rows.items():
        if row.state is TakeState.SUBMITTING:
            assert row.attempt is not None
            journal.record(name, LostContact(row.attempt, "unknown", "died"), at=0.0).result()
        outputs = ("https://files.example/clip.mp4",) if row.state is TakeState.SUCCEEDED else ()
        tickets.append(
            ticket(
                name,
                state=row.state,
                delivery=row.delivery,
                request_id=row.request_id,
                submitted_at=EPOCH,
                outputs=outputs,
            )
        )
    return tickets


def test_a_crash_at_every_single_write_loses_nothing_and_pays_nothing_twice() -> None:
    """Fail the n-th write for n = 1, 2, 3… until a run goes through, and go on after each."""
    names = [f"s{n}" for n in range(4)]
    crashes = 0
    for n in range(1, 200):
        journal, queue = MemoryJournal(names), ScriptedQueue()
        try:
            night([ticket(name) for name in names], journal=journal, queue=queue, through=FailNth(journal, n))
            break
        except DiskFailed:
            crashes += 1
        night(_again(journal), journal=journal, queue=ScriptedQueue())
        submitted = queue.ledger
        assert len(set(submitted)) == len(submitted)
        for name in names:
            state, delivery, request_id = journal.state_of(name)
            if state is TakeState.HELD:
                assert delivery is DeliveryState.NONE
            else:
                assert (state, delivery) == (TakeState.SUCCEEDED, DeliveryState.DELIVERED)
                assert request_id is not None
    assert crashes == 4 * 6


def test_a_run_taken_up_again_adopts_what_is_out_there() -> None:
    out = ticket("s0", state=TakeState.QUEUED, request_id="old-1", submitted_at=EPOCH - 30)
    journal = MemoryJournal(["s0", "s1"])
    journal._rows["s0"].state = TakeState.QUEUED
    journal._rows["s0"].request_id = "old-1"
    run = night([out, ticket("s1")], journal=journal)
    assert [what for _, verb, what in run.queue.history if verb == "submit"] == ["s1"]
    assert set(run.states().values()) == {TakeState.SUCCEEDED}


def test_jobs_taken_up_again_count_against_the_cap() -> None:
    out = [ticket(f"o{n}", state=TakeState.RUNNING, request_id=f"old-{n}") for n in range(3)]
    journal = MemoryJournal([*(each.take_id for each in out), *(f"s{n}" for n in range(6))])
    for each in out:
        journal._rows[each.take_id].state = TakeState.RUNNING
    run = night([*out, *(ticket(f"s{n}") for n in range(6))], journal=journal, options=EngineOptions(jobs=4))
    assert run.queue.peak <= 4
