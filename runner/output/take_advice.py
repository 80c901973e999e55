"""What a person can do about a take that has no clip or an odd one: a sentence and a command to copy.

It knows no terminal and no HTML. The command names the manifest without its folder, since a page may be passed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import IN_DOUBT, NEVER_CHARGED, DeliveryState, FailureClass, TakeState
from runner.system.escapes import command_line


@dataclass(frozen=True, slots=True)
class NextStep:
    """What a person can do about a take: a sentence, and a command's verb with the words after the run's name.

    All are empty if nothing is left to do. `of_several` is the sentence about several takes.
    """

    sentence: str = ""
    verb: str = ""
    words: tuple[str, ...] = ()
    of_several: str = ""


NOTHING = NextStep()
_HELD = NextStep(
    "It may have been charged. Look on the provider's site for its job, then decide.",
    "reconcile",
    of_several="They may have been charged. Look on the provider's site for their jobs, then decide.",
)
_AGAIN = frozenset({TakeState.PENDING, TakeState.QUEUED, TakeState.RUNNING})


def run_command(header: RunHeader, verb: str, *words: str) -> str:
    """Return the command `shotrunner VERB MANIFEST WORDS` for a run."""
    flags = (
        *(("--simulate",) if header.simulated else ()),
        *(("--shard", header.shard) if header.shard else ()),
    )
    return command_line(verb, PurePath(PurePath(header.manifest).name), *words, *flags)


def advice(header: RunHeader, take: TakeRecord, *, goes_on: bool = False) -> tuple[str, str]:
    """Return a sentence and a command for a take; both are empty if nothing is left to do.

    While the run `goes_on`, it does by itself what a next run would do.
    """
    step = next_step(take)
    if goes_on and step.verb in {"run", "fetch"}:
        step = NOTHING
    return step.sentence, run_command(header, step.verb, *step.words) if step.verb else ""


def next_step(take: TakeRecord) -> NextStep:
    """Return what a person can do about a take."""
    if take.position is None and take.state not in IN_DOUBT:
        return NOTHING
    if take.state in IN_DOUBT:
        return _HELD
    if take.state is TakeState.FAILED:
        return _after_failure(take)
    if take.state is TakeState.CANCELLED:
        return _new_attempt(take)
    if take.state in _AGAIN:
        return NextStep("The run is not over.", "run", of_several="The run is not over.")
    if take.state is TakeState.SUCCEEDED and take.delivery is not DeliveryState.DELIVERED:
        several = "They are rendered; the downloads are free."
        return NextStep("It is rendered; the download is free.", "fetch", (take.take_id,), several)
    if take.flags:
        several = "Watch them. If you reject them, ask for more takes."
        return NextStep("Watch it. If you reject it, ask for more takes.", "reroll", (take.shot_id,), several)
    return NOTHING


def _after_failure(take: TakeRecord) -> NextStep:
    if take.is_given_up:
        several = "Their clips may still exist; a look is free."
        return NextStep("Its clip may still exist; a look is free.", "run", of_several=several)
    if take.failure in NEVER_CHARGED:
        several = "They were not charged. Change the rows, then run again."
        return NextStep("It was not charged. Change the row, then run again.", "run", of_several=several)
    if take.failure is FailureClass.MODERATION:
        several = "The same prompts are refused again. Change them, then run again."
        return NextStep("The same prompt is refused again. Change it, then run again.", "run", (), several)
    return _new_attempt(take)


def _new_attempt(take: TakeRecord) -> NextStep:
    several = "They can be paid for and sent again."
    return NextStep("It can be paid for and sent again.", "retry", (take.take_id,), several)
