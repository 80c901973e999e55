"""Failures that share a cause are told once, with the takes they befell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.output.status_text import Causes
from tests.unit.output_records import pending


def failed(name: str, reason: str, failure: FailureClass = FailureClass.MODERATION) -> TakeRecord:
    return replace(pending(name), take_id=name, state=TakeState.FAILED, failure=failure, reason=reason)


def causes(takes: Sequence[TakeRecord], *, least: int = 1) -> tuple[str, ...]:
    found = Causes()
    for take in takes:
        found.note(take)
    return found.sentences(least=least)


def test_one_sentence_a_cause_the_most_common_first() -> None:
    takes = [
        failed("s1", "worker 7 died", FailureClass.PROVIDER_FAILED),
        *(failed(f"a{n}", f"flagged, case {n}00") for n in range(7)),
        replace(pending("ok"), state=TakeState.SUCCEEDED, delivery=DeliveryState.DELIVERED, reason=""),
    ]
    assert causes(takes) == (
        "7 takes failed: moderation: flagged, case 000 (a0, a1, a2, a3, a4 and 2 more)",
        "1 take failed: provider-failed: worker 7 died (s1)",
    )
    assert causes(takes, least=2) == causes(takes)[:1]


def test_a_clip_that_did_not_come_is_another_cause_than_a_job_that_failed() -> None:
    lost = replace(
        pending("s2"),
        state=TakeState.SUCCEEDED,
        delivery=DeliveryState.UNDELIVERABLE,
        failure=None,
        reason="cut",
    )
    said = causes([failed("s1", "cut"), lost])
    assert len(said) == 2
    assert said[1].startswith("1 take undeliverable: cut")


def test_what_a_server_said_cannot_steer_a_terminal() -> None:
    assert "\x1b" not in causes([failed("s1", "\x1b[2J")])[0]
