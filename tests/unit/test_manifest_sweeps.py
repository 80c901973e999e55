"""Sweeps as YAML writes them: ranges, drawn seeds, points left out and added, the model, repeats."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import Position
from runner.domain.shots import Fields, Node, Shot, Text
from runner.manifest.size_limits import Limits
from runner.manifest.sweep_points import SEEDS, drawn_seeds, range_values
from tests.effort import at_most
from tests.unit.whole_readings import Reading, parse_manifest

AT = Position("m.yaml", 1)


def read(body: str, *, limits: Limits | None = None) -> Reading:
    return parse_manifest(f"version: 1\n{body}".encode(), file="m.yaml", name="m", limits=limits or Limits())


def shots(body: str) -> tuple[Shot, ...]:
    reading = read(body)
    assert not reading.problems, [str(p) for p in reading.problems]
    return reading.shots


def told(body: str, *, limits: Limits | None = None) -> list[str]:
    return [str(p) for p in read(body, limits=limits).problems]


def plain(node: Node) -> object:
    assert isinstance(node, Text | Fields)
    return node.text if isinstance(node, Text) else {key: plain(value) for key, value in node.items.items()}


def points(sweep: str, rest: str = "") -> list[dict[str, object]]:
    (shot,) = shots(f"{rest}\nshots: [{{id: s, model: m, sweep: {sweep}}}]")
    return [{name: plain(node) for name, node in v.point.items()} for v in shot.variants]


def values(axis: str) -> list[object]:
    return [point["a"] for point in points(f"{{a: {axis}}}")]


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ("0-100:25", "0 25 50 75 100"),
        ("0-100:30", "0 30 60 90"),
        ("0.1-0.5:0.1", "0.1 0.2 0.3 0.4 0.5"),
        ("0-1:0.25", "0 0.25 0.5 0.75 1"),
        ("0.0-1.0:0.5", "0 0.5 1"),
        ("-1-1:0.5", "-1 -0.5 0 0.5 1"),
        ("-5--3:1", "-5 -4 -3"),
        ("7-7:2", "7"),
        ("' 1 - 3 : 1 '", "1 2 3"),
        ("007-009", "7 8 9"),
        ("0-999999999999999999:500000000000000000", "0 500000000000000000"),
        (
            "100000000000000000.5-100000000000000001.5:0.5",
            "100000000000000000.5 100000000000000001 100000000000000001.5",
        ),
        ("0.1-0.5", "0.1-0.5"),
        ("16:9", "16:9"),
        ("9-5x", "9-5x"),
        ("['0-100:10']", "0-100:10"),
    ],
)
def test_a_range_with_a_step_gives_exact_texts(axis: str, expected: str) -> None:
    assert values(axis) == expected.split(" ")


numbers = st.decimals(-1000, 1000, places=3).map(lambda d: d.normalize())


@settings(max_examples=60)
@given(numbers, st.integers(0, 50), st.decimals("0.001", 5, places=3))
def test_a_finer_step_keeps_the_texts_that_were_there(first: Decimal, count: int, step: Decimal) -> None:
    """So a sweep can be made finer, and what is rendered stays."""
    last = first + count * 2 * step
    coarse, fine = (range_values(f"{first:f}-{last:f}:{s:f}", AT, limit=1000) for s in (step * 2, step))
    assert isinstance(coarse, list)
    assert isinstance(fine, list)
    assert {t.text for t in coarse} <= {t.text for t in fine}
    assert [Decimal(t.text) for t in fine] == [first + n * step for n in range(count * 2 + 1)]


@given(st.text(max_size=12), st.integers(1, 40), st.integers(0, 10))
def test_more_drawn_seeds_keep_the_first_and_all_differ(name: str, count: int, more: int) -> None:
    few, many = ([s.text for s in drawn_seeds(name, n, at=AT)] for n in (count, count + more))
    assert many[:count] == few
    assert len(set(many)) == count + more
    assert all(0 <= int(text) < SEEDS for text in many)


def test_drawn_seeds_are_the_same_for_ever() -> None:
    """The literals pin the derivation: if they moved, every recorded take of such a sweep would be another."""
    assert [s.text for s in drawn_seeds("s010", 3, at=AT)] == ["542225653", "2078040459", "165241460"]


def test_seeds_are_drawn_from_the_shots_id_or_from_a_name() -> None:
    one, two, three = shots(
        "defaults: {model: m, sweep: {seed: {random: 2}}}\n"
        "shots: [{id: a}, {id: b}, {id: c, sweep: {seed: {random: 2, from: a}}}]"
    )
    drawn = [[plain(v.inputs["seed"]) for v in shot.variants] for shot in (one, two, three)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_excluded_points_are_left_out_and_included_ones_follow() -> None:
    assert points(
        "{seed: [7, 8], size: [s, l], exclude: [{seed: 8, size: l}], "
        "include: [{size: xl, seed: 9}, {seed: 8, size: l}]}"
    ) == [
        {"seed": "7", "size": "s"},
        {"seed": "7", "size": "l"},
        {"seed": "8", "size": "s"},
        {"seed": "9", "size": "xl"},
        {"seed": "8", "size": "l"},
    ]


def test_an_exclusion_of_one_axis_takes_out_all_its_points_in_lock_step_too() -> None:
    assert points("{'[seed, duration]': [[7, 5], [8, 10]], size: [s, l], exclude: [{seed: 7}]}") == [
        {"seed": "8", "duration": "10", "size": "s"},
        {"seed": "8", "duration": "10", "size": "l"},
    ]


def test_templates_are_filled_in_before_points_are_compared() -> None:
    assert points("{p: ['{{ v }}', b], exclude: [{p: x}], include: [{p: '{{ id }}'}]}", "vars: {v: x}") == [
        {"p": "b"},
        {"p": "s"},
    ]


def test_every_shot_draws_its_own_seeds_before_points_are_compared() -> None:
    (seed, _) = drawn_seeds("s", 2, at=AT)
    assert len(points(f"{{seed: {{random: 2}}, exclude: [{{seed: {seed.text}}}]}}")) == 1


def test_the_model_can_be_swept_and_is_no_input() -> None:
    (shot,) = shots(
        "defaults: {model: x, inputs: {p: 'on {{ model }}'}}\nshots: [{id: s, sweep: {model: [m/a, m/b], seed: [1]}}]"
    )
    assert [v.model.text for v in shot.variants if v.model] == ["m/a", "m/b"]
    assert [{k: plain(n) for k, n in v.inputs.items()} for v in shot.variants] == [
        {"p": "on m/a", "seed": "1"},
        {"p": "on m/b", "seed": "1"},
    ]


def test_a_shot_whose_model_is_swept_needs_no_other() -> None:
    (shot,) = shots("shots: [{id: s, sweep: {model: [m/a, m/b]}}]")
    assert shot.model == "m/a"


def test_a_part_of_a_nested_input_can_be_swept() -> None:
    (shot,) = shots(
        "defaults: {model: m, inputs: {camera: {zoom: 1, move: {x: 1}}, images: [a, b]}}\n"
        "shots: [{id: s, sweep: {camera.zoom: [2], camera.move.y: [3], images.1: [c], other.part: [4]}}]"
    )
    inputs = shot.variants[0].inputs
    assert plain(inputs["camera"]) == {"zoom": "2", "move": {"x": "1", "y": "3"}}
    assert [plain(item) for item in inputs["images"]] == ["a", "c"]  # type: ignore[union-attr]
    assert plain(inputs["other.part"]) == "4"


def test_repeats_stand_beside_their_take_and_the_first_keeps_its_point() -> None:
    one, two, three = shots(
        "defaults: {model: m, repeat: 2}\nshots: [{id: a, sweep: {x: [1, 2]}}, {id: b, repeat: 1}, {id: c, repeat: 3}]"
    )
    assert [{k: plain(n) for k, n in v.point.items()} for v in one.variants] == [
        {"x": "1"},
        {"x": "1", "repeat": "2"},
        {"x": "2"},
        {"x": "2", "repeat": "2"},
    ]
    assert [len(shot.variants) for shot in (two, three)] == [1, 3]
    assert all("repeat" not in v.inputs for v in one.variants)


@pytest.mark.parametrize(
    ("shot", "expected"),
    [
        ("sweep: {a: 0-1:0}", "shot s, sweep.a: the range '0-1:0' has a step of 0"),
        ("sweep: {a: 5-1:2}", "shot s, sweep.a: the range '5-1:2' ends before it begins"),
        (
            "sweep: {a: 10-12:30}",
            "shot s, sweep.a: the range '10-12:30' has a step that is larger than itself",
        ),
        ("sweep: {a: 0-1:0.000000001}", "has more than 10,000 values"),
        ("sweep: {a: {random: x}}", "shot s, sweep.a: random must be a whole number, not 'x'"),
        ("sweep: {a: {random: 0}}", "shot s, sweep.a: random must be from 1 to 10,000, not 0"),
        ("sweep: {a: {random: 999999999}}", "shot s, sweep.a: random must be from 1 to 10,000"),
        ("sweep: {a: {random: 2, form: x}}", "shot s, sweep.a: unknown field 'form'; did you mean from?"),
        ("sweep: {a: {random: 2, from: '{{ id }}'}}", "from is a plain name; templates are not filled in"),
        ("sweep: {a: {random: 2, from: [x]}}", "shot s, sweep.a, from: must be one value, not a list"),
        ("sweep: {exclude: [{a: 1}]}", "shot s, sweep.exclude: needs axes beside it"),
        ("sweep: {exclude: [a, b], x: [1]}", "an input called exclude cannot be swept"),
        ("sweep: {include: 7, x: [1]}", "an input called include cannot be swept"),
        ("sweep: {'[include, x]': [[1, 2]]}", "an input called include cannot be swept"),
        ("sweep: {repeat: [1, 2]}", "shot s, sweep.repeat: is not an axis; write repeat: 3 beside the sweep"),
        (
            "sweep: {seed: [1], exclude: [{sed: 1}]}",
            "sweep.exclude: 'sed' is not an axis of this sweep; did you mean seed?",
        ),
        ("sweep: {seed: [1], exclude: [{seed: [1]}]}", "sweep.exclude, seed: must be one value, not a list"),
        ("sweep: {seed: [1], exclude: [{seed: 2}]}", "warning: shot s, sweep.exclude: removes no point"),
        ("sweep: {seed: [1], exclude: [{seed: 1}]}", "shot s, sweep.exclude: leaves nothing to render"),
        (
            "sweep: {a: [1], b: [2], include: [{a: 3}]}",
            "sweep.include: needs a value for every axis; there is none for b",
        ),
        ("sweep: {a: [1], include: [{a: 1}]}", "shot s, sweep.include: is a point of this sweep already"),
        (
            "sweep: {a: [1], include: [{a: 2}, {a: 2}]}",
            "m.yaml:3:61: shot s, sweep.include: is a point of this",
        ),
        ("inputs: {c: {z: 1}}, sweep: {c.z: [2]}", "shot s, inputs.c.z: is given and swept at once"),
        ("repeat: x", "shot s, repeat: must be a whole number from 1 to 10,000, not 'x'"),
        ("repeat: 0", "shot s, repeat: must be a whole number from 1 to 10,000, not '0'"),
        ("repeat: [2]", "shot s, repeat: must be one value, not a list"),
    ],
)
def test_what_cannot_be_meant_is_told(shot: str, expected: str) -> None:
    problems = told(f"\nshots: [{{id: s, model: m, {shot}}}]")
    assert [p for p in problems if expected in p], problems


def test_a_bad_axis_makes_no_second_problem_of_what_refers_to_it() -> None:
    assert len(told("shots: [{id: s, model: m, sweep: {a: [], exclude: [{a: 1}], include: [{a: 2}]}}]")) == 1


def test_a_variable_called_model_and_a_swept_model_are_one_too_many() -> None:
    (problem,) = told("vars: {model: x}\nshots: [{id: s, sweep: {model: [m]}}]")
    assert "shot s, sweep.model: sweeps the model itself, and there is a variable of that name" in problem


@pytest.mark.parametrize(
    ("shot", "expected"),
    [
        ("sweep: {a: {random: 4}}, repeat: 2", "more than 7 takes"),
        ("sweep: {a: 0-30:10, b: [1, 2]}", "more than 7 takes"),
        ("sweep: {a: 0-60:10, include: [{a: 1}]}", "more than 7 takes"),
        ("sweep: {a: [1, 2, 3], b: [1, 2, 3], exclude: [{a: 1}]}", "more than 7 takes"),
        ("repeat: 8", "must be a whole number from 1 to 7"),
        ("sweep: {a: {random: 8}}", "random must be from 1 to 7"),
        ("sweep: {a: 0-80:10}", "has more than 7 values"),
    ],
)
def test_limits_hold_for_every_form(shot: str, expected: str) -> None:
    problems = told(f"shots: [{{id: s, model: m, {shot}}}]", limits=Limits(takes=7))
    assert [p for p in problems if expected in p], problems


@at_most(100)
@pytest.mark.parametrize(
    "axis", ["1-9000", "{from: 1, count: 9000}", "{random: 9000}", "{random: 9000, from: x}", "0-8.999:0.001"]
)
def test_many_long_axes_are_refused_before_they_are_built(axis: str) -> None:
    axes = ", ".join(f"a{n}: {axis}" for n in range(2_000))
    (problem,) = told(f"shots: [{{id: s, model: m, sweep: {{{axes}}}}}]", limits=Limits(takes=9_000))
    assert "shot s: more than 9,000 takes; split the manifest" in problem


@at_most(200)
def test_many_exclusions_cost_no_more_than_they_weigh() -> None:
    entries = ", ".join(f"{{a: {n}, b: {n}}}" for n in range(1_000))
    sweep = f"{{a: 0-99, b: 0-99, exclude: [{entries}]}}"
    (shot,) = read(f"shots: [{{id: s, model: m, sweep: {sweep}}}]").shots
    assert len(shot.variants) == 9_900
