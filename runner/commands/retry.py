"""Trying again what failed or was cancelled: which takes may be, and the wish on record.

In: takes as recorded, the manifest's fingerprints, who asks. Out: the takes to try, and why others are not. Each new
attempt is paid for: the wish is recorded under the run lock, and the next run submits it. Before that it looks, for
nothing, whether a clip is there after all. It submits nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.commands.reconcile import NEEDS_DECISION
from runner.commands.steps.open_for_decision import Decision, named, open_for_decision, record
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.recheck_failed import RecheckResult, recheck
from runner.commands.steps.request import RunRequest
from runner.domain import failpoints
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.shots import Plan
from runner.domain.states import OUT_THERE, FailureClass, RetryRequested, TakeState
from runner.plan.scope import scope_of
from runner.plan.selection import Choice, choose
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock
from runner.system.escapes import command_line, visible

RETRYABLE = frozenset({TakeState.FAILED, TakeState.CANCELLED})
"""States of which a new attempt is made only by an explicit wish."""


@dataclass(frozen=True, slots=True)
class Retries:
    """The takes to try again, and sentences about those that a pattern meant and that stay as they are."""

    takes: tuple[TakeRecord, ...]
    left_out: tuple[str, ...]


def retries(
    takes: Sequence[TakeRecord],
    *,
    planned: Mapping[str, str],
    names: Sequence[str] = (),
    choice: Choice | None = None,
    even_moderated: bool = False,
    origin: str = "",
) -> Retries:
    """Return which takes a retry is about: those named, all of which must do, and those of `choice` that do.

    `planned` are the fingerprints of the manifest's takes as it stands now, `origin` is the API's.

    Raises:
        UsageError: a named take cannot be tried again, or nothing is left to try.
    """

    def why_not(take: TakeRecord) -> tuple[str, str] | None:
        return _why_not(take, planned, origin, even_moderated=even_moderated)

    asked = named(takes, names)
    refused = [(take, why) for take in asked if (why := why_not(take))]
    if refused:
        advice = refused[0][1][1]
        told = "; ".join(f"{take.take_id} {reason}" for take, (reason, _) in refused)
        raise UsageError(f"nothing was asked for: {told}", advice=advice)
    fitting = choose(takes, choice) if choice else ()
    others = [take for take in takes if take.take_id in fitting and take not in asked]
    good = [take for take in others if not why_not(take)]
    good = good[: choice.limit if choice else None]
    left_out = [f"{take.take_id} {why[0]}" for take in others if (why := why_not(take))]
    if not asked and not good:
        raise UsageError(
            "no take that fits can be tried again" + "".join(f"; {text}" for text in left_out[:3]),
            advice="see what failed with shotrunner status",
        )
    return Retries((*asked, *good), tuple(left_out))


def _why_not(
    take: TakeRecord, planned: Mapping[str, str], origin: str, *, even_moderated: bool
) -> tuple[str, str] | None:
    """Return why a take cannot be tried again, with the way out; None if it can."""
    if take.state in NEEDS_DECISION:
        return "is held: it may have been paid for", "decide on it: shotrunner reconcile RUN"
    if take.state not in RETRYABLE:
        return _settled_otherwise(take)
    if found := take.links(origin).taken:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return (
            f"has an output: {visible(found[0].url)}{more}, at {visible(found[0].place)} in its record",
            f"{command_line('fetch', 'RUN', take.take_id)} downloads it; nothing is paid for it again",
        )
    if take.take_id not in planned:
        return "is no longer in the manifest", "put its row back first"
    same = planned[take.take_id] == take.fingerprint
    if take.failure is FailureClass.MODERATION and same and not even_moderated:
        return (
            "was turned down by moderation and will likely be again unless its prompt or seed changes",
            "change its row, or add --even-moderated",
        )
    return None


def _settled_otherwise(take: TakeRecord) -> tuple[str, str]:
    if take.state is TakeState.SUCCEEDED:
        return (
            "has rendered; only what failed is tried again",
            "for another clip give the shot a new id or seed",
        )
    if take.state is TakeState.PENDING:
        return "is not sent yet", "shotrunner run sends it"
    if take.state in OUT_THERE:
        return (
            "is still active",
            "wait for its end, cancel it with shotrunner cancel, or give it up with shotrunner reconcile RUN drop TAKE",
        )
    return "was given up", "give the shot a new id"


def duplicates(
    plan: Plan, takes: Sequence[TakeRecord], chosen: Sequence[str], sent: Collection[str]
) -> tuple[str, ...]:
    """Return which takes a run of `chosen` ones would pay for though another one sends the same request, or has sent.

    `takes` have the ids that `plan` has for them, and so have those that were ever `sent`. That run's pattern may mean
    more takes than were chosen.
    """
    from runner.plan.duplicates import paid_twice

    waiting = [replace(take, state=TakeState.PENDING) if take.take_id in chosen else take for take in takes]
    found = scope_of(plan, waiting, Choice(only=tuple(chosen)))
    return paid_twice(plan.takes, going=found.sends, sent=sent)


def look_first(place: RunDir, takes: Sequence[TakeRecord], *, request: RunRequest) -> RecheckResult:
    """Look for nothing whether any of `takes` has a clip after all, before it is paid for again.

    Raises:
        AccountRefused: there is no token; nothing was recorded.
        RunInUse: a runner works on this run.
        DiskFailed: what was found could not be recorded.
    """
    if not any(take.may_have_a_clip for take in takes):
        return RecheckResult()
    with open_for_decision(place, request.clock, request.opening) as state:
        return recheck(request, place, state, takes, insist=True)


def request_retries(
    place: RunDir,
    takes: Sequence[TakeRecord],
    *,
    by: str,
    reason: str = "",
    clock: Clock | None = None,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decision:
    """Record that a new attempt of each take shall be paid for; the next run submits it.

    Raises:
        UsageError: one of them has changed since it was chosen; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    now = clock or SystemClock()
    with open_for_decision(place, now, opening) as state:
        with open_reader(place.state_file) as reader:
            standing = {take.take_id: (take.state, take.attempts) for take in reader.takes()}
        for take in takes:
            if standing.get(take.take_id) != (take.state, take.attempts):
                raise UsageError(f"{take.take_id} has changed meanwhile", advice="look again and repeat")
        failpoints.hit("retry.chosen")
        record(state, {take.take_id: RetryRequested(by, reason) for take in takes}, now)
        failpoints.hit("retry.recorded")
    return Decision(tuple(take.take_id for take in takes), state.notes)
