"""Looks once more at jobs that were given up: the API did not know them, or named no clip that could be read.

In: takes as recorded. Out: which of them the API now says have a clip, on record, and what it says of the others. A
look is free and submits nothing; the clips are the engine's to bring home.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.answers import ResultAnswer, Trouble
from runner.contact import talk
from runner.engine.costs import found_after_all
from runner.engine.ports import Queue
from runner.errors import AccountRefused
from runner.rundir import RunDir
from runner.session import Wishes
from runner.states import Ended
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile
from runner.wording import listed, visible

PATIENCE = 15.0
"""Seconds for all of them together: a person or a whole run waits for it."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What came of it: ids of takes `found` to have a clip, and for the others why there is none."""

    found: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence about what was found, if anything was."""
        if not self.found:
            return ()
        return (f"given up before, and found after all, so nothing is paid for again: {listed(self.found)}",)


def look_again(
    wishes: Wishes, place: RunDir, state: StateFile, takes: Sequence[TakeRecord], *, insist: bool = False
) -> SecondLook:
    """Ask about those of `takes` that were given up, and record what is found; `insist` says that a person asked.

    Raises:
        AccountRefused: there is no token, and a person asked.
        DiskFailed: what was found could not be recorded.
    """
    lost = [take for take in takes if take.is_given_up]
    if not lost:
        return SecondLook()
    try:
        answers = talk(wishes, place, takes, lambda queue: _answers(queue, lost))
    except AccountRefused:
        if insist:
            raise
        return SecondLook()
    found, reasons = [], {}
    for take in lost:
        answer = answers.get(take.take_id)
        fact = found_after_all(take.request_id or "", answer) if isinstance(answer, Ended) else None
        if fact is None:
            reasons[take.take_id] = _reason(answer)
        else:
            state.record(take.take_id, fact, at=wishes.clock.wall()).result()
            found.append(take.take_id)
    return SecondLook(tuple(found), reasons)


async def _answers(queue: Queue, takes: Sequence[TakeRecord]) -> Mapping[str, ResultAnswer]:
    """Return what came within the patience there is; an answer that did not come is not in it."""
    answers: dict[str, ResultAnswer] = {}

    async def ask(take: TakeRecord) -> None:
        answers[take.take_id] = await queue.result(take.request_id or "", model=take.model)

    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as asking:
            for take in takes:
                asking.create_task(ask(take))
    except TimeoutError:
        return answers
    return answers


def _reason(answer: ResultAnswer | None) -> str:
    if isinstance(answer, Trouble | Ended):
        return visible(answer.reason)
    return "the API did not say" if answer is None else "it has not ended"
