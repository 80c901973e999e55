"""A served simulator with one fault script, an impatient client, and a clock that is moved by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx

from runner.simulator.fault_script import read_script
from runner.simulator.jobs import new_request_id
from runner.simulator.server import RunningSimulator, running
from runner.simulator.settings import SIMULATOR_TOKEN, SimulatorSettings
from tests.simulated_faults import ALL

MODEL = "pika/pika-2-2/image-to-video"
BODY = {"image": "https://example.com/a.jpg", "seed": 7}
Record: TypeAlias = dict[str, Any]


@dataclass
class Scene:
    """A simulator with one fault script, and a client that gives up after half a second."""

    simulator: RunningSimulator
    client: httpx.Client
    now: list[float]

    def seen(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response | type[httpx.HTTPError]:
        """Return the answer, or the class of what happened instead."""
        try:
            return self.client.request(method, path, json=body)
        except httpx.HTTPError as error:
            return type(error)

    def submit(self) -> httpx.Response | type[httpx.HTTPError]:
        return self.seen("POST", f"/v1/models/{MODEL}", BODY)

    def job(self) -> str:
        """Submit, whatever is seen of it, and return the id the ledger knows."""
        self.submit()
        return self.simulator.ledger.charges()[-1].request_id

    def ended(self) -> str:
        request_id = self.job()
        self.now[0] += 60
        return request_id

    def get(self, path: str) -> Record:
        record: Record = self.client.get(path).json()
        return record

    def link(self) -> str:
        return str(self.get(f"/v1/requests/{self.ended()}/result")["output"]["video"])


@contextmanager
def staged(*rules: str, new_id: Callable[[], str] = new_request_id) -> Iterator[Scene]:
    """Serve a simulator with these rules while the block runs; they may name the faults of tests as well."""
    text = f"faults: [{', '.join('{' + rule + '}' for rule in rules)}]"
    script = read_script(text, "test", faults=ALL)
    now = [time.time()]
    settings = SimulatorSettings(script=script, render=False)
    with (
        running(settings, clock=lambda: now[0], new_id=new_id) as simulator,
        httpx.Client(
            base_url=simulator.origin, headers={"authorization": f"Bearer {SIMULATOR_TOKEN}"}, timeout=1.5
        ) as client,
    ):
        yield Scene(simulator, client, now)
