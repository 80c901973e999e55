"""The submit window in the engine, in virtual time and far from the API: how many POSTs are in flight, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from runner.domain.api_answers import SubmitAnswer
from runner.domain.errors import DiskFailed
from runner.domain.orders import ALL_MODELS
from runner.domain.rates import Rate
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.shots import Ticket
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    FailureClass,
    LostContact,
    NotSent,
    RefusedForNow,
    SubmissionStarted,
    TakeState,
)
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.ports import Begin
from runner.engine.testing import JobScript, MemoryJournal, ScriptedQueue
from tests.unit.test_engine import EPOCH, MODEL, FailNth, Night, night, past_jobs, ticket

AWAY = 0.2
WIDE = 1.2
JOBS_OF = JobScript(queued=0.0, runs=10.0)

BUSY = lambda attempt: RefusedForNow(attempt, "too many requests", EPOCH)  # noqa: E731
LOST = lambda attempt: LostContact(attempt, "sent", "no answer came")  # noqa: E731
UNSENT = lambda attempt: NotSent(attempt, "no route")  # noqa: E731
REFUSED = lambda attempt: AccountTurnedAway(attempt, FailureClass.NO_BALANCE, "no")  # noqa: E731


def board(count: int) -> list[Ticket]:
    return [ticket(f"s{n:03}") for n in range(count)]


class FarQueue(ScriptedQueue):
    """An API whose answers to submits come `AWAY` seconds late; `widths` has how many were in flight at each begin.

    From `at` on, so many submits are answered by `trouble`. In a wide run of 400 takes, 32 begin together at `WIDE`.
    """

    def __init__(
        self,
        *,
        trouble: Callable[[str], SubmitAnswer] = LOST,
        at: float = float("inf"),
        times: int = 1,
    ) -> None:
        super().__init__({f"s{n:03}": JOBS_OF for n in range(500)})
        self._trouble, self._at, self._left = trouble, at, times
        self._in_flight = 0
        self.widths: list[tuple[float, int]] = []
        self.troubled: list[float] = []

    @property
    def widest(self) -> int:
        return max(width for _, width in self.widths)

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> SubmitAnswer:
        now = asyncio.get_running_loop().time
        self._in_flight += 1
        self.widths.append((now(), self._in_flight))
        try:
            if now() < self._at or not self._left:
                await asyncio.sleep(AWAY)
                return await super().submit(ticket, attempt=attempt, begin=begin)
            self._left -= 1
            answer = self._trouble(attempt)
            if not isinstance(answer, NotSent):
                await begin()
            await asyncio.sleep(AWAY)
            self.troubled.append(now())
            return answer
        finally:
            self._in_flight -= 1

    def next_after(self, moment: float) -> list[tuple[float, int]]:
        """Return when POSTs began after `moment`, and at which width."""
        return [(at, width) for at, width in self.widths if at > moment]


@pytest.mark.parametrize("jobs", [1, 4, 8, 15])
def test_at_small_caps_one_post_is_in_flight_however_far_the_api_is(jobs: int) -> None:
    queue = FarQueue()
    run = night(board(60), queue=queue, options=EngineOptions(jobs=jobs, max_unknown=99))
    assert run.ending.kind is EndingKind.FINISHED
    assert queue.widest == 1


def test_slots_that_the_cap_of_a_model_holds_back_do_not_widen_the_window() -> None:
    queue = FarQueue()
    night(board(60), queue=queue, options=EngineOptions(jobs=400, model_jobs={MODEL: 2}))
    assert queue.widest == 1


class SlowAtFirst(ScriptedQueue):
    """An API to which the first way takes a second, and every other none."""

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> SubmitAnswer:
        if ticket.take_id == "s000":
            await asyncio.sleep(1.0)
        return await super().submit(ticket, attempt=attempt, begin=begin)


@pytest.mark.parametrize("model", [MODEL, ALL_MODELS])
def test_a_rate_holds_where_posts_begin_and_not_where_they_are_wanted(model: str) -> None:
    queue = SlowAtFirst()
    rates = {model: Rate(10, "s")}
    night(board(20), queue=queue, options=EngineOptions(jobs=400, submit_window=8, rates=rates))
    sent = [at for at, verb, _ in queue.history if verb == "submit"]
    assert all(later - earlier > 0.0999 for earlier, later in pairwise(sent))


def test_near_the_api_one_post_is_in_flight_at_larger_caps_too() -> None:
    queue = ScriptedQueue({f"s{n:03}": JobScript(runs=60.0) for n in range(150)})
    run = night(board(150), queue=queue, options=EngineOptions(jobs=50))
    sent = [at for at, verb, _ in queue.history if verb == "submit"]
    assert run.ending.kind is EndingKind.FINISHED
    assert len(set(sent)) == len(sent)


def test_a_wide_run_is_filled_in_a_few_round_trips_and_never_wider_than_an_eighth_or_32() -> None:
    queue = FarQueue()
    run = night(board(400), queue=queue, options=EngineOptions(jobs=400))
    trips = max(at for at, _ in queue.widths) / (AWAY + 0.01)
    assert run.ending.kind is EndingKind.FINISHED
    assert queue.widest == 32
    # 31 takes in five trips of 1, 2, 4, 8 and 16, then 32 a trip.
    assert round(trips) == 5 + (400 - 31) // 32
    assert sorted(queue.ledger) == [each.take_id for each in board(400)]


@pytest.mark.parametrize("window", [1, 4, 32])
def test_a_number_is_the_window_also_at_small_caps_and_after_trouble(window: int) -> None:
    queue = FarQueue(trouble=BUSY, at=0.0)
    run = night(board(100), queue=queue, options=EngineOptions(jobs=40, submit_window=window))
    assert run.ending.kind is EndingKind.FINISHED
    assert queue.widest == window
    assert max(width for _, width in queue.next_after(queue.troubled[0])) > window // 2


@pytest.mark.parametrize("trouble", [BUSY, LOST, UNSENT, REFUSED], ids=["429", "lost", "unsent", "account"])
def test_after_trouble_all_in_flight_are_answered_first_and_then_one_goes_alone(
    trouble: Callable[[str], SubmitAnswer],
) -> None:
    queue = FarQueue(trouble=trouble, at=WIDE)
    options = EngineOptions(jobs=400, max_unknown=99)
    run = night(board(400), queue=queue, options=options)
    after = queue.next_after(queue.troubled[0])
    assert run.ending.kind is EndingKind.FINISHED
    assert [width for _, width in after[:2]] == [1, 1]
    assert queue.widest == 32
    assert sum(state is TakeState.HELD for state in run.states().values()) == (trouble is LOST)


def test_a_burst_of_429s_is_one_request_for_a_pause() -> None:
    """Counted one by one, 32 in a row would make the pause five minutes long."""
    one, burst = FarQueue(trouble=BUSY, at=WIDE), FarQueue(trouble=BUSY, at=WIDE, times=32)
    for queue in (one, burst):
        night(board(400), queue=queue, options=EngineOptions(jobs=400))
    assert len(burst.troubled) == 32
    waits = [queue.next_after(max(queue.troubled))[0][0] - max(queue.troubled) for queue in (one, burst)]
    assert waits[1] <= waits[0]


def test_after_a_429_the_window_is_half_as_wide_at_most_for_the_rest_of_the_run() -> None:
    queue = FarQueue(trouble=BUSY, at=WIDE)
    night(board(400), queue=queue, options=EngineOptions(jobs=400))
    assert max(width for _, width in queue.next_after(max(queue.troubled))) == 16


def test_an_outage_costs_no_more_than_were_in_flight_and_the_run_goes_on_if_so_many_are_allowed() -> None:
    queue = FarQueue(trouble=LOST, at=WIDE, times=32)
    run = night(board(400), queue=queue, options=EngineOptions(jobs=400, max_unknown=99))
    states = list(run.states().values())
    assert states.count(TakeState.HELD) == 32
    assert states.count(TakeState.SUCCEEDED) == 368


def test_lost_together_they_end_the_submitting_and_are_no_more_than_were_in_flight() -> None:
    queue = FarQueue(trouble=LOST, at=WIDE, times=400)
    run = night(board(400), queue=queue, options=EngineOptions(jobs=400))
    states = list(run.states().values())
    assert run.ending.kind is EndingKind.UNKNOWNS
    assert states.count(TakeState.HELD) == 32
    assert TakeState.SUBMITTING not in states


def test_a_kill_leaves_in_doubt_what_was_in_flight() -> None:
    """Told not to wait for answers, a run leaves as a kill does."""
    queue = FarQueue()
    run = night(
        board(400), queue=queue, options=EngineOptions(jobs=400), stop=(1.5, Stop.DETACH), patience=0.0
    )
    held = [name for name, state in run.states().items() if state is TakeState.HELD]
    assert len(held) <= 32
    assert set(run.states().values()) <= {
        TakeState.HELD,
        TakeState.QUEUED,
        TakeState.RUNNING,
        TakeState.PENDING,
    }


@pytest.mark.parametrize("nth", [5, 40, 150])
def test_if_a_record_fails_no_post_begins_and_those_in_flight_are_still_heard(nth: int) -> None:
    tickets, queue = board(400), FarQueue()
    journal = MemoryJournal([each.take_id for each in tickets])
    with pytest.raises(DiskFailed, match="the disk is full"):
        night(
            tickets,
            queue=queue,
            journal=journal,
            through=FailNth(journal, nth, once=True),
            options=EngineOptions(jobs=400),
        )
    begun = sum(isinstance(fact, SubmissionStarted) for _, fact in journal.facts)
    heard = sum(isinstance(fact, Accepted) for _, fact in journal.facts)
    assert begun - heard <= 1
    assert len(queue.ledger) - heard <= 1


def test_jobs_of_an_earlier_run_tell_how_wide_the_window_needs_to_be() -> None:
    def run(past: RunHistory) -> Night:
        return night(board(150), queue=FarQueue(), options=EngineOptions(jobs=100), past=past)

    short, long = (run(RunHistory(durations=past_jobs(seconds, 9))) for seconds in (10.0, 900.0))
    assert isinstance(short.queue, FarQueue)
    assert isinstance(long.queue, FarQueue)
    assert short.queue.widest == 12
    assert long.queue.widest < 6
