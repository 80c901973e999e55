"""The submit window in simulation: `python -m tests.benchmarks.submit_window`.

The engine's own policy decides over a virtual clock, for each combination of delay, cap and job length. A take's POST
lasts the delay, give or take a fifth. Its job begins half way and lasts the job's length, give or take 30 %. Each cell
is the time with a window of one and with the adaptive one, as multiples of the time with all POSTs at once, and the
most POSTs that were in flight.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from runner.engine.submit_window import Post, SubmitWindow, widest

DELAYS = (0.02, 0.2, 1.0)
CAPS = (8, 50, 400)
LENGTHS = (10.0, 60.0, 300.0)
WAVES = 3
_POST_SPREAD, _JOB_SPREAD = 0.2, 0.3


@dataclass(frozen=True, slots=True)
class Board:
    """What is simulated: `takes` jobs of `length` seconds, `cap` at once, every answer `delay` seconds away."""

    delay: float
    cap: int
    length: float
    takes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds until all jobs have ended, and the most POSTs in flight."""

    makespan: float
    most: int


def simulate(window: SubmitWindow, board: Board, *, seed: int = 1) -> Outcome:
    """Play a board through `window`; the same seed gives the same delays and lengths take by take."""
    chance = random.Random(seed)
    posts = [board.delay * (1 + _POST_SPREAD * chance.uniform(-1, 1)) for _ in range(board.takes)]
    jobs = [board.length * (1 + _JOB_SPREAD * chance.uniform(-1, 1)) for _ in range(board.takes)]
    events: list[tuple[float, int, Post | None]] = []
    now, sent, held, most = 0.0, 0, 0, 0
    while True:
        while sent < board.takes and held < board.cap and window.has_room:
            post = window.begin(now)
            heapq.heappush(events, (now + posts[sent], sent, post))
            heapq.heappush(events, (now + posts[sent] / 2 + jobs[sent], sent, None))
            sent, held, most = sent + 1, held + 1, max(most, window.in_flight)
        if not events:
            return Outcome(now, most)
        now, number, ended = heapq.heappop(events)
        if ended is None:
            held -= 1
            window.job_ended(jobs[number])
        else:
            waiting = min(board.cap - held, board.takes - sent)
            window.accepted(ended, now=now, waiting=waiting)
            window.end(waiting=waiting)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each delay and cap."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.submit_window", description=__doc__)
    parser.add_argument("--waves", type=int, default=WAVES, help="takes for each slot")
    waves = parser.parse_args(arguments).waves
    print(f"| delay | cap | {' | '.join(f'jobs of {length:g} s' for length in LENGTHS)} |")
    print(f"|---|---|{'---|' * len(LENGTHS)}")
    for delay, cap in product(DELAYS, CAPS):
        cells = (_compared(Board(delay, cap, length, cap * waves)) for length in LENGTHS)
        print(f"| {delay:g} s | {cap} | {' | '.join(cells)} |")
    return 0


def _compared(board: Board) -> str:
    least = simulate(SubmitWindow(least=board.takes, most=board.takes), board).makespan
    one = simulate(SubmitWindow(least=1, most=1), board).makespan
    auto = simulate(SubmitWindow(least=1, most=widest(board.cap)), board)
    return f"{one / least:.2f} → {auto.makespan / least:.2f}, {auto.most}"


if __name__ == "__main__":
    raise SystemExit(main())
