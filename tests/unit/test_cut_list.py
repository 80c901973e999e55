"""Which clip of a shot plays in the cut, and what is said of a shot that has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.commands.steps.cut_list import ASSUMED_SECONDS, cut_list, recorded_cut
from runner.domain.clip_checks import Flag, FlagKind, Probe
from runner.domain.errors import FileMissing
from runner.domain.picks import NO_PICKS, Decision, Pick, Picks
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.plan.selection import Choice
from runner.timeline.remarks import remarks_on
from runner.timeline.slots import Slot, Timeline
from tests.unit.output_records import NOW, delivered, pending, succeeded


def take(number: int, *, shot: str = "s010", position: int | None = 0) -> TakeRecord:
    return replace(pending(f"{shot}@seed={number}", position=position), number=number)


def here(number: int, folder: Path, *, shot: str = "s010", position: int | None = 0) -> TakeRecord:
    """Return a take with its clip in `folder`, the later the higher its number is."""
    found = replace(delivered(take(number, shot=shot, position=position)), finished_at=NOW + number)
    assert found.file is not None
    (folder / found.file).parent.mkdir(exist_ok=True)
    (folder / found.file).touch()
    return found


def said(**decisions: Decision) -> Picks:
    """Return decisions on takes of shot s010, by number: `t1=Decision.PICK`."""
    return Picks(tuple(Pick("s010", f"s010@seed={name[1:]}", word) for name, word in decisions.items()))


def only_slot(timeline: Timeline) -> Slot:
    (slot,) = timeline.slots
    return slot


def cut(takes: list[TakeRecord], folder: Path, picks: Picks = NO_PICKS, fps: float | None = None) -> Timeline:
    return recorded_cut("night", takes, picks, folder=folder, fps=fps)


@pytest.mark.parametrize(
    ("picks", "plays"),
    [
        (NO_PICKS, 3),
        (said(t1=Decision.PICK), 1),
        (said(t2=Decision.PICK, t1=Decision.PICK), 1),
        (said(t3=Decision.REJECT), 2),
        (said(t1=Decision.MAYBE), 3),
    ],
)
def test_the_pick_plays_or_else_the_newest_that_is_not_rejected(
    picks: Picks, plays: int, tmp_path: Path
) -> None:
    slot = only_slot(cut([here(number, tmp_path) for number in (1, 2, 3)], tmp_path, picks))
    assert slot.active is not None
    assert slot.active.label == f"s010_t0{plays}"
    assert {clip.label for clip in (slot.active, *slot.others)} == {"s010_t01", "s010_t02", "s010_t03"}
    assert slot.active.decision == picks.decisions.get(slot.active.take_id)


def test_a_clip_that_is_not_whole_or_left_the_manifest_plays_only_if_it_was_picked(tmp_path: Path) -> None:
    whole = here(1, tmp_path)
    cut_short = replace(here(2, tmp_path), flags=(Flag(FlagKind.TRUNCATED, "it breaks off"),))
    older = here(3, tmp_path, position=None)
    takes = [whole, cut_short, older]
    plain, picked = (only_slot(cut(takes, tmp_path, picks)) for picks in (NO_PICKS, said(t3=Decision.PICK)))
    assert plain.active is not None
    assert picked.active is not None
    assert (plain.active.label, picked.active.label) == ("s010_t01", "s010_t03")


def test_a_shot_that_left_the_manifest_has_no_slot(tmp_path: Path) -> None:
    assert cut([here(1, tmp_path, position=None)], tmp_path).slots == ()


@pytest.mark.parametrize(
    ("takes", "picks", "why"),
    [
        ([take(1)], NO_PICKS, "pending"),
        ([take(1), take(2), replace(take(3), state=TakeState.HELD)], NO_PICKS, "pending (2); held"),
        (
            [replace(take(1), state=TakeState.FAILED, failure=FailureClass.MODERATION)],
            NO_PICKS,
            "failed: moderation",
        ),
        ([succeeded(take(1))], NO_PICKS, "rendered, not fetched yet"),
        ([delivered(take(1))], NO_PICKS, "the clip is gone"),
        (
            [succeeded(take(1))],
            said(t1=Decision.PICK),
            "the picked take s010_t01 is not here: rendered, not fetched yet",
        ),
    ],
)
def test_a_gap_says_why_and_has_the_planned_length(
    takes: list[TakeRecord], picks: Picks, why: str, tmp_path: Path
) -> None:
    slot = only_slot(cut(takes, tmp_path, picks))
    assert (slot.active, slot.why, slot.planned, slot.is_assumed) == (None, why, 5.0, False)
    assert slot.prompt == "A hand lifts the glasses"


def test_a_gap_that_a_fetch_would_fill_is_waiting(tmp_path: Path) -> None:
    assert only_slot(cut([succeeded(take(1))], tmp_path)).is_waiting
    assert not only_slot(cut([take(1)], tmp_path)).is_waiting
    assert not only_slot(cut([here(1, tmp_path), succeeded(take(2))], tmp_path)).is_waiting


def test_no_other_clip_takes_the_place_of_a_picked_one_or_of_rejected_ones(tmp_path: Path) -> None:
    takes = [here(1, tmp_path), succeeded(take(2))]
    assert only_slot(cut(takes, tmp_path, said(t2=Decision.PICK))).active is None
    rejected = only_slot(cut(takes[:1], tmp_path, said(t1=Decision.REJECT)))
    assert (rejected.active, rejected.why) == (None, "rejected")


def test_lengths_and_the_rate_are_the_measured_ones(tmp_path: Path) -> None:
    rates = (25.0, 25.0, 30.0)
    takes = [
        replace(here(1, tmp_path, shot=f"s{at}"), probe=Probe(seconds=4.0, fps=fps, audio="aac", width=640))
        for at, fps in enumerate(rates)
    ]
    found = cut(takes, tmp_path)
    assert found.fps == 25.0
    assert cut(takes, tmp_path, fps=29.97).fps == pytest.approx(30000 / 1001)
    clips = [slot.active for slot in found.slots if slot.active]
    assert [(clip.seconds, clip.fps, clip.has_audio) for clip in clips] == [(4.0, fps, True) for fps in rates]


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    takes = [
        here(1, tmp_path, shot="s010"),
        replace(take(1, shot="s020"), body='{"promptText":"x"}', shot_id="s020"),
        here(1, tmp_path, shot="s030"),
    ]
    takes[2] = replace(takes[2], probe=Probe(seconds=4.0, fps=24.0))
    picks = Picks((Pick("s030", takes[2].take_id, Decision.PICK),))
    found = cut(takes, tmp_path, picks)
    assert found.slots[1].planned == ASSUMED_SECONDS
    assert remarks_on(found) == (
        "1 shot is not picked, so the newest whole clip plays: s010",
        "1 shot is not measured, so the length is what was asked for: s010",
        "1 gap (pending): s020",
        "1 shot names no duration, so 5 s are assumed: s020",
    )


def test_a_choice_leaves_takes_and_shots_out(tmp_path: Path) -> None:
    takes = [here(number, tmp_path, shot=shot) for shot in ("s010", "s020") for number in (1, 2)]
    found = recorded_cut("night", takes, NO_PICKS, folder=tmp_path, choice=Choice(only=("s020@seed=1",)))
    slot = only_slot(found)
    assert slot.active is not None
    assert (slot.active.label, slot.others) == ("s020_t01", ())


def test_a_mere_plan_is_all_gaps_of_the_planned_lengths(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(
        "version: 1\nshots:\n"
        + "".join(
            f"  - {{id: s{at}, model: pika/pika-2-2/image-to-video, sweep: {{seed: [1, 2]}},"
            f" inputs: {{promptText: hand, image: 'https://e.com/1.jpg', duration: {seconds}}}}}\n"
            for at, seconds in ((1, 5), (2, 10))
        )
    )
    found = cut_list(board)
    assert [(slot.shot_id, slot.planned, slot.why, slot.prompt) for slot in found.slots] == [
        ("s1", 5.0, "not rendered yet", "hand"),
        ("s2", 10.0, "not rendered yet", "hand"),
    ]
    assert found.fps == 24.0
    with pytest.raises(FileMissing):
        cut_list(tmp_path / "none.yaml")


def test_a_delivered_take_is_here_only_with_its_file(tmp_path: Path) -> None:
    gone = replace(here(2, tmp_path), file="clips/other.mp4")
    slot = only_slot(cut([here(1, tmp_path), gone], tmp_path))
    assert slot.active is not None
    assert (slot.active.label, slot.others, gone.delivery) == ("s010_t01", (), DeliveryState.DELIVERED)
