"""Resume is the same command: SIGKILL at random moments, run again, and the ledger never shows a take twice.

The core check after each kill: no request is in the ledger twice, every charge is either recorded under the take whose
request it was or that take is in doubt, and one kill leaves no more takes in doubt than submits were in the air.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState, TakeState
from tests.acceptance.boards import charges_of, is_whole_mp4, takes_of, write_csv
from tests.acceptance.command import Desk, Process
from tests.acceptance.service import simulating

KILLS = 20
LEAST_LEFT = 16
IN_DOUBT = {TakeState.SUBMITTING, TakeState.HELD}
SLOW_ANSWERS = """\
faults:
  - {route: submit, fault: delay, delay_s: 0.12, probability: 0.5}
"""


def check_money(takes: Sequence[TakeRecord], charges: Sequence[Mapping[str, Any]], where: str) -> int:
    """Hold the state file against the ledger and return how many takes are in doubt."""
    by_body = {json.dumps(json.loads(take.body), sort_keys=True): take for take in takes}
    doubled = [
        body for body, count in Counter(charge["body_sha256"] for charge in charges).items() if count > 1
    ]
    assert not doubled, f"{where}: paid twice for {doubled}"
    for charge in charges:
        body = charge["body"] if isinstance(charge["body"], dict) else json.loads(charge["body"])
        take = by_body[json.dumps(body, sort_keys=True)]
        known = take.request_id == charge["request_id"]
        assert known or (take.request_id is None and take.state in IN_DOUBT), (
            f"{where}: {charge} forgot {take}"
        )
    charged = {charge["request_id"] for charge in charges}
    invented = [take.take_id for take in takes if take.request_id and take.request_id not in charged]
    assert not invented, f"{where}: ids that the service never gave: {invented}"
    return sum(take.state in IN_DOUBT for take in takes)


def test_killed_twenty_times_at_random_it_pays_for_nothing_twice_and_forgets_nothing(desk: Desk) -> None:
    """Twenty lives, each ended by SIGKILL, then one that finishes: delivered or held, and every held one explained."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"kill seed {seed}")
    chance = random.Random(seed)
    script = desk.folder / "slow.yaml"
    script.write_text(SLOW_ANSWERS)
    board, place = desk.folder / "board.csv", desk.folder / "reports" / "board"
    flags = ("--port", 0, "--ledger", desk.folder / "ledger.jsonl", "--speed", 6, "--script", script)
    with simulating(desk, *flags) as service:
        doubt, lives, takes = 0, 0, list[TakeRecord]()
        for kill in range(1, KILLS + 1):
            # The manifest grows, so that there is always something to be killed in the middle of.
            begun = sum(take.state is not TakeState.PENDING for take in takes)
            write_csv(board, max(40, begun + LEAST_LEFT))
            window = chance.choice((1, 1, 4))
            life = service.desk.start(
                "run", board, "-y", "-j", 4, "--submit-window", window, "--poll-interval", 0.1
            )
            moment = wait_a_while(life, chance)
            outcome = life.kill()
            where = f"kill {kill} of seed {seed}, {moment}, window {window}"
            assert outcome.code == -9, f"{where}: it ended by itself\n{outcome}"
            if not (place / "state.db").exists():
                continue
            takes = takes_of(place)
            now = check_money(takes, service.ledger()["charges"], where)
            assert now - doubt <= window, f"{where}: {now - doubt} more takes in doubt"
            doubt, lives = now, lives + (" submitted " in outcome.err)
        final = service.desk.start("run", board, "-y", "-j", 30, "--poll-interval", 0.1).end()
        takes, ledger = takes_of(place), service.ledger()
    held = [take for take in takes if take.state is TakeState.HELD]
    print(
        f"{len(takes)} takes, {ledger['submits']} submits, {len(held)} held, {lives} of {KILLS} lives submitted"
    )
    assert final.code == (4 if held else 0), f"seed {seed}\n{final}"
    assert check_money(takes, ledger["charges"], f"the end of seed {seed}") == len(held) == doubt
    rest = [take for take in takes if take not in held]
    assert {take.delivery for take in rest} == {DeliveryState.DELIVERED}, f"seed {seed}"
    assert all(is_whole_mp4(place / str(take.file)) for take in rest)
    # Nothing else was paid for than what came home and what is held.
    answerless = ledger["submits"] - len(rest)
    assert 0 <= answerless <= len(held), f"seed {seed}: {answerless} charges for {len(held)} held takes"
    assert ledger["token_leaks"] == 0


def wait_a_while(life: Process, chance: random.Random) -> str:
    """Let some time go by, from the start or from the first sign of work, and say how much."""
    if chance.random() < 0.5:
        delay = chance.uniform(0.2, 1.2)
        time.sleep(delay)
        return f"{delay:.3f} s after its start"
    life.wait_until(lambda life: " submitted " in life.err)
    delay = chance.uniform(0.0, 0.5)
    time.sleep(delay)
    return f"{delay:.3f} s after its first submit"


def wait_for_deliveries(life: Process, least: int) -> None:
    life.wait_until(lambda life: life.err.count(" delivered ") >= least)


def test_a_killed_simulated_run_goes_on_with_the_simulator_it_had(desk: Desk) -> None:
    """The simulator dies with the run; its ledger does not, so the next run adopts what was paid for."""
    board = write_csv(desk.folder / "board.csv", 16)
    place = desk.folder / "reports" / "board-simulated"
    wishes = ("run", board, "--simulate", "--speed", 4, "--poll-interval", 0.1)
    for delivered in (1, 4):
        life = desk.start(*wishes)
        wait_for_deliveries(life, delivered)
        assert life.kill().code == -9
        check_money(
            takes_of(place), charges_of(place / "simulator" / "ledger.jsonl"), f"{delivered} delivered"
        )
    last = desk.start(*wishes).end()
    takes = takes_of(place)
    held = check_money(takes, charges_of(place / "simulator" / "ledger.jsonl"), "the end")
    assert last.code == (4 if held else 0), last
    assert sum(take.delivery is DeliveryState.DELIVERED for take in takes) == len(takes) - held
    assert held <= 2
