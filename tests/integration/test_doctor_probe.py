"""The doctor's question to a served API: it is answered, or the token is refused, and the clocks agree."""

from __future__ import annotations

import asyncio

from runner.api.account import Account, Secret
from runner.api.probe import Seen, probe
from runner.domain.api_answers import FailureKind
from runner.simulator.server import running
from runner.simulator.settings import SimulatorSettings
from runner.system.clock import SystemClock

TOKEN = "Zk3aPq91xVb72Lm0"


def test_a_served_api_answers_the_right_token_alone() -> None:
    def seen(token: str) -> Seen:
        account = Account(simulator.origin, Secret(token), source="test")
        return asyncio.run(probe(account, clock=SystemClock()))

    with running(SimulatorSettings(token=TOKEN)) as simulator:
        good, bad = seen(TOKEN), seen(TOKEN[::-1])
    assert good.trouble is None
    assert good.ahead_s is not None
    assert abs(good.ahead_s) < 60.0
    assert bad.trouble is not None
    assert bad.trouble.kind is FailureKind.ACCOUNT
