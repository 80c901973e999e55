"""A process that writes a state file until it is killed; run by the kill tests as `python -m`.

It prints each fact only after it was acknowledged, so that its killer knows what must be on disk.
"""

from __future__ import annotations

import itertools
import sys
import threading
from pathlib import Path

from runner.domain.states import TakeState
from runner.store.state_file import StateFile
from tests.integration.store_samples import make_plan, make_take, road

THREADS = 4


def live(path: Path, life: int, number: int) -> None:
    """One session: open, hold what was lost, adopt fresh takes, record their lives from several threads, close."""
    with StateFile.open(path) as state_file:
        state_file.begin(at=1.0)
        say(f"epoch {state_file.epoch}")
        takes = [make_take(f"life{life}-{number}-{n}") for n in range(THREADS * 4)]
        state_file.adopt_plan(make_plan(takes), renew=(), at=1.0)

        def send(mine: int) -> None:
            for take in takes[mine::THREADS]:
                attempt = f"try-{take.id}"
                for fact in road(take, TakeState.SUCCEEDED, attempt=attempt, epoch=state_file.epoch):
                    state_file.record(take.id, fact, at=1.0).result()
                    say(f"fact {take.id} {type(fact).__name__}")

        threads = [threading.Thread(target=send, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def say(line: str) -> None:
    """Print a line in one piece."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for session in itertools.count():
        live(Path(sys.argv[1]), int(sys.argv[2]), session)
