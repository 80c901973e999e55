"""What every part of the engine works with: the board, the API, its breaker, the clock, the options, the judges.

One value, so that a part says in its signature only what is special to it. It holds and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.engine.account_check import AccountCheck
from runner.engine.board import Board
from runner.engine.circuit_breaker import CircuitBreaker
from runner.engine.options import End, EngineOptions
from runner.engine.ports import Queue
from runner.engine.refusals import Refusals
from runner.engine.vanguard import Vanguard
from runner.pacing import Chance, Clock


@dataclass(frozen=True, slots=True)
class Means:
    """The shared means of one run; `end` brings it to an end from anywhere in the engine."""

    board: Board
    queue: Queue
    breaker: CircuitBreaker
    clock: Clock
    options: EngineOptions
    chance: Chance
    end: End
    vanguard: Vanguard
    account: AccountCheck
    refusals: Refusals
