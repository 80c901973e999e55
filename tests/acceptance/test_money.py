"""Money and time limits of the installed command: a cap that holds across ends and kills, and what is said of it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from runner.states import TakeState
from runner.store.read import open_reader
from tests.acceptance.boards import charges_of, takes_of
from tests.acceptance.command import Desk, Outcome
from tests.acceptance.service import pointed_at, simulating
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

BOARD = """\
version: 1
name: board
{prices}
defaults:
  model: pika/pikaframes
  inputs: {{keyFramesFirst: https://example.com/a.jpg, keyFramesLast: https://example.com/b.jpg, promptText: A boat.}}
shots:
  - id: s010
    inputs: {{duration: 1}}
    sweep: {{seed: 1-{takes}}}
"""
DIME = "prices: {pika/pikaframes: 0.10}"
QUICK = ("--poll-interval", 0.1)


def write(desk: Desk, takes: int, prices: str = DIME) -> Path:
    board = desk.folder / "board.yaml"
    board.write_text(BOARD.format(takes=takes, prices=prices))
    return board


def bodies(server: OutsideServer) -> Counter[str]:
    return Counter(entry.sha256 for entry in server.ledger())


def command_in(outcome: Outcome) -> list[str]:
    """Return the command line that the last line says to go on with, without the program's name."""
    found = re.search(r"go on with: shotrunner (.+)", outcome.last_line)
    assert found, outcome
    return found.group(1).split()


def test_a_cap_stops_half_way_and_raising_it_as_told_finishes(desk: Desk) -> None:
    """Ten takes at a dime under 45 cents: four, exit 3, what is left and the command; each body is paid for once."""
    board = write(desk, 10)
    with OutsideServer(Settings(service=0.05, price=0.1)) as server:
        here = pointed_at(server, desk)
        first = here.run("run", board, "--max-cost", "0.45", "--submit-window", 4, *QUICK, code=3)
        assert len(server.ledger()) == 4
        assert "$0.40 is billed and $0.00 reserved" in first.err
        assert "left to do: 6 takes, estimated $0.60" in first.err
        assert "spent $0.40 of an estimated $0.40" in first.out
        again = here.run("run", board, "--max-cost=0.45", *QUICK, code=3)
        assert len(server.ledger()) == 4
        assert command_in(again)[-2:] == ["--max-cost", "1.00"]
        last = here.run(*command_in(again))
        assert "spent $1.00 of an estimated $1.00" in last.out
        assert sorted(bodies(server).values()) == [1] * 10


def test_a_kill_does_not_forget_what_was_spent(desk: Desk) -> None:
    """Killed several times in the middle, the run pays for no more than the cap, and each body once at most."""
    board = write(desk, 40)
    with OutsideServer(Settings(service=0.3, price=0.1)) as server:
        here = pointed_at(server, desk)
        wishes = ("run", board, "--max-cost", "1.25", "--submit-window", 3, *QUICK)
        for least in (1, 4, 7):
            life = here.start(*wishes)
            life.wait_until(lambda _, least=least: len(server.ledger()) >= least)  # type: ignore[misc]
            assert life.kill().code == -9
        end = here.start(*wishes).end()
        assert end.code == 3, end
        paid = len(server.ledger())
        assert set(bodies(server).values()) == {1}
        with open_reader(desk.folder / "reports" / "board" / "state.db") as reader:
            spending = reader.spending()
    assert spending.committed <= 1.25
    assert 7 <= paid <= len(spending.charges) <= 12


def test_takes_without_a_price_are_refused_under_a_cap_before_anything_is_sent(desk: Desk) -> None:
    board = write(desk, 3, prices="")
    # A catalogue's price of nothing is no price.
    with OutsideServer(Settings(service=0.05, price=0.0)) as server:
        here = pointed_at(server, desk)
        refused = here.run("run", board, "--max-cost", 1, code=64)
        assert "3 of the 3 takes to submit have no price" in refused.err
        assert "--allow-unpriced" in refused.err
        assert len(server.ledger()) == 0
        allowed = here.run("run", board, "--max-cost", 1, "--allow-unpriced", *QUICK)
        assert f"3 paid jobs at {server.url}: price unknown\n" in allowed.err
        assert len(server.ledger()) == 3


def test_a_real_run_says_what_it_will_cost_and_needs_a_yes_or_a_cap(desk: Desk) -> None:
    board = write(desk, 3)
    with OutsideServer(Settings(service=0.05)) as server:
        here = pointed_at(server, desk)
        refused = here.run("run", board, code=64)
        assert "estimated $0.30" in refused.err
        assert "--max-cost" in refused.err
        assert len(server.ledger()) == 0
        capped = here.run("run", board, "--max-cost", 1, *QUICK)
        assert f"3 paid jobs at {server.url}: estimated $0.30\n" in capped.err


def test_so_many_submits_in_the_life_of_the_run(desk: Desk) -> None:
    board = write(desk, 5)
    for _ in range(2):
        stopped = desk.run("run", board, "--simulate", "--speed", 50, "--max-submits", 2, code=3)
    assert command_in(stopped)[-2:] == ["--max-submits", "5"]
    assert len(charges_of(desk.folder / "reports" / "board-simulated" / "simulator" / "ledger.jsonl")) == 2
    desk.run(*command_in(stopped))
    assert len(charges_of(desk.folder / "reports" / "board-simulated" / "simulator" / "ledger.jsonl")) == 5


def test_time_goes_on_after_a_kill_and_begins_anew_after_an_end(desk: Desk) -> None:
    """`--for 3s`, killed at once and started again when they are over: it submits nothing; the run after that does."""
    board = write(desk, 60)
    place = desk.folder / "reports" / "board-simulated"
    wishes = ("run", board, "--simulate", "-j", 1, "--for", "3s", *QUICK)
    life = desk.start(*wishes)
    life.wait_until(lambda life: " submitted " in life.err)
    began = time.monotonic()
    life.kill()
    before = sum(take.attempts for take in takes_of(place))
    time.sleep(max(0.0, 3.2 - (time.monotonic() - began)))
    late = desk.start(*wishes).end()
    assert late.code == 3, late
    assert "its time was up at" in late.err
    assert sum(take.attempts for take in takes_of(place)) == before
    anew = desk.start(*wishes).end()
    assert anew.code == 3, anew
    takes = takes_of(place)
    assert sum(take.attempts for take in takes) > before
    assert not [take for take in takes if take.state in {TakeState.QUEUED, TakeState.RUNNING}]


def test_a_warning_is_said_once_a_run_also_where_it_was_passed_before(desk: Desk) -> None:
    board = write(desk, 4)
    wishes = ("run", board, "--simulate", "--speed", 50, "--warn-cost", "0.05", *QUICK)
    first = desk.run(*wishes, "--max-submits", 2, code=3)
    again = desk.run(*wishes)
    assert first.err.count("more than --warn-cost $0.05") == 1
    assert again.err.count("more than --warn-cost $0.05") == 1


def test_a_retry_is_agreed_to_by_a_cap_keeps_its_limits_and_is_counted_everywhere(desk: Desk) -> None:
    """Nobody is there, so a cap agrees, as for `run`; what goes on has what was said; page and status tell one sum."""
    board = write(desk, 2)
    place = desk.folder / "reports" / "board"
    script = desk.folder / "fails.yaml"
    script.write_text("faults:\n  - {route: submit, fault: fails, count: 1}\n")
    with simulating(desk, "--speed", 50, "--script", script) as service:
        here = service.desk
        here.run("run", board, "-y", *QUICK, code=2)
        (failed,) = (take.take_id for take in takes_of(place) if take.state is TakeState.FAILED)
        unasked = here.run("retry", board, failed, *QUICK, code=64)
        assert "--max-cost" in unasked.err
        stopped = here.run(
            "retry", board, failed, "--max-cost", "0.05", "--for", "6h", "--cutoff=drain", *QUICK, code=3
        )
        assert "1 new paid attempt" in stopped.err
        onward = command_in(stopped)
        assert onward[:2] == ["run", "board.yaml"]
        assert "--for 6h --cutoff drain" in " ".join(onward)
        assert f"--only={failed}" in onward
        done = here.run(*onward)
        assert len(service.ledger()["charges"]) == 3
        status = here.run("status", board)
    spent = next(line for line in status.out.splitlines() if line.startswith("spent "))
    assert spent in done.out
    page = (place / "report.html").read_text("utf-8")
    assert spent in page
    assert page.count("for 1 earlier attempt") == 1


def test_a_price_that_rises_changes_nothing_of_what_was_sent(desk: Desk) -> None:
    board = write(desk, 2)
    with OutsideServer(Settings(service=0.05, price=0.1)) as server:
        here = pointed_at(server, desk)
        here.run("run", board, "-y", "--limit", 1, *QUICK, code=0)
        write(desk, 2, "prices: {pika/pikaframes: 0.50}")
        planned = json.loads(here.run("plan", board, "--output", "json").out)
        assert planned["totals"]["estimate_usd"] == 0.5
        here.run("run", board, "-y", *QUICK)
    estimates = [take.estimate for take in takes_of(desk.folder / "reports" / "board")]
    assert estimates == [0.1, 0.5]
    assert "of an estimated $0.60" in here.run("status", board).out
    rows = (desk.folder / "reports" / "board" / "report.csv").read_text("utf-8-sig").splitlines()
    column = rows[0].split(",").index("estimate")
    assert [row.split(",")[column] for row in rows[1:]] == ["0.1", "0.5"]


def test_a_late_cost_is_shown_once_it_is_known(desk: Desk) -> None:
    """The state file learns it from the next run, which submits nothing and asks once."""
    board = write(desk, 2)
    with OutsideServer(Settings(service=0.05, price=0.1, late_costs=2)) as server:
        here = pointed_at(server, desk)
        first = here.run("run", board, "-y", *QUICK)
        assert "spent $0.00 of an estimated $0.20; 2 jobs without a known cost" in first.out
        again = here.run("run", board)
        assert "spent $0.20 of an estimated $0.20" in again.out
        assert len(server.ledger()) == 2
    status = json.loads(desk.run("status", board, "--output", "json").out)
    assert (status["spent"], status["estimated"], status["without_cost"]) == (0.2, 0.2, 0)


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "1,50", "0"])
def test_what_is_no_amount_is_a_usage_error(desk: Desk, value: str) -> None:
    board = write(desk, 1)
    refused = desk.run("run", board, "--simulate", "--max-cost", value, code=64)
    assert "is not an amount of US dollars such as 12.50" in refused.err
    assert "→ shotrunner run --help" in refused.err
