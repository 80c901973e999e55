"""New paid attempts of what failed or was cancelled: a proposal to agree to, then the run of these takes alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import normalize

from runner.commands.check import check, drift
from runner.commands.run import run
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import find_run, manifest_of, read_takes, recorded_shard
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.open_for_decision import Decided, named, open_for_decision
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.recheck_failed import RecheckResult, recheck
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import RunSummary
from runner.commands.steps.sync_record import as_called_now, follow, sent_unasked
from runner.domain import failpoints
from runner.domain.errors import FileMissing, Problem, UsageError
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shots import Plan
from runner.domain.states import ACTIVE, IN_DOUBT, RETRYABLE, FailureClass, RetryRequested, TakeState
from runner.plan.scope import duplicates_in, scope_of
from runner.plan.selection import UNDECIDED, Choice, Decisions, choose
from runner.plan.shard_takes import of_shard
from runner.store.lock import RunLock
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir, is_run
from runner.system.escapes import command_line, visible

_TOLD = {
    **dict.fromkeys(
        ACTIVE,
        (
            "is still active",
            "wait for its end, cancel it with shotrunner cancel, or give it up with shotrunner reconcile RUN drop TAKE",
        ),
    ),
    **dict.fromkeys(
        IN_DOUBT, ("is held: it may have been paid for", "decide on it: shotrunner reconcile RUN")
    ),
    TakeState.SUCCEEDED: (
        "has rendered; only what failed is tried again",
        "for another clip give the shot a new id or seed",
    ),
    TakeState.PENDING: ("is not sent yet", "shotrunner run sends it"),
    TakeState.DROPPED: ("was given up", "give the shot a new id"),
}
"""Why a take in a state is not tried again, and the way out."""


@dataclass(frozen=True, slots=True)
class Retries:
    """The takes to try again, and sentences about those that a pattern meant and that stay as they are."""

    takes: tuple[TakeRecord, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a retry would pay for, to be agreed to.

    `header` names the manifest's present place. `left_out` are sentences about takes that a pattern meant and that
    stay as they are; `duplicates` are takes whose request another take sends or has sent. `warnings` are those that
    `check` shows, and doubts about media links. With `nothing_paid` the run's jobs went to a simulator so far.
    """

    place: RunDir
    header: RunHeader
    manifest: Path
    plan: Plan
    takes: tuple[TakeRecord, ...]
    left_out: tuple[str, ...]
    duplicates: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()
    nothing_paid: bool = False

    @property
    def take_ids(self) -> tuple[str, ...]:
        """The ids of the takes to try again."""
        return tuple(take.take_id for take in self.takes)

    @property
    def means_others(self) -> bool:
        """True if an id among them is also the id of another take's shot, so that a run of these ids means more."""
        ids = {*self.take_ids}
        return any(take.shot_id in ids and take.id not in ids for take in self.plan.takes)


def retries(
    takes: Sequence[TakeRecord],
    *,
    planned: Mapping[str, str],
    names: Sequence[str] = (),
    choice: Choice | None = None,
    even_moderated: bool = False,
    origin: str = "",
    decisions: Decisions = UNDECIDED,
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
        told = "; ".join(f"{take.take_id} {reason}" for take, (reason, _) in refused)
        raise UsageError(f"nothing was asked for: {told}", advice=refused[0][1][1])
    fitting = choose(takes, choice, decisions=decisions) if choice else ()
    others = [(take, why_not(take)) for take in takes if take.take_id in fitting and take not in asked]
    good = [take for take, why in others if why is None][: choice.limit if choice else None]
    left_out = tuple(f"{take.take_id} {why[0]}" for take, why in others if why)
    if not asked and not good:
        raise UsageError(
            "no take that fits can be tried again" + "".join(f"; {text}" for text in left_out[:3]),
            advice="see what failed with shotrunner status",
        )
    return Retries((*asked, *good), left_out)


def _why_not(
    take: TakeRecord, planned: Mapping[str, str], origin: str, *, even_moderated: bool
) -> tuple[str, str] | None:
    """Return why a take cannot be tried again, with the way out; None if it can."""
    if take.state not in RETRYABLE:
        return _TOLD[take.state]
    if found := take.links(origin).taken:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return (
            f"has an output: {visible(found[0].text)}{more}, at {visible(found[0].place)} in its record",
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


def propose(
    target: Path, *, request: RunRequest, names: Sequence[str] = (), even_moderated: bool = False
) -> Proposal:
    """Return what a retry of these takes would pay for; it changes nothing but what is known of their links.

    `target` is a manifest or a run directory, `request.choice` chooses besides `names`.

    Raises:
        FileMissing, StateFileUnusable: there is no such run, or its record cannot be read.
        ManifestInvalid: nothing runs while the manifest has a problem, or a link of these takes certainly fails.
        UsageError: no take is named or chosen, one cannot be tried again, or the run belongs to another manifest.
    """
    from runner.commands.steps.media_check import look_before_paying

    place = _place(target, request)
    with open_reader(place.state_file) as reader:
        header, takes, sent = reader.header, reader.takes(), reader.sent()
        nothing_paid = reader.nothing_paid
        schemas = reader.schemas()
    if request.simulated and not header.simulated:
        raise UsageError(f"{place.path} holds a paid run", advice="leave out --simulate")
    shard = recorded_shard(header)
    if request.shard not in {None, shard}:
        raise UsageError(
            f"{place.path} does not hold shard {request.shard} of its board", advice="leave out --shard"
        )
    manifest = _manifest(target, place, header, moved=request.opening.moved)
    # If the run was moved, the command to continue names the manifest's present place.
    header = replace(header, manifest=os.path.relpath(manifest.resolve(), place.path.resolve()))
    private, limits = header.simulated or request.on_this_machine, request.manifest_limits
    plan = check(manifest, schema_dirs=request.schema_dirs, allow_private_media=private, limits=limits)
    plan = of_shard(plan, shard)
    choice = None if request.choice.is_all else request.choice
    if not names and choice is None:
        raise UsageError("which takes?", advice="name them, or say --only status:failed")
    called = as_called_now(takes, plan)
    pairs, decided = tuple(zip(takes, called, strict=True)), decisions_for(place, request.choice)
    chosen = retries(
        called,
        planned={take.id: take.fingerprint for take in plan.takes},
        names=names,
        choice=choice,
        even_moderated=even_moderated,
        origin=header.api_base,
        decisions={now.take_id: said for then, now in pairs if (said := decided.get(then.take_id))},
    )
    sent_now = {now.take_id for then, now in pairs if then.take_id in sent}
    going = [take.take_id for take in chosen.takes]
    again = _duplicates(plan, called, going, sent_now)
    # A link that fails is found before a retry is recorded, or the next run would still send the take.
    wanted = replace(request, manifest=manifest)
    doubts = () if private else look_before_paying(wanted, plan, going, place)
    warnings = (*plan.warnings, *drift(plan, takes, schemas), *doubts)
    return Proposal(
        place, header, manifest, plan, chosen.takes, chosen.left_out, again, warnings, nothing_paid
    )


def _place(target: Path, request: RunRequest) -> RunDir:
    if request.run_dir is None:
        return find_run(target, simulated=request.simulated or None, shard=request.shard)
    if not is_run(request.run_dir):
        raise FileMissing(f"nothing has been run in {request.run_dir}")
    return RunDir(request.run_dir)


def _manifest(target: Path, place: RunDir, header: RunHeader, *, moved: bool) -> Path:
    recorded = manifest_of(place, header)
    if not target.is_file():
        return recorded
    if normalize("NFC", str(target.resolve())) != normalize("NFC", str(recorded)) and not moved:
        raise UsageError(f"{place.path} belongs to another manifest: {recorded}")
    return target


def _duplicates(
    plan: Plan, takes: Sequence[TakeRecord], chosen: Sequence[str], sent: Collection[str]
) -> tuple[str, ...]:
    """Return which takes a run of `chosen` ones would pay for though another one sends the same request, or has sent.

    All ids are those of `plan`. That run's pattern may mean more takes than were chosen.
    """
    waiting = [replace(take, state=TakeState.PENDING) if take.take_id in chosen else take for take in takes]
    found = scope_of(plan, waiting, Choice(only=tuple(chosen)))
    return duplicates_in(plan, going=found.sends, sent=sent)


def retry(
    proposal: Proposal,
    *,
    request: RunRequest,
    by: str,
    reason: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> RunSummary:
    """Record that new attempts of the proposed takes shall be paid for, and run them and no others.

    Before that it asks the API, for nothing, whether a clip is there after all. `request.confirm` is asked as in any
    run, `by` is who wishes it, and `say` gets remarks before the run begins.

    Raises:
        AccountRefused: there is no token; nothing was recorded.
        ShotrunnerError: as `run_manifest` raises it.
    """
    place, opening = proposal.place, request.opening
    # One lock covers both steps. Otherwise another process could leave a request that a later run pays without asking.
    with RunLock(place.path) as lock:
        opening = replace(opening, lock=lock)
        follow(place, proposal.plan, opening=opening)
        asked = _still_over(place, proposal)
        known = recorded_request(place, proposal.header, api_base=request.api_base, opening=opening)
        known = replace(known, simulate=request.simulate, schema_dirs=request.schema_dirs)
        look = _look_first(place, asked, request=known)
        asked = tuple(take for take in asked if take.take_id not in {*look.found, *look.disowned})
        recorded = request_retries(place, asked, by=by, reason=reason, opening=opening)
        for note in (*look.remarks, *recorded.remarks):
            say(note)
        request = replace(
            request,
            manifest=proposal.manifest,
            run_dir=place.path,
            opening=opening,
            shard=recorded_shard(proposal.header),
        )
        return run(replace(request, choice=Choice(only=proposal.take_ids), stale=False))


def _still_over(place: RunDir, proposal: Proposal) -> tuple[TakeRecord, ...]:
    """Return the takes that need a request; a take whose row changed does not, since its new row is sent anyway."""
    recorded = read_takes(place)
    over = {take.take_id for take in recorded if take.state in RETRYABLE}
    over -= sent_unasked(recorded, proposal.plan)
    return tuple(take for take in proposal.takes if take.take_id in over)


def _look_first(place: RunDir, takes: Sequence[TakeRecord], *, request: RunRequest) -> RecheckResult:
    """Look for nothing whether any of `takes` has a clip after all, before it is paid for again."""
    if not any(take.may_have_a_clip for take in takes):
        return RecheckResult()
    with open_for_decision(place, request.opening, request.clock) as record:
        return recheck(request, place, record.state, takes, insist=True)


def request_retries(
    place: RunDir,
    takes: Sequence[TakeRecord],
    *,
    by: str,
    reason: str = "",
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decided:
    """Record that a new attempt of each take shall be paid for; the next run submits it.

    Raises:
        UsageError: one of them has changed since it was chosen; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    with open_for_decision(place, opening) as record:
        standing = {take.take_id: (take.state, take.attempts) for take in record.reader.takes()}
        for take in takes:
            if standing.get(take.take_id) != (take.state, take.attempts):
                raise UsageError(f"{take.take_id} has changed meanwhile", advice="look again and repeat")
        failpoints.hit("retry.chosen")
        decided = record.write({take.take_id: RetryRequested(by, reason) for take in takes})
        failpoints.hit("retry.recorded")
    return decided
