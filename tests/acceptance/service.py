"""The services the acceptance tests run against: `shotrunner simulate`, and the server that knows nothing of us.

In: flags or settings. Out: an origin, a desk that points at it, and the ledger over HTTP.
"""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.acceptance.command import Desk, Process
from tests.outside.server import OutsideServer

OUTSIDE_TOKEN = "bench-token"


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulator that serves in a process of its own; `desk` has the variables it told people to export."""

    desk: Desk
    origin: str
    process: Process

    def ledger(self) -> dict[str, Any]:
        """Return its ledger's page."""
        with urllib.request.urlopen(f"{self.origin}/__ledger", timeout=30) as answer:
            page: dict[str, Any] = json.load(answer)
        return page


@contextmanager
def simulating(desk: Desk, *flags: object) -> Iterator[Simulated]:
    """Serve `shotrunner simulate` while the block runs; it must end well when it is told to."""
    process = desk.start("simulate", *flags)
    process.wait_until(lambda process: "# simulating" in process.out)
    exported = dict(
        line.removeprefix("export ").split("=", 1)
        for line in process.out.splitlines()
        if line.startswith("export ")
    )
    origin = exported["RUNCOMFY_MODEL_API_BASE"].removesuffix("/v1")
    try:
        yield Simulated(desk.with_environment(**exported), origin, process)
    finally:
        process.signal(signal.SIGTERM)
        outcome = process.end()
    assert outcome.code == 0, outcome


def pointed_at(server: OutsideServer, desk: Desk, *, token: str = OUTSIDE_TOKEN) -> Desk:
    """Return a desk whose runs go to `server`."""
    return desk.with_environment(RUNCOMFY_MODEL_API_BASE=f"{server.url}/v1", RUNCOMFY_TOKEN=token)
