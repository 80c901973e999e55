"""What every part of the engine works with, so that a signature shows only what is special to its part."""

from __future__ import annotations

from runner.domain.api_answers import ResultAnswer
from runner.domain.job_match import unless_of_another
from runner.engine.account_check import AccountCheck
from runner.engine.circuit_breaker import CircuitBreaker
from runner.engine.model_gate import ModelGate
from runner.engine.ports import Queue
from runner.engine.refusals import Refusals
from runner.engine.run_state import ActiveTake, RunState
from runner.engine.scouts import ScoutGate
from runner.system.backoff import Chance


class EngineContext:
    """The shared objects of one run."""

    def __init__(self, state: RunState, queue: Queue, chance: Chance) -> None:
        self.state = state
        self.queue = queue
        self.chance = chance
        self.breaker = CircuitBreaker(state, queue)
        self.account = AccountCheck(state, queue)
        self.refusals = Refusals(state, self.breaker)
        self.scouts = ScoutGate(state)
        self.gate = ModelGate(state)

    async def result(self, live: ActiveTake) -> ResultAnswer:
        """Return what the API says of how a take's job ended; a record of another take's job is a failure."""
        assert live.request_id is not None
        answer = await self.queue.result(live.request_id, model=live.ticket.model, sent=live.ticket.body)
        return unless_of_another(answer, request_id=live.request_id, others=self.state.jobs)
