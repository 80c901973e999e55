"""Orders from a second terminal, as commands, to a session in this process whose engine only notes them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.domain.orders import Tune
from runner.domain.rates import Rate
from runner.system.clock import SystemClock
from tests.acceptance.command import Desk
from tests.integration.fake_session import Session, session
from tests.integration.store_samples import HEADER, S, drive, make_take

TAKES = [make_take("s010"), make_take("s020"), make_take("s030")]
MODEL = TAKES[0].model
RUN = "run"


@contextmanager
def steered(folder: Path, *, command: str = "x run board.csv") -> Iterator[Session]:
    """Let a session go on in `folder` and obey orders, in a thread of its own."""
    with session(folder / RUN, TAKES, command=command) as live:
        drive(live.state, S.QUEUED, take_id="s010")
        ended = asyncio.Event()
        loop = asyncio.new_event_loop()

        async def watch() -> None:
            async with live.steering(SystemClock(), waits=False).beside():
                await ended.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(watch()))
        thread.start()
        try:
            yield live
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join()
            loop.close()


def test_a_run_is_paused_tuned_and_resumed_from_a_second_terminal(desk: Desk) -> None:
    with steered(desk.folder) as live:
        assert desk.run("pause", RUN).out == "pause: it submits no more; its jobs go on\n"
        assert desk.run("pause", RUN).out == "pause: not changed: it was paused already\n"
        lines = desk.run("status", RUN).out.splitlines()
        assert lines[2].startswith("paused since ")
        assert lines[3] == f"  → shotrunner resume {RUN} --simulate"
        shown = json.loads(desk.run("status", RUN, "--output", "json").out)
        assert shown["paused_since"]
        assert [(each["order"]["order"], each["changed"]) for each in shown["orders"]] == [
            ("pause", True),
            ("pause", False),
        ]
        words = ("tune", RUN, "-j", 8, "--max-cost", 60, "--rate", f"{MODEL}=2/s")
        before = desk.run(*words, "-n").out
        assert before == f"--jobs 4 → 8\n--max-cost $40.00 → $60.00\n--rate {MODEL} none → 2/s\n"
        found = json.loads(desk.run(*words, "--output", "json").out)
        assert (found["answered"], found["changed"], found["says"]) == (True, True, ["tuned"])
        assert found["order"]["jobs"] == 8
        assert desk.run("resume", RUN).out == "resume: it submits again\n"
        tune = Tune(jobs=8, max_cost=60.0, rates={MODEL: Rate(2, "s")})
        assert live.engine.asked == ["pause", "pause", tune, "resume"]
        status = desk.run("status", RUN).out
        assert f"-j 8 · --max-cost $60.00, $60.00 left · --rate {MODEL}=2/s" in status
        assert "resume by " in status
        refused = desk.run("tune", RUN, "-j", 13)
        assert refused.out == "tune: not changed: not 13; take 12\n"


def test_a_run_that_is_not_going_on_is_named_with_the_command_that_starts_it(desk: Desk) -> None:
    """A killed run continues with the numbers that it was tuned to."""
    with steered(desk.folder, command=f"x run {HEADER.manifest} -j 4 -- "):
        desk.run("tune", RUN, "-j", 8, "--max-cost", 60)
        desk.run("tune", RUN, "-j", 12)
        note = (desk.folder / RUN / ".lock-owner.json").read_text()
    (desk.folder / RUN / ".lock-owner.json").write_text(note)
    said = desk.run("pause", RUN, code=2)
    assert said.out.startswith("this run is not going on; nothing was changed\n  → shotrunner run ")
    found = json.loads(desk.run("pause", RUN, "-n", "--output", "json", code=2).out)
    assert (found["answered"], found["changed"], found["dry_run"]) == (False, False, True)
    assert found["next"][0][:2] == ["shotrunner", "run"]
    status = json.loads(desk.run("status", RUN, "--output", "json").out)
    assert status["next"] == [
        ["shotrunner", "run", HEADER.manifest, "-j", "4", "--jobs", "12", "--max-cost", "60", "--"]
    ]
    assert (status["jobs"], status["max_cost_usd"], status["left_usd"]) == (12, 60.0, 60.0)


def test_a_session_cancels_for_a_second_terminal_what_is_queued_and_what_waits(desk: Desk) -> None:
    """The answer is read from the record: this engine has asked no API, and left the job where it was."""
    with steered(desk.folder) as live:
        would = json.loads(desk.run("cancel", RUN, "--all", "-n", "--output", "json").out)
        assert [(each["take"], each["stopped"]) for each in would["takes"]] == [
            (take.id, False) for take in TAKES
        ]
        assert live.engine.asked == []
        said = desk.run("cancel", RUN, "s010", "s020", "--output", "json", code=2)
        found = json.loads(said.out)
        assert [each["stopped"] for each in found["takes"]] == [False, True]
        assert "this session does not send it" in found["takes"][1]["message"]
        assert "asked the API" in said.err
        (asked,) = live.engine.asked
        assert isinstance(asked, tuple)
        assert asked[0] == ("s010", "s020")


def test_an_order_that_says_nothing_or_names_an_unknown_model_is_refused(desk: Desk) -> None:
    with steered(desk.folder) as live:
        assert "nothing to change" in desk.run("tune", RUN, code=64).err
        refused = desk.run("tune", RUN, "--rate", "pika/pikaframe=2/s", code=64)
        assert "→ did you mean pika/pikaframes?" in refused.err
        for odd in ("2/day", "=2/s", "0/s"):
            desk.run("tune", RUN, "--rate", odd, code=64)
        desk.run("tune", RUN, "--model-jobs", "4", code=64)
        assert live.engine.asked == []
