"""An attempt is announced before anything is sent, and once more if the machine slept in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runner.domain.api_answers import SubmitAnswer
from runner.domain.errors import RunElsewhere
from runner.domain.shots import Ticket
from runner.domain.states import TakeState
from runner.engine.ports import Begin
from runner.engine.testing import ScriptedQueue
from tests.unit.test_engine import night, ticket


class Announcements:
    """Notes what is announced; from the announcement `lost_at` on, another machine has the run."""

    def __init__(self, *, lost_at: int = 1000) -> None:
        self.made: list[str] = []
        self._lost_at = lost_at

    @asynccontextmanager
    async def __call__(self, sent: Ticket, _attempt: str) -> AsyncIterator[None]:
        if len(self.made) >= self._lost_at:
            raise RunElsewhere("another machine has it")
        self.made.append(sent.take_id)
        yield


class SlowWay(ScriptedQueue):
    """A way to the API on which so many seconds pass before the first byte of a POST."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> SubmitAnswer:
        await asyncio.sleep(self._seconds)
        return await super().submit(ticket, attempt=attempt, begin=begin)


@pytest.mark.parametrize(("seconds", "each"), [(1.0, 1), (59.0, 1), (61.0, 2), (86400.0, 2)])
def test_an_announcement_that_is_old_is_made_again(seconds: float, each: int) -> None:
    announced = Announcements()
    found = night([ticket("a"), ticket("b")], queue=SlowWay(seconds), announce=announced)
    assert found.queue.ledger == ["a", "b"]
    assert announced.made == [take for take in "ab" for _ in range(each)]


@pytest.mark.parametrize("lost_at", [0, 1])
def test_nothing_is_sent_that_cannot_be_announced(lost_at: int) -> None:
    queue = SlowWay(86400.0)
    with pytest.raises(RunElsewhere):
        night([ticket("a"), ticket("b")], queue=queue, announce=Announcements(lost_at=lost_at))
    assert queue.ledger == []


def test_without_a_store_nothing_is_announced() -> None:
    found = night([ticket("a")])
    assert found.states() == {"a": TakeState.SUCCEEDED}
