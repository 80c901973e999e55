"""Editing a board never moves another shot's takes: for random boards and random edits."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import Position
from runner.domain.shots import Manifest, Node, Shot, Text, Variant
from runner.models.registry import Models
from runner.plan.build import make_plan

MODELS = Models.bundled()
FRAMES, IMAGE = "pika/pikaframes", "pika/pika-2-2/image-to-video"
LINKS = {
    FRAMES: {"keyFramesFirst": "https://e.com/a", "keyFramesLast": "https://e.com/b"},
    IMAGE: {"image": "https://e.com/a"},
}

shot_ids = st.from_regex(r"[a-z][a-z0-9._-]{0,6}", fullmatch=True)
contents = st.fixed_dictionaries(
    {
        "model": st.sampled_from([FRAMES, IMAGE]),
        "prompt": st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20),
        "seeds": st.lists(st.integers(0, 99), unique=True, max_size=3),
        "resolution": st.sampled_from([None, "720p", "1080p"]),
    }
)
boards = st.dictionaries(shot_ids, contents, min_size=1, max_size=6)


def shot(shot_id: str, content: dict[str, object], line: int) -> Shot:
    at = Position("board.yaml", line)
    model = str(content["model"])
    written = {**LINKS[model], "promptText": str(content["prompt"])}
    if content["resolution"]:
        written["resolution"] = str(content["resolution"])
    base: dict[str, Node] = {name: Text(value, at, quoted=True) for name, value in written.items()}
    seeds = content["seeds"]
    assert isinstance(seeds, list)
    points: list[dict[str, Node]] = [{"seed": Text(str(seed), at)} for seed in seeds] or [{}]
    return Shot(shot_id, model, at, tuple(Variant(point, {**base, **point}) for point in points), at)


def takes_of(board: dict[str, dict[str, object]], file: str = "board.yaml") -> dict[str, tuple[object, ...]]:
    """Return what must not move, by take id."""
    shots = tuple(shot(shot_id, content, line) for line, (shot_id, content) in enumerate(board.items(), 1))
    planned = make_plan(Manifest(file, file, "", ""), shots, models=MODELS)
    assert planned.problems == ()
    return {take.id: (take.shot_id, take.seed, take.body, take.fingerprint) for take in planned.plan.takes}


@settings(max_examples=40)
@given(boards, st.integers(0, 2**32))
def test_the_order_of_shots_and_the_files_name_decide_nothing(
    board: dict[str, dict[str, object]], chance: int
) -> None:
    mixed = list(board.items())
    random.Random(chance).shuffle(mixed)
    assert takes_of(dict(mixed), "other.yaml") == takes_of(board)


@settings(max_examples=40)
@given(boards, shot_ids, contents)
def test_inserting_or_removing_a_shot_touches_its_own_takes_only(
    board: dict[str, dict[str, object]], new_id: str, content: dict[str, object]
) -> None:
    without = {shot_id: kept for shot_id, kept in board.items() if shot_id != new_id}
    grown = takes_of({new_id: content, **without})
    assert {take_id: kept for take_id, kept in grown.items() if kept[0] != new_id} == takes_of(without)


@settings(max_examples=40)
@given(contents, st.lists(st.integers(100, 999), unique=True, min_size=1, max_size=3))
def test_adding_points_to_a_sweep_moves_none_of_the_old_ones(
    content: dict[str, object], more: list[int]
) -> None:
    seeds = content["seeds"]
    assert isinstance(seeds, list)
    swept = {**content, "seeds": [*seeds, 5000]}
    old = takes_of({"s010": swept})
    new = takes_of({"s010": {**swept, "seeds": [*more, *seeds, 5000]}})
    assert {take_id: new[take_id] for take_id in old} == old
    assert len(new) == len(old) + len(more)


@settings(max_examples=20)
@given(boards)
def test_planning_twice_gives_the_same_bytes(board: dict[str, dict[str, object]]) -> None:
    assert takes_of(board) == takes_of(board)
