"""Looks once more at jobs that were given up: the API did not know them, or named no clip that could be read.

In: takes as recorded. Out: which of them the API now says have a clip, on record, and what it says of the others. A
look is free and submits nothing; the clips are the engine's to bring home. Nobody else asks about them: what such a job
cost is noted here too, and an adopted one whose record tells of another job is taken back here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from runner.answers import ResultAnswer, Trouble
from runner.contact import talk
from runner.engine.disowning import disowned
from runner.engine.ports import Queue
from runner.errors import AccountRefused
from runner.rundir import RunDir
from runner.session import Wishes
from runner.shots import Ticket
from runner.states import AdoptionUndone, CostSeen, Ended, FoundAfterAll, TakeState
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile
from runner.wording import listed, visible

PATIENCE = 15.0
"""Seconds for all of them together: a person or a whole run waits for it."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What came of it: ids of takes `found` to have a clip, and for the others why there is none.

    `disowned` are those of the others that are held again, since the job adopted for them is another's.
    """

    found: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    disowned: tuple[str, ...] = ()

    @property
    def moved(self) -> bool:
        """True if the record tells another state of a take than before."""
        return bool(self.found or self.disowned)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was found, and what was taken back, if anything was; a sentence each."""
        found = f"given up before, and found after all, so nothing is paid for again: {listed(self.found)}"
        back = [f"{take_id} is held again: {self.lost[take_id]}" for take_id in self.disowned]
        return (*([found] if self.found else []), *back)


def look_again(
    wishes: Wishes, place: RunDir, state: StateFile, takes: Sequence[TakeRecord], *, insist: bool = False
) -> SecondLook:
    """Ask about those of `takes` that were given up, and record what is found; `insist` says that a person asked.

    Raises:
        AccountRefused: there is no token, and a person asked.
        DiskFailed: what was found could not be recorded.
    """
    given_up = {take.take_id for take in takes if take.is_given_up}
    if not given_up:
        return SecondLook()
    lost = [ticket for ticket in state.tickets() if ticket.take_id in given_up]
    try:
        answers = talk(wishes, place, takes, lambda queue: _answers(queue, lost))
    except AccountRefused:
        if insist:
            raise
        return SecondLook()
    found, back, reasons = [], [], {}
    for ticket in lost:
        answer = answers.get(ticket.take_id)
        news = _news(ticket, answer) if isinstance(answer, Ended) else None
        if news is not None:
            state.record(ticket.take_id, news, at=wishes.clock.wall()).result()
        match news:
            case FoundAfterAll():
                found.append(ticket.take_id)
            case AdoptionUndone(reason=reason):
                back.append(ticket.take_id)
                reasons[ticket.take_id] = visible(reason)
            case _:
                reasons[ticket.take_id] = _reason(answer)
    return SecondLook(tuple(found), reasons, tuple(back))


def _news(ticket: Ticket, ended: Ended) -> FoundAfterAll | AdoptionUndone | CostSeen | None:
    """Return what the record of a job that was given up tells, if that is anything new."""
    undone = disowned(ticket, ended)
    if undone is not None:
        return undone
    if ended.outcome is TakeState.SUCCEEDED and ticket.request_id is not None:
        # How long it took is left open: nobody watched it, and a server's word on times needs somebody who did.
        return FoundAfterAll(
            ticket.request_id, ended.result, ended.outputs, ended.cost, remarks=ended.remarks
        )
    return CostSeen(ended.cost) if ended.cost is not None and ticket.cost is None else None


async def _answers(queue: Queue, takes: Sequence[Ticket]) -> Mapping[str, ResultAnswer]:
    """Return what came within the patience there is; an answer that did not come is not in it."""
    answers: dict[str, ResultAnswer] = {}

    async def ask(take: Ticket) -> None:
        answers[take.take_id] = await queue.result(take.request_id or "", model=take.model, sent=take.body)

    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as asking:
            for take in takes:
                asking.create_task(ask(take))
    return answers


def _reason(answer: ResultAnswer | None) -> str:
    if isinstance(answer, Trouble | Ended):
        return visible(answer.reason)
    return "the API did not say" if answer is None else "it has not ended"
