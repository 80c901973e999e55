"""What waits for a person, by what went wrong, with a command for each kind."""

from __future__ import annotations

from dataclasses import replace

from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.output.failure_kinds import MOST_NAMED, failure_kinds, failure_lines
from tests.unit.output_records import delivered, pending, queued, succeeded

FAILED = replace(queued(pending()), state=TakeState.FAILED, failure=FailureClass.PROVIDER_FAILED)


def command(verb: str, *words: str) -> str:
    return " ".join((verb, "RUN", *words))


def test_each_kind_has_its_takes_and_one_command_and_the_most_frequent_is_first() -> None:
    lost = replace(succeeded(pending("lost")), delivery=DeliveryState.UNDELIVERABLE)
    held = replace(pending("held"), state=TakeState.HELD, attempts=1)
    refused = replace(FAILED, take_id="worse", failure=FailureClass.MODERATION)
    failed = [replace(FAILED, take_id=f"s{n:03}") for n in range(MOST_NAMED)]
    found = {kind.name: kind.command for kind in failure_kinds([lost, held, refused, *failed], command)}
    assert next(iter(found)) == "provider-failed"
    assert found == {
        "provider-failed": "retry RUN --only status:failed",
        "undeliverable": "fetch RUN lost",
        "held": "reconcile RUN",
        "moderation": "run RUN",
    }


def test_a_few_takes_are_named_in_the_command() -> None:
    (kind,) = failure_kinds([FAILED, replace(FAILED, take_id="s011")], command)
    assert failure_lines([kind]) == [
        "2 provider-failed: s010_t01, s010_t01",
        "  They can be paid for and sent again.",
        "  → retry RUN s010 s011",
    ]


def test_what_asks_for_nothing_is_left_out() -> None:
    """A failed take whose row has gone, and a clip that is here."""
    assert failure_kinds([replace(FAILED, position=None), delivered(pending("fine"))], command) == ()
