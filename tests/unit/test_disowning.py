"""An adopted job whose own record tells that it is another's: its take is held again, and its clip is not fetched."""

from __future__ import annotations

import pytest

from runner.answers import ResultAnswer, Trouble, TroubleKind
from runner.engine.options import EndingKind
from runner.states import Adopted, DeliveryState, Ended, LostContact, SubmissionStarted, TakeState
from runner.testing import MemoryJournal
from runner.testing.queue import JobScript
from tests.unit.test_engine import EPOCH, night, ticket

LINK = ("https://files.example/clip.mp4",)
OTHER_MODEL = Ended(TakeState.SUCCEEDED, '{"model_id": "other/model"}', LINK)
OTHER_SEED = Ended(TakeState.SUCCEEDED, '{"input": {"seed": 2}}', LINK)
SAME = Ended(TakeState.SUCCEEDED, '{"model_id": "pika/pikaframes", "input": {"seed": 1}}', LINK)
STRANGE = Trouble(TroubleKind.STRANGE, "the API told of another job")


@pytest.mark.parametrize(
    ("result", "adopted", "state", "delivery"),
    [
        (OTHER_MODEL, True, TakeState.HELD, DeliveryState.NONE),
        (OTHER_SEED, True, TakeState.HELD, DeliveryState.NONE),
        (STRANGE, True, TakeState.HELD, DeliveryState.NONE),
        (SAME, True, TakeState.SUCCEEDED, DeliveryState.DELIVERED),
        (OTHER_SEED, False, TakeState.SUCCEEDED, DeliveryState.DELIVERED),
    ],
    ids=["other model", "other seed", "strange", "its own", "a second word"],
)
def test_an_adopted_job_is_held_against_its_own_record(
    result: ResultAnswer, adopted: bool, state: TakeState, delivery: DeliveryState
) -> None:
    out = ticket("s0", state=TakeState.QUEUED, request_id="req-a", submitted_at=EPOCH - 30, adopted=adopted)
    journal = MemoryJournal(["s0"])
    for fact in (
        SubmissionStarted("try", out.fingerprint, journal.epoch),
        LostContact("try", "sent", "cut"),
        Adopted("req-a", "ada"),
    ):
        journal.record("s0", fact, at=EPOCH).result()
    run = night([out], journal=journal, scripts={"s0": JobScript(results=[result])})
    assert run.journal.state_of("s0")[:2] == (state, delivery)
    assert run.ending.kind is EndingKind.FINISHED
