"""What a person can do about a take that has no clip or an odd one: a sentence and a command to copy.

It knows no terminal and no HTML. The command names the manifest without its folder, since a page may be passed on.
"""

from __future__ import annotations

from pathlib import PurePath

from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import IN_DOUBT, NEVER_CHARGED, DeliveryState, FailureClass, TakeState
from runner.system.escapes import command_line

NOTHING = ("", "")
_HELD = "It may have been charged. Look on the provider's site for a job of this model and time, then decide."
_AGAIN = frozenset({TakeState.PENDING, TakeState.QUEUED, TakeState.RUNNING})


def run_command(header: RunHeader, verb: str, *words: str) -> str:
    """Return the command `shotrunner VERB MANIFEST WORDS` for a run."""
    simulated = ("--simulate",) if header.simulated else ()
    return command_line(verb, PurePath(PurePath(header.manifest).name), *words, *simulated)


def advice(header: RunHeader, take: TakeRecord) -> tuple[str, str]:
    """Return a sentence and a command for a take; both are empty if nothing is left to do."""
    if take.position is None and take.state not in IN_DOUBT:
        return NOTHING
    if take.state in IN_DOUBT:
        return _HELD, run_command(header, "reconcile")
    if take.state is TakeState.FAILED:
        return _after_failure(header, take)
    if take.state is TakeState.CANCELLED:
        return "It can be paid for and sent again.", run_command(header, "retry", take.take_id)
    if take.state in _AGAIN:
        return "The run is not over.", run_command(header, "run")
    if take.state is TakeState.SUCCEEDED and take.delivery is not DeliveryState.DELIVERED:
        return "It is rendered; the download is free.", run_command(header, "fetch", take.take_id)
    if take.flags:
        return "Watch it. If you reject it, ask for more takes.", run_command(header, "reroll", take.shot_id)
    return NOTHING


def _after_failure(header: RunHeader, take: TakeRecord) -> tuple[str, str]:
    if take.is_given_up:
        return "Its clip may still exist; a look is free.", run_command(header, "run")
    if take.failure in NEVER_CHARGED:
        return "It was not charged. Change the row, then run again.", run_command(header, "run")
    if take.failure is FailureClass.MODERATION:
        return "The same prompt is refused again. Change it, then run again.", run_command(header, "run")
    return "It can be paid for and sent again.", run_command(header, "retry", take.take_id)
