"""Looks and idle slots of whole runs, counted in virtual time; and what slow or failing answers do to other looks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from runner.domain.api_answers import FailureKind, LookAnswer, RequestFailure
from runner.domain.states import TakeState
from runner.engine.options import EngineOptions
from runner.engine.poll_pace import LookPace
from runner.engine.testing import JobScript, MemoryJournal, ScriptedQueue
from tests.drawn_jobs import Watched, least_makespan, spread_evenly, watch
from tests.unit.test_engine import EPOCH, night, ticket

CAP = 100


def lost(run: Watched, durations: Sequence[float], *, cap: int = CAP) -> float:
    """Return how much longer a run took than one without any wait between a job's end and the next job."""
    return run.makespan / least_makespan(durations, cap=cap)


def test_jobs_of_a_minute_are_looked_at_eight_times_and_their_slots_idle_for_a_twenty_fifth() -> None:
    durations = spread_evenly(1000, 60.0)
    run = watch(durations, EngineOptions(jobs=CAP))
    assert lost(run, durations) <= 1.04
    assert run.looks <= 8 * len(durations)


def test_jobs_of_a_second_are_looked_at_closely_if_that_is_asked_for() -> None:
    durations = spread_evenly(2000, 1.0)
    run = watch(durations, EngineOptions(jobs=CAP, pace=LookPace(floor=0.05, least=0.05)))
    assert lost(run, durations) <= 1.05
    assert run.looks <= 6 * len(durations)


def test_jobs_of_seconds_are_looked_at_more_often_than_once_a_second() -> None:
    durations = spread_evenly(200, 5.0)
    run = watch(durations, EngineOptions(jobs=50))
    assert lost(run, durations, cap=50) <= 1.06
    assert run.looks <= 6 * len(durations)


@pytest.mark.parametrize("times", [0.3, 3.0])
@pytest.mark.parametrize("tells", [False, True], ids=["times unknown", "times told"])
def test_a_change_of_pace_at_the_api_is_noticed(times: float, *, tells: bool) -> None:
    durations = [*spread_evenly(300, 60.0), *(times * each for each in spread_evenly(700, 60.0, seed=2))]
    run = watch(durations, EngineOptions(jobs=CAP), tells=tells)
    assert lost(run, durations) <= 1.15


def test_settings_that_make_jobs_longer_are_told_apart() -> None:
    """Half of the takes are four times as long: of one mixed history, all would be looked at from the first ends on."""
    chance = random.Random(1)
    are_long = [chance.random() < 0.5 for _ in range(800)]
    durations = [
        each * (4.0 if is_long else 1.0)
        for is_long, each in zip(are_long, spread_evenly(800, 30.0), strict=True)
    ]
    settings = [f'{{"duration":{10 if is_long else 5},"seed":{n}}}' for n, is_long in enumerate(are_long)]
    apart = watch(durations, EngineOptions(jobs=CAP), bodies=settings)
    mixed = watch(durations, EngineOptions(jobs=CAP))
    assert apart.looks < 0.9 * mixed.looks
    assert lost(apart, durations) <= 1.05


def test_as_many_looks_are_in_the_air_as_slow_answers_need() -> None:
    durations = spread_evenly(800, 10.0)
    run = watch(durations, EngineOptions(jobs=400, submit_window=32), away=0.2)
    assert run.most_at_once > 40
    assert lost(run, durations, cap=400) <= 1.2


def test_a_job_of_an_earlier_run_teaches_nothing_about_how_long_jobs_take() -> None:
    """Its age is by the wall clock, which may have been set meanwhile."""
    old = ticket("old", state=TakeState.RUNNING, request_id="req-old", submitted_at=EPOCH - 8 * 3600.0)
    journal = MemoryJournal(["old", "new"])
    row = journal._rows["old"]
    row.state, row.request_id = TakeState.RUNNING, "req-old"
    scripts = {"old": JobScript(runs=3.0), "new": JobScript(runs=5.0)}
    run = night([old, ticket("new")], scripts=scripts, journal=journal, options=EngineOptions(jobs=1))
    assert run.seconds < 30.0


class HangsOnce(ScriptedQueue):
    """An API whose first look at each of some jobs gets no answer for half a minute."""

    def __init__(self, hanging: int) -> None:
        super().__init__({f"s{n:03}": JobScript(queued=0.0, runs=5.0) for n in range(200)})
        self._hanging = {f"req-{n + 1}" for n in range(hanging)}

    async def look(self, request_id: str) -> LookAnswer:
        if request_id in self._hanging:
            self._hanging.discard(request_id)
            await asyncio.sleep(30.0)
            return RequestFailure(FailureKind.TRANSIENT, "ReadTimeout")
        return await super().look(request_id)


def test_answers_that_do_not_come_delay_no_other_look() -> None:
    takes = [ticket(f"s{n:03}") for n in range(200)]
    run = night(takes, queue=HangsOnce(60), options=EngineOptions(jobs=200, submit_window=200))
    results = [at for at, verb, _ in run.queue.history if verb == "result"]
    assert sum(1 for at in results if at < 8.0) == 140
    assert len(results) == 200


class Fails(ScriptedQueue):
    """An API that answers no read at all after ten seconds; it counts how many are asked at once."""

    going = most = 0

    async def look(self, request_id: str) -> LookAnswer:
        if asyncio.get_running_loop().time() < 10.0:
            return await super().look(request_id)
        self.going += 1
        self.most = max(self.most, self.going)
        await asyncio.sleep(5.0)
        self.going -= 1
        return RequestFailure(FailureKind.TRANSIENT, "HTTP 500")


def test_after_an_outage_few_looks_are_sent_at_once() -> None:
    options = EngineOptions(jobs=200, submit_window=200, outage_limit=600.0)
    queue = Fails({f"s{n:03}": JobScript(runs=3600.0) for n in range(200)})

    def count_anew(*_: object) -> None:
        queue.most = 0

    night([ticket(f"s{n:03}") for n in range(200)], queue=queue, options=options, at=[(60.0, count_anew)])
    assert 0 < queue.most <= options.looks_in_doubt
