"""What a person can do about a take that has no clip or an odd one: a sentence and a command to copy.

It knows no terminal and no HTML. The command names the manifest without its folder, since a page may be passed on.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

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


class Remedy(NamedTuple):
    """What helps a take: a sentence, the verb of a command, and the word behind it, empty if it needs none."""

    sentence: str
    verb: str
    name: str = ""


def advice(header: RunHeader, take: TakeRecord) -> tuple[str, str]:
    """Return a sentence and a command for a take; both are empty if nothing is left to do."""
    found = remedy(take)
    if found is None:
        return NOTHING
    return found.sentence, run_command(header, found.verb, *([found.name] if found.name else []))


def remedy(take: TakeRecord) -> Remedy | None:
    """Return what helps a take, None if nothing is left to do."""
    if take.position is None and take.state not in IN_DOUBT:
        return None
    if take.state in IN_DOUBT:
        return Remedy(_HELD, "reconcile")
    if take.state is TakeState.FAILED:
        return _after_failure(take)
    if take.state is TakeState.CANCELLED:
        return Remedy("It can be paid for and sent again.", "retry", take.take_id)
    if take.state in _AGAIN:
        return Remedy("The run is not over.", "run")
    if take.state is TakeState.SUCCEEDED and take.delivery is not DeliveryState.DELIVERED:
        return Remedy("It is rendered; the download is free.", "fetch", take.take_id)
    if take.flags:
        return Remedy("Watch it. If you reject it, ask for more takes.", "reroll", take.shot_id)
    return None


def _after_failure(take: TakeRecord) -> Remedy:
    if take.is_given_up:
        return Remedy("Its clip may still exist; a look is free.", "run")
    if take.failure in NEVER_CHARGED:
        return Remedy("It was not charged. Change the row, then run again.", "run")
    if take.failure is FailureClass.MODERATION:
        return Remedy("The same prompt is refused again. Change it, then run again.", "run")
    return Remedy("It can be paid for and sent again.", "retry", take.take_id)
