"""A job's life is a function of time, decided at acceptance, and the ledger gives it back after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import CannotCreate, UsageError
from runner.simulator.jobs import Dispatcher, Job, JobOutcome, Phase, chance
from runner.simulator.ledger import Ledger

MODEL = "pika/pikaframes"


@dataclass
class HandClock:
    """A clock that stands still until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def a_dispatcher(
    clock: HandClock, *, speed: float = 1.0, slots: int = 64, seed: int = 0, fail_rate: float = 0.0
) -> Dispatcher:
    numbers = count(1)
    return Dispatcher(
        clock=clock,
        speed=speed,
        slots=slots,
        seed=seed,
        fail_rate=fail_rate,
        new_id=lambda: f"r{next(numbers)}",
    )


def decided(
    dispatcher: Dispatcher,
    body: bytes = b'{"seed":1}',
    *,
    seconds: float = 5.0,
    fate: JobOutcome | None = None,
) -> Job:
    return dispatcher.decide(MODEL, body, owner="me", price=100, seconds=seconds, fate=fate)


def test_a_job_is_queued_then_runs_then_has_ended() -> None:
    job = decided(a_dispatcher(HandClock()))
    assert job.ends_at is not None
    seen = [job.phase(now) for now in (job.accepted_at, job.started_at, job.ends_at - 1e-6, job.ends_at)]
    assert seen == [Phase.QUEUED, Phase.RUNNING, Phase.RUNNING, Phase.ENDED]


def test_a_five_second_clip_takes_one_to_three_seconds_at_speed_one() -> None:
    dispatcher = a_dispatcher(HandClock(), slots=500)
    ends = [decided(dispatcher, f'{{"seed":{n}}}'.encode()).ends_at or 0.0 for n in range(200)]
    assert min(ends) > 1001.0
    assert max(ends) < 1003.1


def test_speed_divides_every_length() -> None:
    slow, fast = (decided(a_dispatcher(HandClock(0.0), speed=speed)) for speed in (1.0, 10.0))
    assert fast.ends_at == pytest.approx((slow.ends_at or 0) / 10)
    assert fast.started_at == pytest.approx(slow.started_at / 10)


def test_the_same_submits_repeat_exactly_whatever_comes_between() -> None:
    one, other = a_dispatcher(HandClock()), a_dispatcher(HandClock())
    first, second = decided(one), decided(one)
    decided(other, b'{"seed":99}')
    again = [decided(other), decided(other)]
    assert [(job.started_at, job.ends_at) for job in again] == [
        (j.started_at, j.ends_at) for j in (first, second)
    ]
    assert first.ends_at != second.ends_at


def test_a_job_waits_for_the_first_free_slot() -> None:
    dispatcher = a_dispatcher(HandClock(), slots=1)
    first, second = decided(dispatcher), decided(dispatcher)
    assert second.started_at == first.ends_at


def test_the_queue_position_falls_to_nothing() -> None:
    dispatcher = a_dispatcher(HandClock(), slots=1)
    jobs = [decided(dispatcher) for _ in range(4)]
    seen = [dispatcher.ahead_of(jobs[3], now) for now in (1000.0, *(job.started_at for job in jobs))]
    assert seen == [3, 2, 1, 0, 0]


def test_a_cancelled_job_is_no_longer_ahead_of_anybody() -> None:
    dispatcher = a_dispatcher(HandClock(), slots=1)
    jobs = [decided(dispatcher) for _ in range(3)]
    dispatcher.withdraw(jobs[1])
    assert dispatcher.ahead_of(jobs[2], 1000.0) == 1


def test_a_job_that_never_ends_runs_for_ever() -> None:
    job = decided(a_dispatcher(HandClock()), fate=JobOutcome.NEVER_ENDS)
    assert (job.ends_at, job.over_at, job.phase(1e12)) == (None, None, Phase.RUNNING)


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 0), (0.3, 40, 80), (1.0, 200, 200)])
def test_the_fail_rate_is_the_share_of_jobs_that_fail(rate: float, least: int, most: int) -> None:
    dispatcher = a_dispatcher(HandClock(), fail_rate=rate)
    fates = [decided(dispatcher, f'{{"seed":{n}}}'.encode()).fate for n in range(200)]
    assert least <= fates.count(JobOutcome.FAILS) <= most


@settings(max_examples=50, deadline=None)
@given(st.integers(), st.lists(st.text(max_size=5), max_size=3))
def test_luck_repeats_and_stays_in_its_range(seed: int, words: list[str]) -> None:
    assert 0.0 <= chance(seed, *words) < 1.0
    assert chance(seed, *words) == chance(seed, *words)


@settings(max_examples=40, deadline=None)
@given(
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=12),
    slots=st.integers(1, 4),
    ages=st.lists(st.floats(0, 60), min_size=1, max_size=5),
)
def test_no_more_jobs_run_at_once_than_there_are_slots(
    pauses: list[float], slots: int, ages: list[float]
) -> None:
    clock = HandClock()
    dispatcher = a_dispatcher(clock, slots=slots)
    jobs = []
    for pause in pauses:
        clock.now += pause
        jobs.append(decided(dispatcher))
    for age in ages:
        assert sum(job.phase(1000 + age) is Phase.RUNNING for job in jobs) <= slots


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "simulated" / "ledger.jsonl"


def a_filled_ledger(path: Path) -> tuple[Ledger, list[Job]]:
    ledger, dispatcher = Ledger(path), a_dispatcher(HandClock())
    jobs = [
        decided(dispatcher, b'{"promptText":"\xc3\xa9"}'),
        decided(dispatcher, fate=JobOutcome.NEVER_ENDS),
    ]
    jobs.append(decided(dispatcher))
    for job in jobs:
        ledger.charge(job)
    jobs[2] = ledger.cancel(jobs[2].request_id, at=1000.1)
    return ledger, jobs


def test_a_ledger_opened_again_knows_every_job_as_it_was(ledger_file: Path) -> None:
    ledger, jobs = a_filled_ledger(ledger_file)
    ledger.close()
    again = Ledger(ledger_file)
    assert again.charges() == tuple(jobs)
    assert again.find_file(jobs[0].file) == jobs[0]
    assert [job.phase(1000.2) for job in again.charges()] == [Phase.QUEUED, Phase.QUEUED, Phase.CANCELLED]
    again.close()


def test_a_charge_is_in_the_file_before_the_call_returns(ledger_file: Path) -> None:
    ledger, jobs = a_filled_ledger(ledger_file)
    lines = [json.loads(line) for line in ledger_file.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["charge", "charge", "charge", "cancel"]
    assert lines[0]["request_id"] == jobs[0].request_id
    ledger.close()


def test_a_dispatcher_goes_on_after_a_restart_as_if_there_had_been_none(ledger_file: Path) -> None:
    ledger, dispatcher = Ledger(ledger_file), a_dispatcher(HandClock(), slots=2)
    for _ in range(3):
        ledger.charge(decided(dispatcher))
    ledger.close()
    reborn, again = a_dispatcher(HandClock(), slots=2), Ledger(ledger_file)
    for job in again.charges():
        reborn.admit(job)
    again.close()
    went_on, started_anew = decided(dispatcher), decided(reborn)
    assert replace(started_anew, request_id="", file="") == replace(went_on, request_id="", file="")
    assert reborn.ahead_of(started_anew, 1000.0) == dispatcher.ahead_of(went_on, 1000.0)


def test_a_last_line_that_a_crash_cut_short_is_cut_off(ledger_file: Path) -> None:
    ledger, jobs = a_filled_ledger(ledger_file)
    ledger.close()
    whole = ledger_file.read_bytes()
    ledger_file.write_bytes(whole + whole[:40])
    again = Ledger(ledger_file)
    assert again.charges() == tuple(jobs)
    again.close()
    assert ledger_file.read_bytes() == whole


def test_a_ledger_of_an_older_version_is_read(ledger_file: Path) -> None:
    ledger, jobs = a_filled_ledger(ledger_file)
    ledger.close()
    older = [
        {**json.loads(line), "outputs": 1, "fate": "never-starts"} if "charge" in line else json.loads(line)
        for line in ledger_file.read_text().splitlines()
    ]
    ledger_file.write_text("".join(json.dumps(line) + "\n" for line in older))
    again = Ledger(ledger_file)
    assert again.charges() == tuple(replace(job, fate=JobOutcome.FAILS) for job in jobs)
    again.close()


@pytest.mark.parametrize(
    "line", ["{}", "no", '{"kind":"gift"}', '{"kind":"cancel","request_id":"x","at":1}', "[]"]
)
def test_a_foreign_file_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match=r"other\.jsonl:1: not a line"):
        Ledger(path)
    assert path.read_text() == line + "\n"


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreate, match="cannot be written"):
        Ledger(tmp_path / "file" / "ledger.jsonl")


def test_the_ledger_counts_doubled_requests_and_what_they_cost() -> None:
    ledger, dispatcher = Ledger(), a_dispatcher(HandClock())
    for body in (b"{}", b'{"seed":1}', b"{}", b"{}"):
        ledger.charge(decided(dispatcher, body))
    assert (ledger.submits, ledger.distinct, len(ledger.doubled()), ledger.spent) == (4, 2, 2, 400)


def test_the_peak_counts_jobs_from_acceptance_to_their_end() -> None:
    ledger, clock = Ledger(), HandClock()
    dispatcher = a_dispatcher(clock)
    first = decided(dispatcher)
    ledger.charge(first)
    ledger.charge(decided(dispatcher))
    clock.now += 100
    ledger.charge(decided(dispatcher))
    assert ledger.peak_outstanding == 2
    ledger.cancel(first.request_id, at=first.accepted_at)
    assert ledger.peak_outstanding == 2 - 1
