"""What a person decides about held takes: they are adopted, declared not sent, or dropped.

In: a run directory, take ids, who decides. Out: the held takes with their evidence, and what was decided. Each decision
is a fact with its name and time, recorded under the run lock, and all of one call are checked before the first is
recorded. It submits nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner import failpoints
from runner.answers import Trouble, TroubleKind
from runner.contact import Found, unanswered
from runner.desk import Decided, desk, named, record
from runner.errors import UsageError
from runner.opening import AS_IT_IS, Opening
from runner.pacing import Clock, SystemClock
from runner.rundir import RunDir
from runner.shots import JsonValue
from runner.states import (
    Accepted,
    Adopted,
    DeclaredNotSent,
    Dropped,
    Ended,
    Fact,
    LateAnswer,
    TakeState,
)
from runner.store.read import Reader, open_reader
from runner.store.records import AttemptRecord, TakeRecord

WAITING = frozenset({TakeState.HELD, TakeState.SUBMITTING})
"""States a person may have to decide on: a take that is `submitting` while no runner works was lost with its runner."""

LookUp: TypeAlias = Callable[[str], Found]
"""Asks the API what it knows of a request id."""


@dataclass(frozen=True, slots=True)
class HeldCase:
    """One held take with its evidence. Times are unix seconds; `milestone` is how far its request had got.

    `evidence` is what came back, as it came; `prompt` the input that describes the picture, `inputs` all others.
    """

    take_id: str
    model: str
    state: TakeState
    attempt: int
    started_at: float | None
    ended_at: float | None
    milestone: str
    reason: str
    evidence: str
    prompt: str
    inputs: Mapping[str, JsonValue]
    fingerprint: str


def held_cases(place: RunDir) -> tuple[HeldCase, ...]:
    """Return every take that waits for a person, in manifest order; takes no lock and changes nothing."""
    with open_reader(place.state_file) as reader:
        return tuple(_case(reader, take) for take in reader.takes() if take.state in WAITING)


def _case(reader: Reader, take: TakeRecord) -> HeldCase:
    attempts: list[AttemptRecord | None] = [*reader.attempts(take.take_id)] or [None]
    latest = attempts[-1]
    told = {} if latest is None else latest.evidence
    body: dict[str, JsonValue] = json.loads(take.body)
    asked = _prompt_of(body)
    return HeldCase(
        take_id=take.take_id,
        model=take.model,
        state=take.state,
        attempt=take.attempts,
        started_at=None if latest is None else latest.started_at,
        ended_at=None if latest is None else latest.ended_at,
        milestone=str(told.get("milestone") or "unknown"),
        reason=str(told.get("reason") or take.reason),
        evidence=str(told.get("evidence") or ""),
        prompt=str(body.get(asked, "")),
        inputs={name: value for name, value in body.items() if name != asked and value is not None},
        fingerprint=take.fingerprint,
    )


def _prompt_of(body: Mapping[str, JsonValue]) -> str:
    """Return the name of the input that a person would know the job by; models spell it differently."""
    names = [name for name in body if "prompt" in name.lower() and "negative" not in name.lower()]
    return names[0] if names else ""


def adopt(
    place: RunDir,
    take_id: str,
    request_id: str,
    *,
    by: str,
    look_up: LookUp | None,
    clock: Clock | None = None,
    opening: Opening = AS_IT_IS,
) -> Decided:
    """Record that a held take's job is `request_id`, after asking the API about it unless `look_up` is None.

    Raises:
        UsageError: the take is not held; the id cannot be one, belongs to another take, or is of another job.
        ServiceUnavailable, AccountRefused: the API did not say.
        RunInUse: a runner works on this run.
    """
    from runner.api.bodies import REQUEST_ID

    if not REQUEST_ID.fullmatch(request_id):
        raise UsageError(f"{request_id!r} cannot be a request id", advice="copy it from the provider's site")
    now = clock or SystemClock()
    with desk(place, now, opening) as state:
        (take,) = _held(place, [take_id])
        _refuse_taken_id(place, take, request_id)
        if look_up is not None:
            _refuse_other_job(take, request_id, look_up(request_id))
            failpoints.hit("decide.looked")
        record(state, {take_id: Adopted(request_id, by)}, now)
    return Decided((take_id,), state.notes)


def _refuse_taken_id(place: RunDir, take: TakeRecord, request_id: str) -> None:
    with open_reader(place.state_file) as reader:
        told = [event for event in reader.events() if event.details.get("request_id") == request_id]
    for event in told:
        # An id that came late, for an earlier attempt of this very take, is a job of this take.
        if event.fact == LateAnswer.__name__ and event.take_id == take.take_id:
            continue
        if event.fact in {Accepted.__name__, Adopted.__name__, LateAnswer.__name__}:
            raise UsageError(
                f"request {request_id} belongs to take {event.take_id} already",
                advice=f"shotrunner show {place.path} {event.take_id}",
            )


def _refuse_other_job(take: TakeRecord, request_id: str, found: Found) -> None:
    if isinstance(found, Trouble):
        if found.kind is TroubleKind.MISSING:
            raise UsageError(
                f"the API does not know request {request_id}: {found.reason}",
                advice="copy the id again; with --offline it is taken as it is",
            )
        raise unanswered(found)
    different = _difference(take, found.result) if isinstance(found, Ended) else ""
    if different:
        raise UsageError(
            f"request {request_id} is another job than take {take.take_id}: its {different}",
            advice="look for the right id; with --offline it is taken as it is",
        )


def _difference(take: TakeRecord, result: str) -> str:
    """Return in what a result's record contradicts a take; empty if in nothing it tells."""
    try:
        record = json.loads(result)
    except ValueError:
        return ""
    if not isinstance(record, dict):
        return ""
    model, echoed = record.get("model_id"), record.get("input")
    if isinstance(model, str) and model != take.model:
        return f"model is {model}"
    sent: dict[str, JsonValue] = json.loads(take.body)
    told = echoed if isinstance(echoed, dict) else {}
    names = [name for name in sent if name in told and _plain(sent[name]) and _plain(told[name])]
    return next((f"{name} differs" for name in names if str(sent[name]) != str(told[name])), "")


def _plain(value: JsonValue) -> bool:
    # A service may keep pictures elsewhere than where it was sent for them, so links prove nothing.
    return isinstance(value, int | float) or (isinstance(value, str) and "://" not in value)


def declare_not_sent(
    place: RunDir,
    take_ids: Sequence[str],
    *,
    by: str,
    reason: str = "",
    clock: Clock | None = None,
    opening: Opening = AS_IT_IS,
) -> Decided:
    """Record that held takes never reached the API: the next run submits them again, and may pay twice.

    Raises:
        UsageError: one of them is not held; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    takes, notes = _decide(place, take_ids, DeclaredNotSent(by, reason), clock, opening)
    homeless = [
        f"{take.take_id}: its row is no longer in the manifest, so no run will submit it"
        for take in takes
        if take.position is None
    ]
    return Decided(tuple(take.take_id for take in takes), (*notes, *homeless))


def drop(
    place: RunDir,
    take_ids: Sequence[str],
    *,
    by: str,
    clock: Clock | None = None,
    opening: Opening = AS_IT_IS,
) -> Decided:
    """Record that held takes are given up.

    Raises:
        UsageError: one of them is not held; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    takes, notes = _decide(place, take_ids, Dropped(by), clock, opening)
    return Decided(tuple(take.take_id for take in takes), notes)


def _decide(
    place: RunDir, take_ids: Sequence[str], fact: Fact, clock: Clock | None, opening: Opening
) -> tuple[tuple[TakeRecord, ...], tuple[str, ...]]:
    """Record the same decision for all of these held takes, or for none; return them, and the state file's notes."""
    now = clock or SystemClock()
    with desk(place, now, opening) as state:
        takes = _held(place, take_ids)
        record(state, dict.fromkeys((take.take_id for take in takes), fact), now)
    return takes, state.notes


def _held(place: RunDir, take_ids: Sequence[str]) -> tuple[TakeRecord, ...]:
    with open_reader(place.state_file) as reader:
        takes = named(reader.takes(), take_ids)
    for take in takes:
        if take.state is not TakeState.HELD:
            raise UsageError(
                f"take {take.take_id} is not held, it is {take.state}; nothing was recorded",
                advice=f"shotrunner reconcile {place.path}",
            )
    return takes
