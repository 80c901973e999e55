"""What every part of the engine works with: the board, the API, its breaker, the clock, the options, the checks.

It is one value, so that the signature of a part shows only what is special to it. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.domain.api_answers import ResultAnswer
from runner.domain.job_match import unless_of_another
from runner.domain.run_ending import End
from runner.engine.account_check import AccountCheck
from runner.engine.circuit_breaker import CircuitBreaker
from runner.engine.options import EngineOptions
from runner.engine.ports import Queue
from runner.engine.refusals import Refusals
from runner.engine.run_state import ActiveTake, RunState
from runner.engine.scouts import ScoutGate
from runner.system.backoff import Chance
from runner.system.clock import Clock


@dataclass(frozen=True, slots=True)
class EngineContext:
    """The shared objects of one run; any part of the engine may call `end` to end the run."""

    board: RunState
    queue: Queue
    breaker: CircuitBreaker
    clock: Clock
    options: EngineOptions
    chance: Chance
    end: End
    vanguard: ScoutGate
    account: AccountCheck
    refusals: Refusals

    async def result(self, live: ActiveTake) -> ResultAnswer:
        """Return what the API says of how a take's job ended; a record of another take's job is a failure."""
        assert live.request_id is not None
        answer = await self.queue.result(live.request_id, model=live.ticket.model, sent=live.ticket.body)
        others = (each.request_id for each in self.board.takes if each is not live)
        return unless_of_another(answer, request_id=live.request_id, others=others)
