"""Orders between two processes: each is obeyed and recorded once, or withdrawn, or reported as not known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runner.commands.cancel import as_answered, cancel
from runner.commands.steer import Answer, ask, steer
from runner.commands.steps.api_session import recorded_request
from runner.domain.errors import DiskFailed, RunInUse, UsageError
from runner.domain.orders import CancelTakes, GivenOrder, Order, Pause, Reload, Resume, Tune
from runner.domain.rates import Rate
from runner.domain.run_events import Message, Steered
from runner.domain.states import CancelRequested
from runner.engine.testing import failed
from runner.store.lock import RunLock
from runner.store.order_box import FOLDER, OrderBox
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from tests.integration.fake_session import Session, session
from tests.integration.store_samples import HEADER, S, drive, make_plan, make_take, new_state_file, tell
from tests.virtual_time import VirtualClock, run_virtual

TAKES = [make_take("a"), make_take("b")]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Session]:
    """Give a session that goes on."""
    with session(tmp_path / "run", TAKES) as found:
        yield found


def place_of(live: Session) -> RunDir:
    return RunDir(live.state.path.parent)


def answers(live: Session, *orders: Order) -> list[Answer]:
    """Give orders one after the other while the session is steered."""

    async def both() -> list[Answer]:
        clock = VirtualClock()
        async with live.steering(clock).beside():
            return [await ask(place_of(live), order, by="ada", clock=clock) for order in orders]

    return run_virtual(both())


def unheard(live: Session, order: Order = Pause(), *, patience: float = 10.0) -> Answer:  # noqa: B008 - frozen
    """Give an order that no session watches for."""
    return run_virtual(ask(place_of(live), order, by="ada", clock=VirtualClock(), patience=patience))


def left(live: Session) -> list[str]:
    folder = place_of(live).path / FOLDER
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_each_order_is_obeyed_recorded_and_reported_once(live: Session) -> None:
    tune = Tune(jobs=8, max_cost=60.0, rates={TAKES[0].model: Rate(2, "s")})
    orders = (Pause(), Pause(), Resume(), tune, CancelTakes(("a",)), Reload("0" * 64, 1.5))
    found = answers(live, *orders)
    assert [(each.answered, each.changed) for each in found] == [
        (True, changed) for changed in (True, False, True, True, True, True)
    ]
    assert found[1].says == ("it was paused already",)
    assert live.engine.asked == ["pause", "pause", "resume", tune, (("a",), "ada"), "0" * 64]
    assert [event.order for event in live.heard.events if isinstance(event, Steered)] == [*orders]
    with open_reader(live.state.path) as reader:
        assert [order.wish["order"] for order in reader.orders(epoch=live.state.epoch)] == [
            *("pause", "pause", "resume", "tune", "cancel", "reload")
        ]
        holds = reader.newest_session()
    assert holds is not None
    assert (holds.settings["jobs"], holds.settings["max_cost_usd"]) == (8, 60.0)
    assert holds.settings["rates"] == {TAKES[0].model: "2/s"}
    assert left(live) == []


def test_a_refusal_is_an_answer_and_so_is_a_bug(live: Session) -> None:
    refused, bug = answers(live, Tune(jobs=13), Tune(jobs=14))
    assert (refused.answered, refused.changed, refused.says) == (True, False, ("not 13", "take 12"))
    assert (bug.changed, bug.says) == (False, ("a bug in Shotrunner: ZeroDivisionError",))
    with open_reader(live.state.path) as reader:
        holds = reader.newest_session()
    assert holds is not None
    assert holds.settings["jobs"] == 4


def test_a_session_that_does_not_react_gets_no_order_later(live: Session) -> None:
    found = unheard(live)
    assert (found.answered, found.changed) == (False, False)
    assert found.says == ("the run did not react within 10 s; nothing was changed",)
    assert left(live) == []


def test_an_order_to_a_run_that_has_just_ended_is_withdrawn_at_once(live: Session) -> None:
    live.state.end_session(at=1002.0, ending="finished")
    found = unheard(live, patience=1e9)
    assert (found.changed, found.says) == (False, ("the run ended; nothing was changed",))
    assert left(live) == []


@pytest.mark.parametrize("is_over", [True, False])
def test_of_an_order_that_was_taken_and_not_answered_it_is_not_known_what_became(
    live: Session, *, is_over: bool
) -> None:
    async def killed() -> Answer:
        clock = VirtualClock()
        asked = asyncio.create_task(ask(place_of(live), Pause(), by="ada", clock=clock))
        await clock.sleep(0.05)
        box = OrderBox(place_of(live).path)
        (given,) = box.waiting(epoch=live.state.epoch, now=clock.wall())
        assert box.take(given.id)
        if is_over:
            live.state.end_session(at=1002.0, ending="finished")
        return await asked

    found = run_virtual(killed())
    assert (found.answered, found.changed) == (False, None)
    assert found.advice.startswith("shotrunner status ")


def test_an_order_that_the_session_throws_away_changed_nothing(live: Session) -> None:
    async def refused() -> Answer:
        clock = VirtualClock()
        asked = asyncio.create_task(ask(place_of(live), Pause(), by="ada", clock=clock))
        await clock.sleep(0.05)
        assert OrderBox(place_of(live).path).waiting(epoch=99, now=clock.wall()) == []
        return await asked

    assert run_virtual(refused()).says == ("the run refused this order; nothing was changed",)


def test_an_interrupted_wait_takes_the_order_back(live: Session) -> None:
    async def interrupted() -> None:
        clock = VirtualClock()
        asked = asyncio.create_task(ask(place_of(live), Pause(), by="ada", clock=clock))
        await clock.sleep(1.05)
        assert len(left(live)) == 1
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked

    run_virtual(interrupted())
    assert left(live) == []


def test_an_order_that_cannot_be_recorded_is_not_reported_as_done(live: Session) -> None:
    async def both() -> Answer:
        clock = VirtualClock()
        steering = live.steering(clock)
        steering.journal = FullDisk(live.state.epoch)
        async with steering.beside():
            return await ask(place_of(live), Pause(), by="ada", clock=clock)

    assert run_virtual(both()).changed is None
    (said,) = live.heard.events
    assert isinstance(said, Message)
    assert "could not be recorded: full" in said.text


class FullDisk:
    """A record on a full disk."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def note_order(self, *_given: object, **_more: object) -> Future[None]:
        return failed(DiskFailed("full"))


def test_the_next_session_obeys_no_order_of_an_earlier_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = GivenOrder("a" * 32, "ada", 1_800_000_000.0, 1, Pause())
    OrderBox(folder).put(given)
    with session(folder, TAKES) as live:
        live.state.begin(at=1002.0)
        live.state.begin_session(at=1002.0, version="0.1")
        assert answers(live, Resume())[0].changed is False
        assert live.engine.asked == ["resume"]
        assert left(live) == []


def test_a_run_that_is_not_going_on_is_not_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with new_state_file(folder, TAKES):
        found = steer(folder, Pause(), by="ada")
        assert found.says == ("this run is not going on; nothing was changed",)
        assert found.advice.startswith("shotrunner run ")
        with RunLock(folder):
            assert "submits nothing" in steer(folder, Pause(), by="ada").says[0]
        assert not (folder / FOLDER).exists()


def test_a_dry_run_shows_what_would_change_and_asks_no_session(live: Session) -> None:
    model = TAKES[0].model
    tune = Tune(jobs=4, max_cost=60.0, rates={model: Rate(2, "s"), "": None}, model_jobs={model: 3})
    found = steer(live.state.path.parent, tune, by="ada", dry_run=True)
    assert found.says == (
        "--jobs is 4 already",
        "--max-cost $40.00 → $60.00",
        f"--rate {model} none → 2/s",
        "--rate is none already",
        f"--model-jobs {model} none → 3",
    )
    assert (found.answered, found.changed, found.dry_run) == (False, False, True)
    for order, says in (
        (Pause(), "it would submit no more; its jobs would go on"),
        (Resume(), "it is not paused"),
        (Tune(jobs=4), "--jobs is 4 already"),
    ):
        assert steer(live.state.path.parent, order, by="ada", dry_run=True).says == (says,)
    assert not (live.state.path.parent / FOLDER).exists()


def test_a_model_that_the_run_does_not_have_is_refused_with_the_nearest(live: Session) -> None:
    with pytest.raises(UsageError, match="pika/pikaframe'") as caught:
        steer(live.state.path.parent, Tune(rates={"pika/pikaframe": Rate(1, "s")}), by="ada")
    assert caught.value.advice == "did you mean pika/pikaframes?"


@dataclass
class Leaping:
    """A clock on which each wait is over at once."""

    now: float = 1_800_000_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_session_that_does_not_cancel_leaves_it_to_this_process(live: Session) -> None:
    """Nothing stays in its folder. A simulated run has its API inside it, so that nothing can be done here either."""
    drive(live.state, S.QUEUED, take_id="a")
    request = replace(recorded_request(place_of(live), HEADER, environ={}), clock=Leaping())
    with pytest.raises(RunInUse) as caught:
        cancel(place_of(live), ["a"], by="ada", request=request)
    assert "stop it first" in caught.value.advice
    assert left(live) == []


def test_a_session_s_cancel_is_reported_as_its_record_shows_it(live: Session) -> None:
    """What each take says follows from where it stands after the answer, and from the API's own word."""
    takes = [make_take(state) for state in S]
    live.state.adopt_plan(make_plan([*TAKES, *takes]), renew=(), at=1002.0)
    for take in takes:
        drive(live.state, S(take.id), take_id=take.id)
    tell(live.state, CancelRequested("ada", "not_cancellable"), take_id="running")
    names = [take.id for take in takes]
    clock = VirtualClock()

    async def both() -> Answer:
        async with live.steering(clock).beside():
            return await ask(place_of(live), CancelTakes(tuple(names)), by="ada", clock=clock)

    answer = run_virtual(both())
    found = {each.take_id: each for each in as_answered(place_of(live), answer, names).outcomes}
    assert {name for name, each in found.items() if each.stopped} == {
        "pending",
        "failed",
        "cancelled",
        "dropped",
    }
    assert "does not send it" in found["pending"].says
    assert "at this moment" in found["submitting"].says
    assert "was not asked" in found["queued"].says
    assert (found["running"].word, "runs already" in found["running"].says) == ("not_cancellable", True)
    assert "reconcile" in found["held"].says
    unknown = as_answered(place_of(live), replace(answer, changed=None), ["pending"])
    assert (unknown.outcomes[0].stopped, unknown.outcomes[0].says) == (False, "not sent so far")
