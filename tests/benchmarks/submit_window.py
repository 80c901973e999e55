"""The submit window in simulation: `python -m tests.benchmarks.submit_window`.

The engine's own policy decides over a virtual clock, for each combination of delay, cap and job length. Beside it are a
window of one, and all POSTs at once, which is the least time possible. A take's POST lasts the delay, give or take a
fifth. Its job begins half way and lasts the job's length, give or take 30 %. A board has three takes for each slot.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from runner.engine.submit_window import Post, SubmitWindow, widest

DELAYS = (0.005, 0.05, 0.2, 1.0)
CAPS = (8, 50, 100, 400)
LENGTHS = (1.0, 10.0, 60.0, 300.0)
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
    """Seconds until all jobs have ended, the most POSTs in the air, and until when there were more than one."""

    makespan: float
    most: int
    wide_until: float


def simulate(window: SubmitWindow, board: Board, *, seed: int = 1) -> Outcome:
    """Play a board through `window`; the same seed gives the same delays and lengths take by take."""
    chance = random.Random(seed)
    posts = [board.delay * (1 + _POST_SPREAD * chance.uniform(-1, 1)) for _ in range(board.takes)]
    jobs = [board.length * (1 + _JOB_SPREAD * chance.uniform(-1, 1)) for _ in range(board.takes)]
    events: list[tuple[float, int, Post | None]] = []
    now, sent, held, most, wide_until = 0.0, 0, 0, 0, 0.0
    while True:
        while sent < board.takes and held < board.cap and window.has_room:
            post = window.begin(now)
            heapq.heappush(events, (now + posts[sent], sent, post))
            heapq.heappush(events, (now + posts[sent] / 2 + jobs[sent], sent, None))
            sent, held, most = sent + 1, held + 1, max(most, window.in_air)
        if not events:
            return Outcome(now, most, wide_until)
        if window.in_air > 1:
            wide_until = events[0][0]
        now, number, ended = heapq.heappop(events)
        if ended is None:
            held -= 1
            window.job_ended(jobs[number])
        else:
            waiting = min(board.cap - held, board.takes - sent)
            window.accepted(ended, now=now, waiting=waiting)
            window.end(waiting=waiting)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each combination."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.submit_window", description=__doc__)
    parser.add_argument("--waves", type=int, default=WAVES, help="takes for each slot")
    waves = parser.parse_args(arguments).waves
    print("| delay | cap | job | window 1 | auto | most in the air | more than one until |")
    print("|---|---|---|---|---|---|---|")
    for delay, cap, length in product(DELAYS, CAPS, LENGTHS):
        board = Board(delay, cap, length, cap * waves)
        least = simulate(SubmitWindow(least=board.takes, most=board.takes), board).makespan
        one = simulate(SubmitWindow(least=1, most=1), board)
        auto = simulate(SubmitWindow(least=1, most=widest(cap)), board)
        cells = (
            f"{delay:g} s",
            f"{cap}",
            f"{length:g} s",
            f"{one.makespan / least:.2f}",
            f"{auto.makespan / least:.2f}",
            f"{auto.most}",
            f"{auto.wide_until:.1f} s",
        )
        print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
