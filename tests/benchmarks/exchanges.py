"""What one request costs this machine: `python -m tests.benchmarks.exchanges`.

It prints the processor time (user and system) of this process for one read on a kept connection and for one paid POST
on a connection of its own, sorted answers included, on asyncio's own loop and on uvloop where that is installed. The
server is the outside one, in a process of its own. Each figure is the least of five rounds, in milliseconds, since
other work on the machine only adds to it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence

from runner.api.account import Account, Secret
from runner.api.client import RunComfyQueue
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, TakeState
from runner.system.clock import SystemClock
from runner.system.event_loop import new_loop
from tests.benchmarks.contenders import TOKEN
from tests.benchmarks.figures import Load
from tests.benchmarks.harness import server

ROUNDS = 5
READS_AT_ONCE = (1, 16, 64, 256)
SUBMITS_AT_ONCE = (1, 8)

_BODY = json.dumps(
    {"keyFramesFirst": "https://e.example/a", "keyFramesLast": "https://e.example/b", "promptText": "p"}
)
_TICKET = Ticket("s010", "pika/pikaframes", _BODY, "print", TakeState.PENDING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one line for each kind of request, loop and number at once."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.exchanges", description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="requests in each round")
    given = parser.parse_args(arguments)
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": new_loop}
    for name, make in loops.items():
        # Jobs that never end: each read finds the same status.
        with server(Load(service=1e6)) as api, asyncio.Runner(loop_factory=make) as runner:
            runner.run(_measured(name, api.base, given.requests))
    return 0


async def _measured(loop: str, origin: str, requests: int) -> None:
    queue = RunComfyQueue(
        Account(origin, Secret(TOKEN), "a benchmark"), clock=SystemClock(), calls=max(READS_AT_ONCE)
    )

    async def submit() -> str:
        accepted = await queue.submit(_TICKET, attempt="a1", begin=_begun)
        assert isinstance(accepted, Accepted)
        return accepted.request_id

    try:
        request_id = await submit()
        for at_once in READS_AT_ONCE:
            spent = await _spent(lambda: queue.look(request_id), at_once, requests)
            print(f"read    {loop:<8} {at_once:4} at once  {spent:6.3f} ms", flush=True)
        for at_once in SUBMITS_AT_ONCE:
            spent = await _spent(submit, at_once, requests // 4)
            print(f"submit  {loop:<8} {at_once:4} at once  {spent:6.3f} ms", flush=True)
    finally:
        await queue.aclose()


async def _spent(ask: Callable[[], Awaitable[object]], at_once: int, requests: int) -> float:
    """Return the least milliseconds that one request took of the processor; the first round is not counted."""
    each = max(1, requests // at_once)

    async def worker() -> None:
        for _ in range(each):
            await ask()

    spent = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        spent.append((time.process_time() - began) / (each * at_once) * 1000)
    return min(spent[1:])


async def _begun() -> None:
    """Write nothing down."""


if __name__ == "__main__":
    raise SystemExit(main())
