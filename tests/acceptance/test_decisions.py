"""A person decides and repairs: held takes are settled, failed ones paid for once more, jobs cancelled, clips mended.

Each story is told by the installed command, and the simulator's ledger says what was paid.
"""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.domain.states import DeliveryState, TakeState
from tests.acceptance.boards import charges_of, is_whole_mp4, takes_of, write_csv
from tests.acceptance.command import Desk, Outcome
from tests.acceptance.service import Simulated, simulating

LOST = "faults:\n  - {route: submit, fault: close, after: 1, count: %d}\n"
FAILS = "faults:\n  - {route: submit, fault: %s, count: 1}\n"
FAST = ("-y", "--poll-interval", 0.1, "-j", 8)
SIMULATED = ("--simulate", "--speed", 50, "--poll-interval", 0.1)


@contextmanager
def served(desk: Desk, script: str = "", *flags: object) -> Iterator[Simulated]:
    """Serve a fast simulator with a fault script."""
    path = desk.folder / "script.yaml"
    path.write_text(script or "faults: []\n")
    with simulating(desk, "--speed", 50, "--script", path, *flags) as service:
        yield service


def charges(service: Simulated) -> list[dict[str, Any]]:
    """Return the ledger's charges, oldest first."""
    found: list[dict[str, Any]] = service.ledger()["charges"]
    return found


def states(place: Path) -> list[str]:
    return [take.state for take in takes_of(place)]


def go_on(desk: Desk, outcome: Outcome, *flags: object, code: int = 0) -> Outcome:
    """Give the command that an outcome's last line says goes on."""
    assert outcome.last_line.startswith("go on with: shotrunner run "), outcome
    return desk.run(*shlex.split(outcome.last_line)[4:], *flags, code=code)


def test_a_lost_answer_is_shown_adopted_and_brought_home_for_one_charge(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 3), desk.folder / "reports" / "board"
    with served(desk, LOST % 1) as service:
        here = service.desk
        first = here.run("run", board, *FAST, code=4)
        advice = next(line for line in first.err.splitlines() if line.startswith("  → shotrunner reconcile"))
        shown = here.run(*shlex.split(advice)[2:], code=4)
        assert "t0001" in shown.out
        assert "Shot number 1." in shown.out
        assert "adopt t0001 REQUEST_ID" in shown.out
        (case,) = json.loads(here.run("reconcile", board, "--output", "json", code=4).out)["held"]
        (charge,) = [charge for charge in charges(service) if charge["body"]["seed"] == 1]
        began, ended = (datetime.fromisoformat(case[name]) for name in ("started_at", "ended_at"))
        assert began.timestamp() - 1 <= charge["accepted_at"] <= ended.timestamp() + 2
        assert case["inputs"]["seed"] == 1

        unknown = here.run("reconcile", board, "adopt", "t0001", "no-such-id", code=64)
        assert "does not know" in unknown.err
        others = takes_of(place)[0].request_id
        assert "belongs to take t0000" in here.run("reconcile", board, "adopt", "t0001", others, code=64).err
        adopted = here.run("reconcile", board, "adopt", "t0001", charge["request_id"])
        assert "t0001: adopted" in adopted.out
        assert here.run("reconcile", board).out == "no take is held\n"
        go_on(here, adopted, *FAST)
        assert len(charges(service)) == 3
    take = takes_of(place)[1]
    assert (take.delivery, take.request_id) == (DeliveryState.DELIVERED, charge["request_id"])
    assert is_whole_mp4(place / "clips" / "t0001.mp4")


def test_the_id_of_another_job_is_not_adopted(desk: Desk) -> None:
    """Two answers were lost; the ids are given to the wrong takes, and the record of the job tells."""
    board, place = write_csv(desk.folder / "board.csv", 3), desk.folder / "reports" / "board"
    with served(desk, LOST % 2) as service:
        here = service.desk
        here.run("run", board, *FAST, code=4)
        (other,) = [charge["request_id"] for charge in charges(service) if charge["body"]["seed"] == 2]
        refused = here.run("reconcile", board, "adopt", "t0001", other, code=64)
        assert "another job" in refused.err
    assert states(place).count("held") == 2


def test_what_is_declared_not_sent_is_paid_again_exactly_once_and_that_is_said(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 3), desk.folder / "reports" / "board"
    with served(desk, LOST % 1) as service:
        here = service.desk
        here.run("run", board, *FAST, code=4)
        declared = here.run("reconcile", board, "not-sent", "t0001", "--reason", "not on the site")
        assert "paid for twice" in declared.out
        assert states(place)[1] == "pending"
        assert len(charges(service)) == 3
        go_on(here, declared, *FAST)
        bodies = [charge["body"]["seed"] for charge in charges(service)]
    assert sorted(bodies) == [0, 1, 1, 2]
    assert states(place) == ["succeeded"] * 3
    history = desk.run("show", board, "t0001").out
    assert "DeclaredNotSent" in history
    assert "not on the site" in history


def test_declaring_all_asks_for_their_number(desk: Desk) -> None:
    """Without a terminal it needs the flag that names the risk; a wrong number records nothing."""
    board, place = write_csv(desk.folder / "board.csv", 3), desk.folder / "reports" / "board-simulated"
    script = desk.folder / "lost.yaml"
    script.write_text(LOST % 2)
    desk.run("run", board, *SIMULATED, "--script", script, code=4)
    base = ("reconcile", board, "--simulate", "not-sent", "--all")
    assert "--yes-i-may-pay-twice" in desk.run(*base, code=64).err
    wrong, right = (desk.start_at_terminal(*base) for _ in range(2))
    for life, number in ((wrong, "1\n"), (right, "2\n")):
        life.wait_until(lambda life: "Type the number of takes" in life.err)
        life.type(number)
        assert life.end().code == (3 if life is wrong else 0)
        assert states(place).count("held") == (2 if life is wrong else 0)


def test_a_dropped_take_is_left_alone_for_good(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 3), desk.folder / "reports" / "board-simulated"
    script = desk.folder / "lost.yaml"
    script.write_text(LOST % 1)
    desk.run("run", board, *SIMULATED, "--script", script, code=4)
    dropped = desk.run("reconcile", place, "drop", "t0001")
    go_on(desk, dropped, *SIMULATED[1:])
    assert states(place) == ["succeeded", "dropped", "succeeded"]
    assert len(charges_of(place / "simulator" / "ledger.jsonl")) == 3


def test_a_retry_makes_exactly_one_new_charge(desk: Desk) -> None:
    """It asks first, and refuses what it is not for; then it runs that one take alone."""
    board, place = write_csv(desk.folder / "board.csv", 2), desk.folder / "reports" / "board"
    with served(desk, FAILS % "fails") as service:
        here = service.desk
        here.run("run", board, *FAST, code=2)
        assert states(place) == ["failed", "succeeded"]
        write_csv(board, 3)
        unasked = here.run("retry", board, "t0000", code=64)
        assert "each is a new simulated attempt: 1 job" in unasked.err
        assert "has rendered" in here.run("retry", board, "t0001", "-y", code=64).err
        here.run("retry", board, "t0000", "-y", "--speed", 2, code=64)
        assert "paid run" in here.run("retry", place, "t0000", "-y", "--simulate", code=64).err
        assert states(place) == ["failed", "succeeded"]
        again = here.run("retry", board, *FAST, "t0000")
        assert "1 new simulated attempt" in again.err
        seeds = [charge["body"]["seed"] for charge in charges(service)]
    assert sorted(seeds) == [0, 0, 1]
    assert states(place) == ["succeeded", "succeeded", "pending"]


def test_a_retry_of_what_moderation_refused_needs_a_change_or_a_flag(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board-simulated"
    script = desk.folder / "fails.yaml"
    script.write_text(FAILS % "moderation")
    desk.run("run", board, *SIMULATED, "--script", script, code=2)
    refused = desk.run("retry", board, *SIMULATED, "--only", "status:failed", code=64)
    assert "moderation" in refused.err
    board.write_text(board.read_text().replace("Shot number 0.", "A calm lake."))
    desk.run("retry", board, *SIMULATED, "--only", "status:failed")
    assert {take.take_id: take.state for take in takes_of(place)} == {
        "t0000": "succeeded",
        "t0000~1": "failed",
    }
    assert "calm lake" in takes_of(place)[0].body
    assert len(charges_of(place / "simulator" / "ledger.jsonl")) == 2


def test_queued_jobs_are_cancelled_and_running_ones_go_on(desk: Desk) -> None:
    """A simulated run is left with its jobs out; its own simulator takes the cancel on its ledger."""
    board, place = write_csv(desk.folder / "board.csv", 2), desk.folder / "reports" / "board-simulated"
    life = desk.start("run", board, "--simulate", "--speed", 0.02, "-j", 1, "--poll-interval", 0.1)
    life.wait_until(lambda life: "submitted" in life.err)
    life.signal(signal.SIGTERM)
    assert life.end().code == 143
    done = desk.run("cancel", board, "--all", "--simulate")
    assert "t0000: cancelled, confirmed by its result" in done.out
    assert "t0001: not sent yet" in done.out
    assert states(place) == ["cancelled", "pending"]
    assert "it has ended already" in desk.run("cancel", place, "t0000").out
    history = desk.run("show", place, "t0000").out
    assert "CancelRequested" in history


def test_while_a_runner_works_a_cancel_is_posted_and_the_runner_records_it(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board"
    with simulating(desk, "--speed", 0.02) as service:
        life = service.desk.start("run", board, *FAST)
        life.wait_until(lambda life: "submitted" in life.err)
        done = service.desk.run("cancel", board, "t0000", "--output", "json")
        assert json.loads(done.out)["takes"][0]["outcome"] == "cancelled"
        assert "a runner is working" in done.err
        assert life.end().code == 2
    assert states(place) == [TakeState.CANCELLED]


def test_verify_finds_what_was_deleted_cut_or_edited_and_fetch_mends_it_for_nothing(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 5), desk.folder / "reports" / "board"
    clips = place / "clips"
    with served(desk) as service:
        here = service.desk
        here.run("run", board, *FAST)
        assert "5 whole" in here.run("verify", board).out
        (clips / "t0000.mp4").unlink()
        (clips / "t0001.mp4").write_bytes((clips / "t0001.mp4").read_bytes()[:-9])
        edited = bytearray((clips / "t0002.mp4").read_bytes())
        edited[-1] ^= 1
        (clips / "t0002.mp4").write_bytes(edited)
        (clips / "t0003.json").unlink()
        found = json.loads(here.run("verify", place, "--output", "json", code=2).out)
        flaws = [(finding["take"], finding["flaw"]) for finding in found["findings"]]
        assert flaws == [
            ("t0000", "missing"),
            ("t0001", "cut"),
            ("t0002", "changed"),
            ("t0003", "no sidecar"),
        ]
        board.unlink()
        mended = here.run("fetch", place)
        assert "3 of 3 clips downloaded" in mended.out
        assert "5 whole" in here.run("verify", place).out
        assert here.run("fetch", place).out == "every clip is here, whole\n"
        assert len(charges(service)) == 5
    assert all(is_whole_mp4(clips / f"t000{number}.mp4") for number in range(5))


def test_what_verify_marks_the_next_run_fetches(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 2), desk.folder / "reports" / "board-simulated"
    desk.run("run", board, *SIMULATED)
    clip = place / "clips" / "t0001.mp4"
    whole = clip.read_bytes()
    clip.write_bytes(bytes(len(whole)))
    assert "1 take marked" in desk.run("verify", board, "--simulate", "--mark", code=2).err
    desk.run("run", board, *SIMULATED)
    assert clip.read_bytes() == whole
    assert len(charges_of(place / "simulator" / "ledger.jsonl")) == 2


def test_clips_that_were_left_at_the_api_are_fetched_one_or_all(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 2), desk.folder / "reports" / "board-simulated"
    desk.run("run", board, *SIMULATED, "--no-download")
    assert "2 rendered clips never downloaded" in desk.run("verify", place).out
    assert "1 of 1 clip downloaded" in desk.run("fetch", board, "--simulate", "t0001").out
    assert [take.delivery for take in takes_of(place)] == [DeliveryState.NONE, DeliveryState.DELIVERED]
    desk.run("fetch", place)
    assert [take.delivery for take in takes_of(place)] == [DeliveryState.DELIVERED] * 2
