"""Editing a manifest never moves a take that the edit is not about: random boards, random edits, both forms.

A take that is on record is found again by its id, and is done if its fingerprint is the same. So an id, a seed or a
body that moved with somebody else's edit would be paid twice.
"""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.models.registry import Models
from runner.plan.build import make_plan
from tests.unit.whole_readings import parse_manifest

FRAMES, IMAGE, PLAIN = "pika/pikaframes", "pika/pika-2-2/image-to-video", "acme/plain"
PLAIN_SCHEMA = {
    "properties": {
        "promptText": {"type": "string"},
        "look": {"type": "string"},
        "camera": {"type": "object", "properties": {"zoom": {"type": "number"}, "tilt": {"type": "integer"}}},
    }
}
AXES = {
    PLAIN: {
        "look": ["soft", "hard light", "blue, dusk", "9-5", "no"],
        "camera.zoom": ["0.5", "1", "2", "10"],
        "camera.tilt": ["-5", "0", "5"],
    },
    IMAGE: {
        "seed": ["0", "7", "8", "1000"],
        "resolution": ["720p", "1080p"],
        "model": [IMAGE, FRAMES],
        "duration": ["5", "10"],
    },
}
"""What can be swept on a model, and the values."""

COLUMNS = ("id", "model", "promptText", "image", "keyFramesFirst", "keyFramesLast", "sweep")

Spec: TypeAlias = dict[str, Any]
Board: TypeAlias = dict[str, Spec]
Takes: TypeAlias = dict[str, tuple[object, ...]]
Edit: TypeAlias = Callable[[Board], tuple[Board, set[str]]]
"""An edit returns the new board, and the shots whose takes it takes away."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    (folder / "acme").mkdir()
    (folder / "acme" / "plain.json").write_text(json.dumps(PLAIN_SCHEMA))
    return Models.bundled([folder])


def inputs_of(spec: Spec) -> dict[str, str]:
    if spec["model"] == PLAIN:
        return {"promptText": spec["prompt"]}
    models = spec["axes"].get("model", [spec["model"]])
    pictures = {
        IMAGE: {"image": "https://e.com/a"},
        FRAMES: {"keyFramesFirst": "https://e.com/a", "keyFramesLast": "https://e.com/b"},
    }
    return {
        "promptText": spec["prompt"],
        **{name: link for model in models for name, link in pictures[model].items()},
    }


def yaml_of(board: Board) -> str:
    """Return the board as YAML, which JSON is; numbers bare, as a person writes them."""
    shots = []
    for shot_id, spec in board.items():
        sweep: dict[str, Any] = {
            axis: [
                json.loads(value) if value.lstrip("-").replace(".", "").isdigit() else value
                for value in values
            ]
            for axis, values in spec["axes"].items()
        }
        if spec["random"]:
            sweep["seed"] = {"random": spec["random"]}
        shot = {"id": shot_id, "inputs": inputs_of(spec), "sweep": sweep, "repeat": spec["repeat"]}
        shots.append(shot if "model" in sweep else {**shot, "model": spec["model"]})
    return json.dumps({"version": 1, "shots": shots})


def csv_of(board: Board) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS)
    table.writeheader()
    for shot_id, spec in board.items():
        axes = [f"{axis}=" + "|".join(map(_typed, values)) for axis, values in spec["axes"].items()]
        axes += [f"seed=random:{spec['random']}"] * bool(spec["random"]) + [f"repeat={spec['repeat']}"]
        model = "" if "model" in spec["axes"] else spec["model"]
        table.writerow({"id": shot_id, "model": model, **inputs_of(spec), "sweep": " ".join(axes)})
    return out.getvalue()


def _typed(value: str) -> str:
    return f'"{value}"' if " " in value or value == "9-5" else value


def takes_of(board: Board, models: Models, form: str) -> Takes:
    """Return what must not move, by take id."""
    text = yaml_of(board) if form == "yaml" else csv_of(board)
    reading = parse_manifest(text.encode(), file=f"board.{form}", name="board")
    planned = make_plan(reading.manifest, reading.shots, models=models)
    assert not [str(p) for p in (*reading.problems, *planned.problems)], text
    takes: Takes = {t.id: (t.shot_id, t.model, t.seed, t.body, t.fingerprint) for t in planned.plan.takes}
    assert len(takes) == len(planned.plan.takes)
    return takes


_RESERVED = ("con", "prn", "aux", "nul", "com", "lpt")
shot_ids = st.from_regex(r"[a-z][a-z0-9._-]{0,4}[a-z0-9]", fullmatch=True).filter(
    lambda i: i[:3] not in _RESERVED
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    model = draw(st.sampled_from([PLAIN, IMAGE]))
    names = draw(st.lists(st.sampled_from(sorted(AXES[model])), unique=True, max_size=2))
    axes = {
        axis: draw(st.lists(st.sampled_from(AXES[model][axis]), unique=True, min_size=1, max_size=3))
        for axis in names
    }
    return {
        "model": model,
        "prompt": draw(st.text("abc é", min_size=1, max_size=8).map(lambda text: f"p{text}p")),
        "axes": axes,
        "random": 0 if model == PLAIN or "seed" in axes else draw(st.integers(0, 3)),
        "repeat": draw(st.integers(1, 2)),
    }


boards = st.dictionaries(shot_ids, specs(), min_size=1, max_size=4)


def _insert(shot_id: str, spec: Spec, place: int) -> Edit:
    def edit(board: Board) -> tuple[Board, set[str]]:
        rows = [(name, kept) for name, kept in board.items() if name != shot_id]
        rows.insert(place % (len(rows) + 1), (shot_id, spec))
        return dict(rows), {shot_id}

    return edit


def _delete(place: int) -> Edit:
    def edit(board: Board) -> tuple[Board, set[str]]:
        gone = list(board)[place % len(board)]
        rest = {name: spec for name, spec in board.items() if name != gone}
        return (rest, {gone}) if rest else (board, set())

    return edit


def _reorder(chance: int) -> Edit:
    return lambda board: (
        dict(sorted(board.items(), key=lambda row: sha256(f"{chance}{row[0]}".encode()).digest())),
        set(),
    )


def _rename(place: int, new: str) -> Edit:
    def edit(board: Board) -> tuple[Board, set[str]]:
        old = list(board)[place % len(board)]
        kept = {name: spec for name, spec in board.items() if name == old or name != new}
        return {new if name == old else name: spec for name, spec in kept.items()}, {old, new}

    return edit


def _grow(place: int, what: str, pick: int) -> Edit:
    """Add to a shot: values of its axes (at either end), drawn seeds, repeats, or a change of the order of its axes."""

    def edit(board: Board) -> tuple[Board, set[str]]:
        grown = copy.deepcopy(board)
        spec = grown[list(grown)[place % len(grown)]]
        if what == "repeat":
            spec["repeat"] += 1
        elif what == "random" and spec["random"]:
            spec["random"] += pick % 3
        elif what == "axes":
            spec["axes"] = dict(reversed(spec["axes"].items()))
        elif what == "value" and spec["axes"]:
            axis = sorted(spec["axes"])[pick % len(spec["axes"])]
            values = spec["axes"][axis]
            more = [value for value in AXES[spec["model"]][axis] if value not in values]
            spec["axes"][axis] = [*more[:1], *values] if pick % 2 else [*values, *more[:1]]
        return grown, set()

    return edit


places = st.integers(0, 9)
edits = st.one_of(
    st.builds(_insert, shot_ids, specs(), places),
    st.builds(_delete, places),
    st.builds(_reorder, places),
    st.builds(_rename, places, shot_ids),
    st.builds(_grow, places, st.sampled_from(["repeat", "random", "axes", "value"]), places),
)


@pytest.mark.parametrize("form", ["yaml", "csv"])
@settings(max_examples=100)
@given(board=boards, several=st.lists(edits, min_size=1, max_size=5))
def test_no_edit_moves_a_take_it_is_not_about(
    form: str, models: Models, board: Board, several: list[Edit]
) -> None:
    old, lost = takes_of(board, models, form), set[str]()
    edited = board
    for edit in several:
        edited, gone = edit(edited)
        lost |= gone
    new = takes_of(edited, models, form)
    kept = {take_id: take for take_id, take in old.items() if take[0] not in lost}
    assert {take_id: new.get(take_id) for take_id in kept} == kept


@settings(max_examples=40)
@given(board=boards)
def test_both_forms_of_a_board_are_the_same_takes(models: Models, board: Board) -> None:
    assert takes_of(board, models, "yaml") == takes_of(board, models, "csv")


@settings(max_examples=40)
@given(
    first=st.lists(st.integers(0, 20), unique=True, min_size=1, max_size=4),
    second=st.lists(st.sampled_from(["soft", "hard light", "dusk"]), unique=True, min_size=1, max_size=3),
    chosen=st.sets(st.integers(0, 11)),
)
def test_points_left_out_and_put_in_again_are_the_takes_they_were(
    models: Models, first: list[int], second: list[str], chosen: set[int]
) -> None:
    """A sweep with exclusions is a part of the whole, and including what was left out makes it whole."""
    every = [{"camera.zoom": zoom, "look": look} for zoom in first for look in second]
    some = [point for n, point in enumerate(every) if n in chosen]
    axes: dict[str, object] = {"camera.zoom": first, "look": second}
    whole, part, again = (
        _swept(models, sweep)
        for sweep in (
            axes,
            {**axes, **_entries(exclude=some)},
            {**axes, **_entries(exclude=some, include=some)},
        )
    )
    assert again == whole
    if len(some) < len(every):
        assert part == {take_id: take for take_id, take in whole.items() if take_id in part}
        assert len(part) == len(every) - len(some)


def _entries(**entries: list[dict[str, object]]) -> dict[str, object]:
    return {name: points for name, points in entries.items() if points}


def _swept(models: Models, sweep: dict[str, object]) -> Takes:
    text = json.dumps({"version": 1, "shots": [{"id": "s", "model": PLAIN, "sweep": sweep}]})
    reading = parse_manifest(text.encode(), file="b.yaml", name="b")
    planned = make_plan(reading.manifest, reading.shots, models=models)
    return {take.id: (take.seed, take.body, take.fingerprint) for take in planned.plan.takes}


def test_the_name_of_the_file_and_of_the_board_decide_nothing(models: Models, tmp_path: Path) -> None:
    text = yaml_of({"s": {"model": IMAGE, "prompt": "x", "axes": {}, "random": 2, "repeat": 1}})
    files = (("a.yaml", "a"), (str(tmp_path / "b.yml"), "b"))
    readings = (parse_manifest(text.encode(), file=file, name=name) for file, name in files)
    one, other = (make_plan(each.manifest, each.shots, models=models).plan.takes for each in readings)
    assert [(t.id, t.body, t.fingerprint) for t in one] == [(t.id, t.body, t.fingerprint) for t in other]
