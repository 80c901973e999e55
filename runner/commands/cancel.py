"""Cancels jobs: the API is asked, its own word is shown, and only its result is believed.

Only a job that still waits can be cancelled; one that runs goes on and is billed. A session that goes on gets an order
for it, and its record shows what became of it. If a session does not react, or another command is at work, the API is
asked from here and nothing is recorded, for the runner will see it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from runner.commands.steer import Answer, ask, may_hear
from runner.commands.steps.api_session import (
    Found,
    account_is_refused,
    look_up,
    retry_transient,
    run_alone,
    unanswered,
    with_api,
)
from runner.commands.steps.find_run import read_header, read_takes
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.open_for_decision import named, refuse_unclear
from runner.commands.steps.open_run import open_recorded
from runner.commands.steps.request import RunRequest
from runner.commands.steps.run_log import run_log
from runner.commands.steps.sync_record import follow_names
from runner.domain import failpoints
from runner.domain.api_answers import RequestFailure
from runner.domain.body_diff import contradiction
from runner.domain.cancel_text import HELD, ended_text, refusal_text, word_text
from runner.domain.errors import RunInUse
from runner.domain.orders import CancelTakes
from runner.domain.records import TakeRecord
from runner.domain.run_events import FactRecorded, Listener, Listeners
from runner.domain.states import ACTIVE, IN_DOUBT, UNFINISHED, CancelRequested, Ended, Fact, TakeState
from runner.engine.ports import Journal, Queue
from runner.plan.selection import ALL, Choice, pick
from runner.store.lock import RunLock
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock

_NO_ONE = Listeners()
_ENDED = {
    TakeState.CANCELLED: "cancelled, confirmed by its result",
    TakeState.FAILED: "it had failed already",
    TakeState.SUCCEEDED: "it had rendered already and is billed; the next run fetches its clip",
}


@dataclass(frozen=True, slots=True)
class CancelOutcome:
    """What became of one take: `word` is the API's own, empty where it was not asked or did not answer.

    `stopped` says that nothing of it goes on at the API and that it did not render; `says` is a sentence.
    """

    take_id: str
    word: str
    stopped: bool
    says: str


@dataclass(frozen=True, slots=True)
class Cancelling:
    """All outcomes in the order asked; `runner_at_work` says that another process watches and will record them.

    `notes` are sentences about the state file.
    """

    outcomes: tuple[CancelOutcome, ...]
    runner_at_work: bool = False
    notes: tuple[str, ...] = ()


def cancel(
    place: RunDir,
    names: Sequence[str] = (),
    *,
    by: str,
    request: RunRequest,
    choice: Choice = ALL,
    everything: bool = False,
    dry_run: bool = False,
) -> Cancelling:
    """Ask the API to cancel the jobs of the named or chosen takes, look what became of each, and record it.

    A session that goes on does that itself, and does not send those takes that wait. With `dry_run` no one is asked.

    Raises:
        UsageError: not exactly one of `names`, `choice` and `everything` says which takes, or a name means none.
        AccountRefused: there is no token, or the API refuses it, also where a free question is asked.
        RunInUse: a simulated run is going on, and its API lives inside it.
    """
    refuse_unclear(names, choice, everything=everything)
    follow_names(place, read_header(place), names, opening=request.opening)
    takes = read_takes(place)
    take_ids = [take.take_id for take in named(takes, names)] or pick(
        takes,
        choice,
        lambda take: take.state in UNFINISHED | IN_DOUBT,
        decisions=decisions_for(place, choice),
    )
    with open_reader(place.state_file) as reader:
        goes_on = may_hear(place, reader)
    if dry_run:
        wanted = set(take_ids)
        chosen = tuple(_would(take, goes_on=goes_on) for take in takes if take.take_id in wanted)
        return Cancelling(chosen, goes_on)
    if goes_on and take_ids:
        answer = run_alone(ask(place, CancelTakes(tuple(take_ids)), by=by, clock=request.clock))
        if answer.changed is not False or answer.answered:
            return as_answered(place, answer, take_ids)
    with ExitStack() as stack:
        state = _state_file(place, request, stack)
        known = {take.take_id: take for take in read_takes(place)}
        takes = [known[take_id] for take_id in take_ids]
        asked = [take for take in takes if take.state in ACTIVE]
        found = {take.take_id: _nothing_to_cancel(take) for take in takes if take.state not in ACTIVE}
        if asked:
            clock, log = request.clock, stack.enter_context(run_log(place, request.clock))
            outcomes = with_api(
                request,
                place,
                lambda queue: cancel_jobs(queue, asked, state, by=by, clock=clock, listener=log),
            )
            found |= {outcome.take_id: outcome for outcome in outcomes}
        notes = () if state is None else state.notes
    return Cancelling(tuple(found[take.take_id] for take in takes), state is None, notes)


def _would(take: TakeRecord, *, goes_on: bool) -> CancelOutcome:
    if take.state in ACTIVE:
        return CancelOutcome(take.take_id, "", stopped=False, says="the API would be asked to cancel its job")
    if goes_on and take.state is TakeState.PENDING:
        return CancelOutcome(take.take_id, "", stopped=False, says="this session would not send it")
    return _nothing_to_cancel(take)


def as_answered(place: RunDir, answer: Answer, take_ids: Sequence[str]) -> Cancelling:
    """Return what the record says of the takes after a session has answered, or may have obeyed."""
    known = {take.take_id: take for take in read_takes(place)}
    heard = answer.changed is True
    found = tuple(_as_recorded(known[take_id], heard=heard) for take_id in take_ids if take_id in known)
    return Cancelling(found, runner_at_work=True, notes=answer.says)


def _as_recorded(take: TakeRecord, *, heard: bool) -> CancelOutcome:
    word = take.cancel_requested or ""
    if take.state in ACTIVE and not word:
        says = "the API was not asked; it goes on and is billed"
        return CancelOutcome(take.take_id, word, stopped=False, says=says)
    if take.state in ACTIVE:
        return _outcome(take, word, None)
    if take.state is TakeState.PENDING:
        says = "this session does not send it; the next run would" if heard else "not sent so far"
        return CancelOutcome(take.take_id, word, stopped=heard, says=says)
    if take.state is TakeState.SUBMITTING:
        says = "it is being sent at this moment; give the same command again"
        return CancelOutcome(take.take_id, word, stopped=False, says=says)
    if take.state in _ENDED:
        stopped = take.state is not TakeState.SUCCEEDED
        return CancelOutcome(take.take_id, word, stopped, _ENDED[take.state])
    return _nothing_to_cancel(take)


def _state_file(place: RunDir, request: RunRequest, stack: ExitStack) -> StateFile | None:
    """Open the state file if the run is ours to write; None while a runner works."""
    try:
        stack.enter_context(RunLock(place.path))
    except RunInUse as error:
        if request.simulate is not None:
            error.advice = "a simulated run has its API inside it: stop it first"
            raise
        return None
    state = stack.enter_context(open_recorded(place, request.opening))
    state.begin(at=request.clock.wall())
    return state


def _nothing_to_cancel(take: TakeRecord) -> CancelOutcome:
    if take.state is TakeState.PENDING:
        says = "not sent yet, so there is nothing to cancel; the next run would send it"
    elif take.state in IN_DOUBT:
        says = HELD
    else:
        says = ended_text(take.state)
    stopped = take.state not in {TakeState.SUCCEEDED} | IN_DOUBT
    return CancelOutcome(take.take_id, "", stopped, says)


async def cancel_jobs(
    queue: Queue,
    takes: Sequence[TakeRecord],
    journal: Journal | None,
    *,
    by: str,
    clock: Clock,
    listener: Listener = _NO_ONE,
) -> list[CancelOutcome]:
    """Cancel active jobs, one after the other; `listener` hears what is recorded. Without a journal nothing is.

    Raises `AccountRefused` if the API refuses the token; what was asked before is recorded.
    """
    return [await _cancel(queue, take, journal, by=by, clock=clock, listener=listener) for take in takes]


def _record(journal: Journal, take: TakeRecord, fact: Fact, clock: Clock, listener: Listener) -> None:
    at = clock.wall()
    journal.record(take.take_id, fact, at=at).result()
    listener.on_event(FactRecorded(take.take_id, fact, at, take.label))


async def _cancel(
    queue: Queue, take: TakeRecord, journal: Journal | None, *, by: str, clock: Clock, listener: Listener
) -> CancelOutcome:
    request_id = take.request_id
    assert request_id is not None
    answer = await retry_transient(lambda: queue.cancel(request_id), clock=clock)
    if isinstance(answer, RequestFailure):
        if await account_is_refused(queue, answer, model=take.model, clock=clock):
            raise unanswered(answer)
        return CancelOutcome(take.take_id, "", stopped=False, says=refusal_text(answer.reason))
    failpoints.hit("cancel.answered")
    if journal is not None:
        _record(journal, take, CancelRequested(by, answer.outcome), clock, listener)
        failpoints.hit("cancel.recorded")
    # The word proves nothing; only a look afterwards does.
    found = await look_up(queue, request_id, clock=clock)
    # What contradicts its take is a run's to judge, which knows whether the id was adopted.
    if (
        journal is not None
        and isinstance(found, Ended)
        and not contradiction(take.model, take.body, found.result)
    ):
        # What a server says of its own times is believed only as far as our clock allows.
        age = clock.wall() - (take.submitted_at or 0.0)
        is_late = found.seconds is not None and found.seconds > age
        ended = replace(found, seconds=None) if is_late else found
        _record(journal, take, ended, clock, listener)
        failpoints.hit("cancel.ended")
    return _outcome(take, answer.outcome, found)


def _outcome(take: TakeRecord, word: str, found: Found | None) -> CancelOutcome:
    stopped = word == "cancelled"
    if isinstance(found, Ended):
        stopped, says = found.outcome is not TakeState.SUCCEEDED, _ENDED[found.outcome]
    else:
        says = word_text(word, cancelled="cancelled, says the API; its result does not say so yet")
    return CancelOutcome(take.take_id, word, stopped, says)
