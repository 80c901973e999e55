"""What every part of the engine works with: the board, the API, its gate, the clock, the options, the scouts.

One value, so that a part says in its signature only what is special to it. It holds and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.engine.board import Board
from runner.engine.gate import Gate
from runner.engine.options import End, EngineOptions
from runner.engine.ports import Queue
from runner.engine.vanguard import Vanguard
from runner.pacing import Chance, Clock


@dataclass(frozen=True, slots=True)
class Means:
    """The shared means of one run; `end` brings it to an end from anywhere in the engine."""

    board: Board
    queue: Queue
    gate: Gate
    clock: Clock
    options: EngineOptions
    chance: Chance
    end: End
    vanguard: Vanguard
