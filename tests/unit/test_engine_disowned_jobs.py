"""An adopted job whose own record tells that it is another's: its take is held again, and its clip is not fetched."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runner.domain.api_answers import FailureKind, FetchTrouble, RequestFailure, ResultAnswer
from runner.domain.limits import Limits
from runner.domain.money import Charge, Spending
from runner.domain.run_ending import EndingKind
from runner.domain.shots import Ticket
from runner.domain.states import Adopted, DeliveryState, Ended, LostContact, SubmissionStarted, TakeState
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.testing import JobScript, MemoryDelivery, MemoryJournal
from tests.unit.test_engine import EPOCH, night, ticket

LINK = ("https://files.example/clip.mp4",)
OTHER_MODEL = Ended(TakeState.SUCCEEDED, '{"model_id": "other/model"}', LINK)
OTHER_SEED = Ended(TakeState.SUCCEEDED, '{"input": {"seed": 2}}', LINK)
SAME = Ended(TakeState.SUCCEEDED, '{"model_id": "pika/pikaframes", "input": {"seed": 1}}', LINK)
ALIAS = Ended(
    TakeState.SUCCEEDED, '{"request_id": "req-a", "model_id": "pika/alias", "input": {"seed": 1.0}}', LINK
)
STRANGE = RequestFailure(FailureKind.STRANGE, "the API reported another job")
TOO_LARGE = RequestFailure(FailureKind.TOO_LARGE, "the API's answer is larger than 16 MiB")
BUSY = RequestFailure(FailureKind.THROTTLED, "HTTP 429", retry_after=13 * 3600.0)


def adopted_ticket() -> Ticket:
    return ticket("s0", state=TakeState.QUEUED, request_id="req-a", submitted_at=EPOCH - 30, adopted=True)


def adopting(*others: str) -> MemoryJournal:
    """Return a journal in which `s0` waits for an adopted job, and the others to be sent."""
    journal = MemoryJournal(["s0", *others])
    for fact in (
        SubmissionStarted("try", adopted_ticket().fingerprint, journal.epoch),
        LostContact("try", "sent", "cut"),
        Adopted("req-a", "ada"),
    ):
        journal.record("s0", fact, at=EPOCH).result()
    return journal


@pytest.mark.parametrize(
    ("result", "adopted", "state", "delivery"),
    [
        (OTHER_MODEL, True, TakeState.HELD, DeliveryState.NONE),
        (OTHER_SEED, True, TakeState.HELD, DeliveryState.NONE),
        (STRANGE, True, TakeState.SUCCEEDED, DeliveryState.DELIVERED),
        (ALIAS, True, TakeState.SUCCEEDED, DeliveryState.DELIVERED),
        (SAME, True, TakeState.SUCCEEDED, DeliveryState.DELIVERED),
        (OTHER_SEED, False, TakeState.SUCCEEDED, DeliveryState.DELIVERED),
    ],
    ids=["other model", "other seed", "strange once", "model's other name", "its own", "a second word"],
)
def test_an_adopted_job_is_held_against_its_own_record(
    result: ResultAnswer, adopted: bool, state: TakeState, delivery: DeliveryState
) -> None:
    out, journal = replace(adopted_ticket(), adopted=adopted), adopting()
    run = night([out], journal=journal, scripts={"s0": JobScript(results=[result])})
    assert run.journal.state_of("s0")[:2] == (state, delivery)
    assert run.ending.kind is EndingKind.FINISHED


@pytest.mark.parametrize(
    ("results", "state", "ending"),
    [
        ([STRANGE] * 100_000, TakeState.HELD, EndingKind.FINISHED),
        ([TOO_LARGE] * 100_000, TakeState.QUEUED, EndingKind.OUTAGE),
        ([*[TOO_LARGE, STRANGE] * 50_000], TakeState.QUEUED, EndingKind.OUTAGE),
        ([BUSY, STRANGE], TakeState.QUEUED, EndingKind.OUTAGE),
    ],
    ids=["strange for long", "too large for long", "strange now and then", "strange after a long silence"],
)
def test_only_what_is_strange_for_as_long_as_an_outage_takes_an_adoption_back(
    results: list[ResultAnswer], state: TakeState, ending: EndingKind
) -> None:
    """A record that is too large tells nothing of whose job it is; its take is left to the next run."""
    script = JobScript(queued=0.0, runs=0.0, results=results)
    run = night([adopted_ticket()], journal=adopting(), scripts={"s0": script})
    assert run.journal.state_of("s0")[0] is state
    assert run.ending.kind is ending


def test_nobody_waits_for_what_a_disowned_job_will_have_cost() -> None:
    """It may have been paid for and stays counted, but no cost of it will come to make room under the cap."""
    out = replace(adopted_ticket(), estimate=1.0)
    run = night(
        [out, ticket("s1", estimate=1.0)],
        journal=adopting("s1"),
        scripts={"s0": JobScript(results=[OTHER_SEED])},
        options=EngineOptions(limits=Limits(max_cost=1.5)),
        past=RunHistory(spending=Spending((Charge("s0", 1.0),))),
    )
    assert run.states() == {"s0": TakeState.HELD, "s1": TakeState.PENDING}
    assert run.ending.kind is EndingKind.LIMIT
    assert run.seconds < 3600


def test_a_disowned_take_is_one_more_to_sort_out() -> None:
    lost = JobScript(submits=[lambda a: LostContact(a, "sent", "cut")])
    takes = [adopted_ticket(), *(ticket(f"s{n}") for n in (1, 2, 3))]
    run = night(
        takes,
        journal=adopting("s1", "s2", "s3"),
        scripts={"s0": JobScript(queued=0.0, runs=0.0, results=[OTHER_SEED]), "s2": lost},
        options=EngineOptions(max_unknown=2, jobs=2),
    )
    assert run.states()["s0"] is run.states()["s2"] is TakeState.HELD
    assert run.states()["s3"] is TakeState.PENDING
    assert run.ending.reason == "2 submits were left without an answer"


@pytest.mark.parametrize("told", ["req-1", " req-1 "])
def test_a_record_that_names_another_takes_job_is_not_taken_for_ones_own(told: str) -> None:
    mistaken = Ended(TakeState.SUCCEEDED, json.dumps({"request_id": told}), LINK)
    own = Ended(TakeState.SUCCEEDED, '{"request_id": "REQ-2"}', ("https://files.example/own.mp4",))
    scripts = {"s1": JobScript(results=[mistaken, mistaken, own])}
    run = night([ticket("s0"), ticket("s1")], scripts=scripts)
    assert ("s1", "https://files.example/own.mp4") in run.delivery.fetched
    assert run.said.count("asked about req-2, the API reported another take's job") == 1
    assert [take_id for take_id, _ in run.delivery.fetched].count("s1") == 1
    assert run.journal.state_of("s1")[1] is DeliveryState.DELIVERED


def test_fresh_links_are_not_taken_from_another_takes_record() -> None:
    mistaken = Ended(TakeState.SUCCEEDED, '{"request_id": "req-1"}', ("https://files.example/other.mp4",))
    scripts = {"s1": JobScript(results=[JobScript().ending, mistaken])}
    delivery = MemoryDelivery({"s1": [FetchTrouble("403", link_refused=True)]})
    run = night([ticket("s0"), ticket("s1")], scripts=scripts, delivery=delivery)
    assert {url for take_id, url in run.delivery.fetched if take_id == "s1"} == set(LINK)
