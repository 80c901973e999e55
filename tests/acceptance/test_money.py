"""Money and time limits of the installed command: a cap that holds across ends and kills, and what is said of it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from runner.domain.states import TakeState
from runner.store.reader import open_reader
from tests.acceptance.boards import charges_of, takes_of
from tests.acceptance.command import Desk, Outcome
from tests.acceptance.service import pointed_at, simulating
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.report_page import text_of

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


SLOWLY = ("--simulate", "--speed", "0.1", "-j", 10, "--progress", "none", *QUICK)


@pytest.mark.parametrize("limit", [("--max-cost", "0.50"), ("--max-submits", 5)], ids=lambda limit: limit[0])
def test_cut_off_jobs_are_cancelled_at_once_and_what_is_printed_finishes_the_board(
    desk: Desk, limit: tuple[object, ...]
) -> None:
    """At either limit all that waits is cancelled, and all of it is counted: run the last line, then the retry."""
    board = write(desk, 8)
    place = desk.folder / "reports" / "board-simulated"
    first = desk.run("run", board, *SLOWLY, *limit, "--cutoff", "cancel-queued", code=3)
    assert "8 takes: 3 pending · 5 cancelled" in first.out
    assert "left to do: 8 takes, estimated $0.80; 5 of them cancelled" in first.err
    again = [*command_in(first), "--speed", "50"]
    second = desk.run(*again, code=2)
    retry = re.search(r"→ shotrunner (retry .+)", second.err)
    assert retry, second
    assert retry.group(1).replace(" --speed 50", "") in first.err
    last = desk.run(*retry.group(1).split())
    assert {take.state for take in takes_of(place)} == {TakeState.SUCCEEDED}
    assert "5 delivered" in last.out
    assert "go on with" not in last.err


def test_a_board_of_which_all_is_cancelled_goes_on_with_the_retry(desk: Desk) -> None:
    board = write(desk, 2)
    wishes = ("run", board, *SLOWLY, "--for", "2s", "--cutoff", "cancel-queued")
    stopped = desk.run(*wishes, code=3)
    assert "2 takes: 2 cancelled" in stopped.out
    onward = command_in(stopped)
    assert onward[0] == "retry"
    done = desk.run(*onward, "--speed", "50", "--for", "10m")
    assert "2 takes: 2 delivered" in done.out


def planned(desk: Desk, board: Path, *flags: object, code: int = 0) -> dict[str, tuple[str, str]]:
    """Return what a plan says of each take: the action and the reason."""
    told = json.loads(desk.run("plan", board, "--output", "json", "--exit-code", *flags, code=code).out)
    return {take["take"]: (take["action"], take["reason"]) for take in told["takes"]}


def test_a_plan_knows_the_limits_of_a_run_over_its_whole_life(desk: Desk) -> None:
    """What a run would not send is blocked and nothing of it is spent; what was sent before counts."""
    board = write(desk, 4)
    simulated = ("--simulate", "--speed", 50)
    desk.run("run", board, *simulated, "--max-submits", 2, *QUICK, code=3)
    assert planned(desk, board, "--simulate", "--max-submits", 3, code=2) == {
        "s010@seed=1": ("skip", "complete"),
        "s010@seed=2": ("skip", "complete"),
        "s010@seed=3": ("submit", "new"),
        "s010@seed=4": ("blocked", "past --max-submits; new"),
    }
    flags = {"--max-submits": "2", "--until": "2020-01-31T07:00", "--max-cost": "0.20"}
    for flag, value in flags.items():
        told = planned(desk, board, "--simulate", flag, value)
        assert {action for action, _ in told.values()} == {"skip", "blocked"}, flag
        desk.run("run", board, *simulated, flag, value, *QUICK, code=3)
    late = planned(desk, board, "--simulate", "--until", "2020-01-31T07:00")
    assert late["s010@seed=3"] == ("blocked", "its time was up at 2020-01-31 07:00; new")
    assert planned(desk, board, "--simulate", "--for", "6h", code=2)["s010@seed=4"] == ("submit", "new")


def test_a_plan_says_no_price_where_a_run_is_refused_for_it(desk: Desk) -> None:
    board = write(desk, 2, prices="")
    board.write_text(board.read_text() + "  - {id: s020, price: 0.1, inputs: {duration: 1, seed: 9}}\n")
    told = planned(desk, board, "--max-cost", 5)
    assert told["s010@seed=1"] == ("blocked", "no price under --max-cost; new")
    assert told["s020"] == ("blocked", "2 of the 3 takes to submit have no price, under --max-cost; new")
    assert {
        each[0] for each in planned(desk, board, "--max-cost", 5, "--allow-unpriced", code=2).values()
    } == {"submit"}


def test_a_plan_warns_of_what_a_run_refuses_to_pay_twice(desk: Desk) -> None:
    board = write(desk, 1)
    board.write_text(board.read_text() + "  - {id: s020, inputs: {duration: 1, seed: 1}}\n")
    warned = desk.run("plan", board)
    assert "s020 would pay again for a request that another take sends" in warned.err
    assert "a run is refused without --allow-duplicates" in warned.err
    assert "is refused" not in desk.run("plan", board, "--allow-duplicates").err


def test_a_plan_warns_of_a_row_that_is_changed_into_another(desk: Desk) -> None:
    board = write(desk, 1)
    other = "  - {{id: s020, inputs: {{duration: 1, seed: {}}}}}\n"
    text = board.read_text()
    board.write_text(text + other.format(2))
    with OutsideServer(Settings(service=0.05, price=0.1)) as server:
        here = pointed_at(server, desk)
        here.run("run", board, "-y", *QUICK)
        board.write_text(text + other.format(1))
        assert "would pay again" not in here.run("plan", board).err
        assert "s020 would pay again" in here.run("plan", board, "--stale").err
        refused = here.run("run", board, "--stale", "-y", code=64)
    assert "s020 would pay again" in refused.err


def test_a_plan_is_refused_like_a_run_where_the_state_file_is_gone(desk: Desk) -> None:
    board = write(desk, 1)
    desk.run("run", board, "--simulate", "--speed", 50, *QUICK)
    (desk.folder / "reports" / "board-simulated" / "state.db").unlink()
    plan, run = (desk.run(verb, board, "--simulate", code=78).err for verb in ("plan", "run"))
    assert plan == run
    assert "a run was here, and its state file is gone" in plan


def test_every_price_is_told_with_what_it_is_for(desk: Desk) -> None:
    board = write(desk, 3)
    board.write_text(board.read_text() + "  - {id: s020, price: 1000000, inputs: {duration: 1, seed: 1}}\n")
    told = json.loads(desk.run("plan", board, "--output", "json").out)
    assert told["prices"] == {
        "pika/pikaframes": "$0.10 per output (manifest) for 3 takes, $1,000,000.00 per output (manifest) for 1 take"
    }


def test_spent_is_one_sum_in_plan_and_status(desk: Desk) -> None:
    board = write(desk, 2)
    with OutsideServer(Settings(service=0.05, price=0.05, late_costs=9)) as server:
        here = pointed_at(server, desk)
        here.run("run", board, "-y", *QUICK)
    spent = next(line for line in desk.run("status", board).out.splitlines() if line.startswith("spent "))
    assert "2 jobs without a known cost" in spent
    assert spent in desk.run("plan", board).out.splitlines()
    totals = json.loads(desk.run("plan", board, "--output", "json").out)["totals"]
    assert (totals["spent_usd"], totals["committed_usd"]) == (0.0, 0.2)


def test_a_price_that_could_not_be_asked_for_is_told_by_its_true_cause(desk: Desk) -> None:
    board = write(desk, 1, prices="")
    with OutsideServer(Settings(service=0.05)) as server:
        stranger = pointed_at(server, desk, token="bad")
        refused = stranger.run("run", board, "--max-cost", 5, code=77)
        assert len(server.ledger()) == 0
    assert "--allow-unpriced" not in refused.err
    nobody = desk.with_environment(RUNCOMFY_MODEL_API_BASE="http://127.0.0.1:9/v1", RUNCOMFY_TOKEN="any")
    away = nobody.run("run", board, "--max-cost", 5, code=69)
    assert "the price of pika/pikaframes could not be asked for: " in away.err
    assert "nothing was sent" in away.err


def test_a_moment_that_has_passed_is_told_as_it_was_and_not_advised_again(desk: Desk) -> None:
    board = write(desk, 1)
    late = desk.run("run", board, "--simulate", "--speed", 50, "--until", "2020-01-31T07:00", *QUICK, code=3)
    assert "stopped: its time was up at 2020-01-31 07:00" in late.err
    assert "--until" not in command_in(late)
    desk.run(*command_in(late))


def test_a_warning_is_said_also_where_no_progress_is(desk: Desk) -> None:
    board = write(desk, 2)
    quiet = desk.run(
        "run", board, "--simulate", "--speed", 50, "--warn-cost", "0.05", "--progress", "none", *QUICK
    )
    assert quiet.err.count(" is spent or reserved, more than --warn-cost $0.05") == 1


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
        assert "1 new simulated attempt" in stopped.err
        onward = command_in(stopped)
        assert onward[:2] == ["run", "board.yaml"]
        assert "--for 6h --cutoff drain" in " ".join(onward)
        assert f"--only={failed}" in onward
        done = here.run(*onward)
        assert len(service.ledger()["charges"]) == 3
        status = here.run("status", board)
    spent = next(line for line in status.out.splitlines() if line.startswith("spent "))
    assert spent in done.out
    page = text_of(place / "report.html")
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
    assert (status["spent_usd"], status["estimated_usd"], status["without_cost"]) == (0.2, 0.2, 0)


def test_an_api_that_names_no_cost_is_asked_a_handful_of_times_and_then_no_more(desk: Desk) -> None:
    board = write(desk, 8)
    with OutsideServer(Settings(service=0.05, price=0.1, late_costs=1000)) as server:
        here = pointed_at(server, desk)
        asked = []
        for _ in range(3):
            here.run("run", board, "-y", *QUICK)
            asked.append(server.stats()["calls"]["result"])
    assert asked == [8, 13, 13]


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "1,50", "0"])
def test_what_is_no_amount_is_a_usage_error(desk: Desk, value: str) -> None:
    board = write(desk, 1)
    refused = desk.run("run", board, "--simulate", "--max-cost", value, code=64)
    assert "is not an amount of US dollars such as 12.50" in refused.err
    assert "→ shotrunner run --help" in refused.err


def test_a_retry_of_a_request_that_another_take_sends_is_refused_before_it_is_recorded(desk: Desk) -> None:
    """A person at a terminal is told of it in the question, and is not refused after that."""
    board = write(desk, 1)
    board.write_text(board.read_text() + "  - {id: s020, inputs: {duration: 1, seed: 1}}\n")
    place = desk.folder / "reports" / "board"
    script = desk.folder / "fails.yaml"
    script.write_text("faults:\n  - {route: submit, fault: fails, count: 1}\n")
    with simulating(desk, "--speed", 50, "--script", script) as service:
        here = service.desk
        here.run("run", board, "-y", "--allow-duplicates", *QUICK, code=2)
        (failed,) = (take.take_id for take in takes_of(place) if take.state is TakeState.FAILED)
        for agreed in (["-y"], ["--max-cost", "5"]):
            refused = here.run("retry", board, failed, *agreed, *QUICK, code=64)
            assert f"{failed} would pay again for a request" in refused.err
            assert "--allow-duplicates" in refused.err
        assert sorted(take.state for take in takes_of(place)) == [TakeState.FAILED, TakeState.SUCCEEDED]
        asked = here.start_at_terminal("retry", board, failed, *QUICK)
        asked.wait_until(lambda asked: "Go on?" in asked.err)
        assert "1 of them for a request that another take sends" in asked.err
        asked.type("y\n")
        done = asked.end()
        assert done.code == 0, done
        assert len(service.ledger()["charges"]) == 3
