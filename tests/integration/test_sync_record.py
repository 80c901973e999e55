"""A record that is made to fit its board: read once where nothing changed, and clips found where a kill left them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runner.commands.accept import keep_stale
from runner.commands.steps.sync_record import missing, sync, take_over
from runner.domain.records import TakeRecord
from runner.domain.shots import Plan, Price
from runner.domain.states import DeliveryState
from runner.plan.actions import Action
from runner.plan.prices import CATALOGUE, priced, recorded_prices
from runner.plan.scope import scope_of
from runner.plan.selection import ALL
from tests.unit.test_sync_record_properties import CLOCK, Board, Round, Standing, board, plan_of

ROWS = {"a": "A", "b": "B"}


def recalled(made: Board, plan: Plan) -> list[TakeRecord]:
    recorded = take_over(made.state, clock=CLOCK).takes
    sync(made.state, plan, recorded, scope_of(plan, recorded, ALL).comparison, clock=CLOCK)
    return made.takes()


def rendered(made: Board) -> None:
    """Render both takes."""
    for take in made.run(Round(ROWS)):
        made.move(take, Standing())


def torn(made: Board, left_as: str) -> None:
    """Rename `a` to `x`, with a kill between the clip's rename and its record."""
    rendered(made)
    plan = plan_of({"x": "A", "b": "B"})
    made.state.adopt_plan(plan, renew=(), renames={"a": "x"}, at=1020.0)
    (made.place.path / "clips/a.mp4").rename(made.place.path / "clips" / left_as)


def everything(folder: Path) -> dict[str, str]:
    # But for SQLite's own index of the log, which every reader marks.
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_record_that_fits_already_stays_as_it_is() -> None:
    with board() as made:
        rendered(made)
        recorded = take_over(made.state, clock=CLOCK).takes
        plan, before = plan_of(ROWS), made.takes()
        assert sync(made.state, plan, recorded, scope_of(plan, recorded, ALL).comparison, clock=CLOCK) == ()
        assert made.takes() == before


@pytest.mark.parametrize("left_as", ["x.mp4", "x+moving.mp4"])
def test_a_plan_looks_for_a_clip_where_a_run_finds_it_and_touches_nothing(left_as: str) -> None:
    look = Round({"x": "A", "b": "B"})
    with board() as made:
        torn(made, left_as)
        before = everything(made.place.path)
        assert {step.take_id: step.action for step in made.planned(look)} == {
            "x": Action.SKIP,
            "b": Action.SKIP,
        }
        assert everything(made.place.path) == before
        takes = recalled(made, plan_of(look.rows))
        assert [(take.file, take.delivery) for take in takes] == [
            ("clips/x.mp4", DeliveryState.DELIVERED),
            ("clips/b.mp4", DeliveryState.DELIVERED),
        ]


@pytest.mark.parametrize("now", ["a", "y", "b"])
def test_a_take_that_is_renamed_again_after_a_kill_in_mid_rename_keeps_its_clip(now: str) -> None:
    """The record no longer tells then where the clip was going, so that rename is finished first."""
    rows = {now: "A"} if now == "b" else {now: "A", "b": "B"}
    with board() as made:
        torn(made, "x.mp4")
        actions = {step.action for step in made.planned(Round(rows))}
        assert Action.DOWNLOAD not in actions
        takes = recalled(made, plan_of(rows))
        assert {take.delivery for take in takes} == {DeliveryState.DELIVERED}
        (mine,) = (take for take in takes if take.take_id == now)
        assert mine.file == f"clips/{now}.mp4"
        assert hashlib.sha256((made.place.path / mine.file).read_bytes()).hexdigest() == mine.sha256


@pytest.mark.parametrize("elsewhere", [None, b"another clip"], ids=["nothing there", "another's bytes"])
def test_a_clip_that_is_nowhere_is_missing_for_plan_and_run_alike(elsewhere: bytes | None) -> None:
    look = Round({"x": "A", "b": "B"})
    with board() as made:
        torn(made, "x.mp4")
        (made.place.path / "clips/x.mp4").unlink()
        if elsewhere:
            (made.place.path / "clips/x.mp4").write_bytes(elsewhere)
        assert missing(made.takes(), made.place) == {"x"}
        (said,) = (step for step in made.planned(look) if step.take_id == "x")
        assert (said.action, said.reason) == (Action.DOWNLOAD, "file missing")
        takes = recalled(made, plan_of(look.rows))
        assert {take.take_id: take.delivery for take in takes} == {
            "x": DeliveryState.NONE,
            "b": DeliveryState.DELIVERED,
        }


def test_keeping_a_stale_clip_forgets_no_price_that_a_catalogue_gave() -> None:
    price = Price(0.2, source=CATALOGUE, dated="2026-11-01")
    with TemporaryDirectory() as folder:
        made = Board(Path(folder))
        rendered(made)
        plan = plan_of({"a": "new", "b": "B"})
        made.state.adopt_plan(priced(plan, {take.model: price for take in plan.takes}), renew=(), at=1020.0)
        made.state.close()
        kept = keep_stale(made.place, plan, names=["a"], choice=ALL, by="ada")
        assert kept.take_ids == ("a",)
        model = plan.takes[0].model
        assert recorded_prices(take for take in made.takes() if take.take_id == "b") == {model: price}


def test_a_plan_of_a_run_without_clips_folder_makes_none() -> None:
    with board() as made:
        torn(made, "x.mp4")
        for clip in (made.place.path / "clips").iterdir():
            clip.unlink()
        (made.place.path / "clips").rmdir()
        assert missing(made.takes(), made.place) == {"x", "b"}
        assert not (made.place.path / "clips").exists()
