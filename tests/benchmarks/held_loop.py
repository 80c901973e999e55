"""One run in this process, and what its event loop and its memory went through: `python -m tests.benchmarks.held_loop`.

It prints one line of JSON: the longest time in milliseconds for which the loop was held, and the peak of this process's
resident memory in MiB. A child, such as a worker of Dask, has its own. The token and the API's address come from the
environment, as for the command.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from runner.commands.run import run
from runner.commands.steps.request import RunRequest
from runner.domain.run_events import Event
from runner.domain.store_address import store_address

BEAT = 0.002
"""Seconds between two looks at the clock."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Heartbeat:
    """Beats in the loop from the first event that is heard there; `held` is its longest delay in seconds."""

    def __init__(self) -> None:
        self.held = 0.0
        self._due: float | None = None

    def on_event(self, event: Event) -> None:  # noqa: ARG002 - any event will do
        """Begin, if this is the loop's own thread."""
        if self._due is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._wait(loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._due is not None
        self.held = max(self.held, time.perf_counter() - self._due)
        self._wait(loop)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = time.perf_counter() + BEAT
        loop.call_later(BEAT, self._beat, loop)


def main() -> int:
    """Run the manifest, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.held_loop", description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--out", help="address of the store that clips go to")
    parser.add_argument("--executor", default="threads")
    given = parser.parse_args()
    heartbeat = Heartbeat()
    summary = run(
        RunRequest(
            given.manifest,
            run_dir=given.run_dir,
            out=store_address(given.out) if given.out else None,
            keep_local="none",
            executor=given.executor,
            inspect=False,
            listeners=(heartbeat,),
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    print(json.dumps({"held_ms": heartbeat.held * 1000, "peak_mib": peak / 2**20}))
    return summary.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
