"""Patient facts wait for company, urgent ones for nobody, and neither promises anything before its commit.

A patience of an hour stands for ever here: what is done within a test was not waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from runner.domain.states import (
    CostSeen,
    Delivered,
    DeliveryState,
    Ended,
    Fact,
    FetchStarted,
    RetryRequested,
    Started,
    SubmissionStarted,
    TakeState,
)
from runner.store.append_event import Answer, Decision
from runner.store.reader import open_reader
from runner.store.state_file import BATCHABLE, StateFile
from tests.integration.store_samples import A, make_take, new_state_file, road, seen

S, D = TakeState, DeliveryState
HOUR = 3600.0
TAKES = [A, *(make_take(f"t{number}") for number in range(20))]


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[StateFile]:
    with new_state_file(tmp_path, TAKES, patience=HOUR) as state_file:
        yield state_file


def queue(state_file: StateFile, take_id: str = "a") -> None:
    for fact in road(make_take(take_id), S.QUEUED, attempt=f"try-{take_id}", epoch=state_file.epoch):
        state_file.record(take_id, fact, at=1.0).result(timeout=20)


def commits(state_file: StateFile) -> list[str]:
    """Return a list that grows with every commit from now on."""
    found: list[str] = []
    state_file._writer.connection.set_trace_callback(
        lambda sql: found.append(sql) if sql == "COMMIT" else None
    )
    return found


def events(state_file: StateFile, take_id: str = "a") -> list[str]:
    with open_reader(state_file.path) as reader:
        return [event.fact for event in reader.events(take_id)]


def test_nothing_that_money_or_a_person_waits_for_is_patient() -> None:
    assert not set(get_args(BATCHABLE)) & {
        SubmissionStarted,
        RetryRequested,
        *get_args(Answer),
        *get_args(Decision),
    }


@pytest.mark.parametrize("state", [S.SUBMITTING, S.QUEUED, S.HELD, S.DROPPED])
def test_a_submit_its_answer_and_a_decision_wait_for_nobody(state_file: StateFile, state: TakeState) -> None:
    for fact in road(A, state, attempt="try", epoch=state_file.epoch):
        state_file.record("a", fact, at=1.0).result(timeout=20)
    assert seen(state_file).state is state


def test_a_patient_fact_is_not_done_before_it_is_on_disk(state_file: StateFile) -> None:
    queue(state_file)
    future = state_file.record("a", Started(), at=1.0)
    assert not future.done()
    assert seen(state_file).state is S.QUEUED
    state_file.close()
    assert future.done()
    assert seen(state_file).state is S.RUNNING


def test_an_urgent_fact_takes_the_patient_ones_along_in_one_commit(state_file: StateFile) -> None:
    queue(state_file)
    found = commits(state_file)
    patient = [
        state_file.record("a", fact, at=1.0)
        for fact in (Started(), Ended(S.SUCCEEDED, "{}", ("https://clips/1.mp4",)), CostSeen(0.5))
    ]
    sent = SubmissionStarted("try-t0", TAKES[1].fingerprint, state_file.epoch)
    state_file.record("t0", sent, at=1.0).result(timeout=20)
    for future in patient:
        # Woken in order, so the urgent one's end says that of all before it.
        assert future.done()
    state_file._writer.connection.set_trace_callback(None)
    assert found == ["COMMIT"]
    assert (seen(state_file).state, seen(state_file, "t0").state) == (S.SUCCEEDED, S.SUBMITTING)


def test_patient_facts_of_many_takes_are_on_disk_in_the_order_handed_in(state_file: StateFile) -> None:
    life: list[Fact] = [
        Started(),
        Ended(S.SUCCEEDED, "{}", ("https://clips/1.mp4",)),
        FetchStarted("https://clips/1.mp4"),
        Delivered("clips/x.mp4", "ab" * 32, 7),
    ]
    for take in TAKES:
        queue(state_file, take.id)
    found = commits(state_file)
    futures = [state_file.record(take.id, fact, at=1.0) for fact in life for take in TAKES]
    state_file._writer.stop()
    assert found == ["COMMIT"]
    assert all(future.exception(0) is None for future in futures)
    for take in TAKES:
        assert events(state_file, take.id)[2:] == ["Started", "Ended", "FetchStarted", "Delivered"]
    with open_reader(state_file.path) as reader:
        late = [event.take_id for event in reader.events() if event.fact == "Delivered"]
    assert late == [take.id for take in TAKES]


def test_closing_does_not_wait_for_patience(state_file: StateFile) -> None:
    futures = [state_file.record("a", CostSeen(float(n)), at=1.0) for n in range(50)]
    state_file.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert seen(state_file).cost == 49.0


@pytest.mark.parametrize("patience", [0.0, 0.005])
def test_patience_ends_by_itself(tmp_path: Path, patience: float) -> None:
    with new_state_file(tmp_path, TAKES, patience=patience) as state_file:
        for number in range(3):
            state_file.record("a", CostSeen(float(number)), at=1.0).result(timeout=20)
        assert seen(state_file).cost == 2.0


def test_a_refused_fact_in_company_spoils_only_itself(state_file: StateFile) -> None:
    """The group is undone and begun again, each with a savepoint: what was done twice is recorded once."""
    queue(state_file)
    good = state_file.record("a", Started(), at=1.0)
    bad = state_file.record("a", FetchStarted("https://clips/1.mp4"), at=1.0)
    taken = state_file.record(
        "t0", SubmissionStarted("try-a", TAKES[1].fingerprint, state_file.epoch), at=1.0
    )
    last = state_file.record("a", CostSeen(1.0), at=1.0)
    state_file.close()
    assert [type(future.exception(20)).__name__ for future in (good, bad, taken, last)] == [
        "NoneType",
        "IllegalTransition",
        "IllegalTransition",
        "NoneType",
    ]
    assert events(state_file) == ["SubmissionStarted", "Accepted", "Started", "CostSeen"]
    assert events(state_file, "t0") == []
    assert (seen(state_file, "t0").state, seen(state_file, "t0").attempts) == (S.PENDING, 0)
