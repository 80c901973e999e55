"""Looks again at jobs that ended without a clip: first into their records as they were kept, then at the API.

A look is free and submits nothing; the engine downloads the clips. No other module asks about these jobs, so their
late costs are noted here too, and an adopted one whose record names another job is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.api.result_answer import read_again
from runner.commands.steps.api_session import answers_within, with_api
from runner.commands.steps.request import RunRequest
from runner.commands.steps.run_log import log_facts
from runner.domain.api_answers import RequestFailure, ResultAnswer
from runner.domain.display import listed, visible
from runner.domain.errors import AccountRefused
from runner.domain.job_match import disowned, unless_of_another
from runner.domain.records import Standing
from runner.domain.run_events import FactRecorded
from runner.domain.shots import Ticket
from runner.domain.states import AdoptionUndone, CostSeen, Ended, FoundAfterAll, TakeState
from runner.engine.ports import Queue
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock

PATIENCE = 15.0
"""Seconds for all of them together: a person or a whole run waits for it."""


@dataclass(frozen=True, slots=True)
class RecheckResult:
    """What came of it: ids of takes `found` to have a clip, and for the others why there is none.

    `disowned` are those of the others that are held again, since the job adopted for them is another's.
    """

    found: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    disowned: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """True if jobs were asked about: the record may know more than before."""
        return bool(self.found or self.lost)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was found, and what was taken back, if anything was; a sentence each."""
        found = f"given up before, and found after all, so nothing is paid for again: {listed(self.found)}"
        back = [f"{take_id} is held again: {self.lost[take_id]}" for take_id in self.disowned]
        return (*([found] if self.found else []), *back)


def recheck(
    request: RunRequest, place: RunDir, state: StateFile, takes: Sequence[Standing], *, insist: bool = False
) -> RecheckResult:
    """Look at those of `takes` that may have a clip after all, and record what is found.

    `insist` says that a person named them: then also what a person gave up is looked for.

    Raises:
        AccountRefused: there is no token, and a person asked.
        DiskFailed: what was found could not be recorded.
    """
    suspects = {
        take.take_id: take
        for take in takes
        if take.may_have_a_clip and (insist or take.state is not TakeState.DROPPED)
    }
    if not suspects:
        return RecheckResult()
    tickets = [ticket for ticket in state.tickets(dropped=insist) if ticket.take_id in suspects]
    with open_reader(place.state_file, checked=True) as reader:
        results = {take.take_id: take.result for take in map(reader.take, suspects) if take}
    answers: dict[str, ResultAnswer] = {}
    asked = []
    for ticket in tickets:
        ended = read_again(results[ticket.take_id], sent=ticket.body, origin=request.origin)
        if ended is not None and ended.outcome is TakeState.SUCCEEDED:
            # The record, as it was kept, names a clip after all.
            answers[ticket.take_id] = ended
        elif suspects[ticket.take_id].is_given_up or ticket.state is TakeState.DROPPED:
            # Where the record named a failure, the API has said all.
            asked.append(ticket)
    try:
        if asked:
            answers |= with_api(request, place, lambda queue: _answers(queue, asked, takes))
    except AccountRefused:
        if insist:
            raise
        asked = []
    looked = [ticket for ticket in tickets if ticket in asked or ticket.take_id in answers]
    return _recorded(state, looked, answers, clock=request.clock)


def _recorded(
    state: StateFile, looked: Sequence[Ticket], answers: Mapping[str, ResultAnswer], *, clock: Clock
) -> RecheckResult:
    """Record what is new about the takes that were looked at; an answer that did not come is not in `answers`."""
    found, back, reasons, logged = [], [], {}, list[FactRecorded]()
    for ticket in looked:
        answer = answers.get(ticket.take_id)
        news = _news(ticket, answer) if isinstance(answer, Ended) else None
        if news is not None:
            at = clock.wall()
            state.record(ticket.take_id, news, at=at).result()
            logged.append(FactRecorded(ticket.take_id, news, at, ticket.label))
        match news:
            case FoundAfterAll():
                found.append(ticket.take_id)
            case AdoptionUndone(reason=reason):
                back.append(ticket.take_id)
                reasons[ticket.take_id] = visible(reason)
            case _ if isinstance(answer, RequestFailure | Ended):
                reasons[ticket.take_id] = visible(answer.reason)
            case _:
                reasons[ticket.take_id] = "the API did not say" if answer is None else "it has not ended"
    log_facts(RunDir(state.path.parent), clock, logged)
    return RecheckResult(tuple(found), reasons, tuple(back))


def _news(ticket: Ticket, ended: Ended) -> FoundAfterAll | AdoptionUndone | CostSeen | None:
    """Return what the record of a job adds, if that is anything new."""
    undone = disowned(ticket, ended) if ticket.state is not TakeState.DROPPED else None
    if undone is not None:
        return undone
    if ended.outcome is TakeState.SUCCEEDED and ticket.request_id is not None:
        # How long it took is left open: no run watched it, and a server's own times are not trusted without that.
        return FoundAfterAll(
            ticket.request_id, ended.result, ended.outputs, ended.cost, remarks=ended.remarks
        )
    return CostSeen(ended.cost) if ended.cost is not None and ticket.cost is None else None


async def _answers(
    queue: Queue, asked: Sequence[Ticket], takes: Sequence[Standing]
) -> Mapping[str, ResultAnswer]:
    """Return what came within the patience there is; an answer that did not come is not in it."""

    async def ask(take: Ticket) -> ResultAnswer:
        request_id = take.request_id or ""
        answer = await queue.result(request_id, model=take.model, sent=take.body)
        others = (each.request_id for each in takes if each.take_id != take.take_id)
        return unless_of_another(answer, request_id=request_id, others=others)

    return await answers_within(PATIENCE, {take.take_id: ask(take) for take in asked})
