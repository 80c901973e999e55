"""What a person decides about takes: held ones are adopted or declared not sent; any that was sent can be dropped.

In: a run directory, take ids, who decides. Out: the held takes with their evidence, and what was decided. An adoption
can be corrected or taken back in the same words, as long as no clip came of it. It submits nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.commands.steps.api_session import Found, identify, recorded_request, unanswered, with_api
from runner.commands.steps.open_for_decision import Decided, OpenRecord, named, open_for_decision
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.domain import failpoints
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.body_diff import contradiction
from runner.domain.errors import UsageError
from runner.domain.records import AttemptRecord, TakeRecord
from runner.domain.states import (
    ACTIVE,
    IN_DOUBT,
    Accepted,
    Adopted,
    AdoptionUndone,
    DeclaredNotSent,
    DeliveryState,
    Dropped,
    Ended,
    LateAnswer,
    TakeState,
)
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.system.canonical_json import JsonValue
from runner.system.escapes import command_line

LookUp: TypeAlias = Callable[[str], Found]
"""Asks the API what it knows of a request id."""


@dataclass(frozen=True, slots=True)
class HeldCase:
    """One held take with its evidence. Times are unix seconds; `milestone` is how far its request had got.

    `evidence` is what came back, as it came, and `candidates` ids in it that may be the job's; `prompt` is the input
    that describes the picture, `inputs` all others.
    """

    take_id: str
    label: str
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
    candidates: tuple[str, ...] = ()


def held_cases(place: RunDir) -> tuple[HeldCase, ...]:
    """Return every take that waits for a person, in manifest order; takes no lock and changes nothing."""
    with open_reader(place.state_file) as reader:
        return tuple(_case(reader, take) for take in reader.takes() if take.state in IN_DOUBT)


def _case(reader: Reader, take: TakeRecord) -> HeldCase:
    attempts: list[AttemptRecord | None] = [*reader.attempts(take.take_id)] or [None]
    latest = attempts[-1]
    told = {} if latest is None else latest.evidence
    body: dict[str, JsonValue] = json.loads(take.body)
    # The input that a person would know the job by; models spell it differently.
    prompts = [name for name in body if "prompt" in name.lower() and "negative" not in name.lower()]
    asked = prompts[0] if prompts else ""
    candidates = told.get("candidates")
    ids = candidates if isinstance(candidates, list) else []
    return HeldCase(
        take_id=take.take_id,
        label=take.label,
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
        candidates=tuple(each for each in ids if isinstance(each, str)),
    )


def adopt(
    place: RunDir,
    take_id: str,
    request_id: str,
    *,
    by: str,
    look_up: LookUp | None,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decided:
    """Record that a held take's job is `request_id`, after asking the API about it unless `look_up` is None.

    Raises:
        UsageError: the take is not held; the id cannot be one, belongs to another take, or is of another job.
        ServiceUnavailable, AccountRefused: the API did not say.
        RunInUse: a runner works on this run.
    """
    from runner.api.submit_answer import usable_id

    if not usable_id(request_id):
        raise UsageError(f"{request_id!r} cannot be a request id", advice="copy it from the provider's site")
    with open_for_decision(place, opening) as record:
        (take,) = _undecided(record.reader, [take_id])
        _refuse_taken_id(record.reader, take, request_id)
        if look_up is not None:
            _refuse_other_job(take, request_id, look_up(request_id))
            failpoints.hit("decide.looked")
        _take_back(record, [take], by)
        return record.write({take_id: Adopted(request_id, by)})


def ask_api(place: RunDir, take_id: str, *, api_base: str | None = None) -> LookUp:
    """Return what asks the run's API about an id that is said to be the job of `take_id`."""

    def ask(request_id: str) -> Found:
        with open_reader(place.state_file) as reader:
            request, take = recorded_request(place, reader.header, api_base=api_base), reader.take(take_id)
        model = take.model if take else ""
        return with_api(
            request, place, lambda queue: identify(queue, request_id, model=model, clock=request.clock)
        )

    return ask


def losses(place: RunDir, take_ids: Sequence[str]) -> list[str]:
    """Return a sentence for each take to be given up that has an active job or an output."""
    with open_reader(place.state_file) as reader:
        takes, origin = named(reader.takes(), take_ids), reader.header.api_base
    found = []
    for take in takes:
        loss = what_is_given_up(take)
        links = "".join(f"; its record names {link.text}" for link in take.links(origin).taken)
        if loss or links:
            found.append(f"{take.take_id}: {loss or take.state}{links}")
    return found


def _refuse_taken_id(reader: Reader, take: TakeRecord, request_id: str) -> None:
    """Refuse an id that was given to a take and not taken back."""
    taken_back: set[str] = set()
    for event in reversed(reader.events()):
        if event.details.get("request_id") != request_id:
            continue
        if event.fact == AdoptionUndone.__name__:
            taken_back.add(event.take_id)
        # An id that came late, for an earlier attempt of this very take, is a job of this take.
        late = event.fact == LateAnswer.__name__ and event.take_id != take.take_id
        adopted = event.fact == Adopted.__name__ and event.take_id not in taken_back
        if late or adopted or event.fact == Accepted.__name__:
            raise UsageError(
                f"request {request_id} belongs to take {event.take_id} already",
                advice=command_line("show", reader.path.parent, event.take_id),
            )


def _refuse_other_job(take: TakeRecord, request_id: str, found: Found) -> None:
    if isinstance(found, RequestFailure):
        if found.kind is not FailureKind.MISSING:
            raise unanswered(found)
        raise UsageError(
            f"the API does not know request {request_id}: {found.reason}",
            advice="copy the id again; with --offline it is taken as it is",
        )
    if isinstance(found, Ended):
        different = contradiction(take.model, take.body, found.result)
    else:
        different = f"model is {found.model}" if found.model and found.model != take.model else ""
    if different:
        raise UsageError(
            f"request {request_id} is another job than take {take.take_id}: its {different}",
            advice="look for the right id; with --offline it is taken as it is",
        )


def declare_not_sent(
    place: RunDir,
    take_ids: Sequence[str],
    *,
    by: str,
    reason: str = "",
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decided:
    """Record that held takes never reached the API: the next run submits them again, and may pay twice.

    Raises:
        UsageError: one of them is not held; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    with open_for_decision(place, opening) as record:
        takes = _undecided(record.reader, take_ids)
        for take in takes:
            # It would be sent, and paid for, again.
            if take.state is TakeState.SUCCEEDED:
                raise UsageError(
                    f"take {take.take_id} was sent: request {take.request_id}, adopted for it, has rendered;"
                    " nothing was recorded",
                    advice="adopt the right id if that is another take's job, or drop the take",
                )
        _take_back(record, takes, by)
        homeless = [
            f"{take.take_id}: its row is no longer in the manifest, so no run will submit it"
            for take in takes
            if take.position is None
        ]
        return record.write({take.take_id: DeclaredNotSent(by, reason) for take in takes}, *homeless)


def drop(
    place: RunDir, take_ids: Sequence[str], *, by: str, opening: OpenOptions = DEFAULT_OPTIONS
) -> Decided:
    """Record that takes are given up, whatever the API does with their jobs.

    Raises:
        UsageError: one of them was never sent, or its clip is here; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    with open_for_decision(place, opening) as record:
        takes = named(record.reader.takes(), take_ids)
        for take in takes:
            if not may_be_dropped(take):
                why = "it is not sent yet" if take.state is TakeState.PENDING else "it was given up before"
                why = "its clip is here" if take.delivery is DeliveryState.DELIVERED else why
                raise UsageError(
                    f"take {take.take_id} cannot be given up: {why}; nothing was recorded",
                    advice="to leave it out, remove its row from the manifest",
                )
        _take_back(record, [take for take in takes if _is_adopted(take, record.reader)], by)
        return record.write({take.take_id: Dropped(by, what_is_given_up(take)) for take in takes})


def may_be_dropped(take: TakeRecord) -> bool:
    """Return whether a person may give a take up: it was sent, and its clip is not here."""
    unsent = take.state in {TakeState.PENDING, TakeState.DROPPED}
    return not unsent and take.delivery is not DeliveryState.DELIVERED


def what_is_given_up(take: TakeRecord) -> str:
    """Return what is lost with a take, for the record and for who decides; empty if that was known before."""
    if take.state in ACTIVE:
        return f"given up while {take.state}: request {take.request_id} goes on and may be billed"
    if take.state is TakeState.SUCCEEDED:
        why = f": {take.reason}" if take.reason else ""
        return f"given up though request {take.request_id} has rendered; its clip did not come{why}"
    return ""


def _undecided(reader: Reader, take_ids: Sequence[str]) -> tuple[TakeRecord, ...]:
    """Return the takes of these ids, each held, or adopted with nothing delivered under its id."""
    takes = named(reader.takes(), take_ids)
    for take in takes:
        if take.state is not TakeState.HELD and not _is_adopted(take, reader):
            raise UsageError(
                f"take {take.take_id} is not held, it is {take.state}; nothing was recorded",
                advice=command_line("reconcile", reader.path.parent),
            )
    return takes


def _is_adopted(take: TakeRecord, reader: Reader) -> bool:
    """Return whether a take goes by an id that a person gave, and no clip has come, or begun to come, of it."""
    if take.request_id is None or take.delivery is not DeliveryState.NONE:
        return False
    return reader.attempts(take.take_id)[-1].outcome == Adopted.__name__


def _take_back(record: OpenRecord, takes: Sequence[TakeRecord], by: str) -> None:
    """Hold those of the takes again that were adopted."""
    adopted = {take.take_id: take.request_id for take in takes if take.request_id is not None}
    record.write({take_id: AdoptionUndone(request_id, by) for take_id, request_id in adopted.items()})
