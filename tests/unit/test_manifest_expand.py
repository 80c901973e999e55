"""Defaults, templates and sweeps: what a shot is made of, and where its parts may not contradict each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.shots import Items, Node, Shot, Text, Variant
from runner.manifest.size_limits import Limits
from tests.effort import at_most
from tests.unit.whole_readings import Reading, parse_manifest


def read(text: str, *, limits: Limits | None = None) -> Reading:
    return parse_manifest(text.encode(), file="m.yaml", name="m", limits=limits or Limits())


def shots(body: str) -> tuple[Shot, ...]:
    reading = read("version: 1\n" + body)
    assert not reading.problems, [str(p) for p in reading.problems]
    return reading.shots


def sweep(text: str, rest: str = "") -> tuple[Variant, ...]:
    return shots(f"{rest}\nshots:\n  - id: s\n    model: m\n    sweep: {text}\n")[0].variants


def told(body: str, *, limits: Limits | None = None) -> list[str]:
    return [str(p) for p in read("version: 1\n" + body, limits=limits).problems]


def plain(node: Node) -> object:
    if isinstance(node, Text):
        return node.text
    if isinstance(node, Items):
        return [plain(item) for item in node]
    return {key: plain(value) for key, value in node.items.items()}


def points(variants: tuple[Variant, ...]) -> list[dict[str, object]]:
    return [{name: plain(node) for name, node in v.point.items()} for v in variants]


def inputs(variant: Variant) -> dict[str, object]:
    return {name: plain(node) for name, node in variant.inputs.items()}


def test_defaults_lie_beneath_what_a_shot_says() -> None:
    first, second = shots(
        "defaults: {model: m, inputs: {duration: 5, camera: {x: 1, y: 2}}, tags: [all]}\n"
        "shots:\n"
        "  - id: a\n"
        "  - {id: b, model: n, inputs: {duration: 8, camera: {x: 3}}, tags: [hero, all], notes: n}\n"
    )
    assert (first.model, first.tags, first.notes) == ("m", ("all",), "")
    assert inputs(first.variants[0]) == {"duration": "5", "camera": {"x": "1", "y": "2"}}
    assert (second.model, second.tags, second.notes) == ("n", ("all", "hero"), "n")
    assert inputs(second.variants[0]) == {"duration": "8", "camera": {"x": "3"}}


def test_places_of_inputs_are_where_they_were_written() -> None:
    (shot,) = shots(
        "defaults:\n  model: m\n  inputs: {duration: 5}\nshots:\n  - {id: a, inputs: {seed: 1}, sweep: {size: [1]}}\n"
    )
    places = {name: str(at) for name, at in shot.variants[0].keys_at.items()}
    assert places == {"duration": "m.yaml:4:12", "seed": "m.yaml:6:22", "size": "m.yaml:6:40"}
    assert str(shot.model_at) == "m.yaml:3:10"


def test_a_shots_own_sweep_replaces_the_default_one_and_empty_switches_it_off() -> None:
    three = shots(
        "defaults: {model: m, sweep: {seed: [1, 2]}}\nshots: [{id: a}, {id: b, sweep: {size: [9]}}, {id: c, sweep: {}}]"
    )
    assert [points(s.variants) for s in three] == [[{"seed": "1"}, {"seed": "2"}], [{"size": "9"}], [{}]]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("{seed: [7, 8]}", ["7", "8"]),
        ("{seed: 7}", ["7"]),
        ("{seed: 1000-1002}", ["1000", "1001", "1002"]),
        ('{seed: "1000-1002"}', ["1000", "1001", "1002"]),
        ("{seed: {from: 5, count: 3}}", ["5", "6", "7"]),
        ("{seed: {from: 10, count: 3, step: -5}}", ["10", "5", "0"]),
        ("{seed: [1-2, 3-4]}", ["1-2", "3-4"]),
    ],
)
def test_an_axis_can_be_written_in_several_ways(text: str, seeds: list[str]) -> None:
    assert [inputs(v)["seed"] for v in sweep(text)] == seeds


def test_axes_multiply_with_the_last_moving_fastest() -> None:
    assert points(sweep("{seed: [7, 8], resolution: [720p, 1080p]}")) == [
        {"seed": "7", "resolution": "720p"},
        {"seed": "7", "resolution": "1080p"},
        {"seed": "8", "resolution": "720p"},
        {"seed": "8", "resolution": "1080p"},
    ]


@pytest.mark.parametrize("key", ["[seed, duration]", "'[seed, duration]'"], ids=["list", "text"])
def test_a_list_of_names_moves_in_lock_step(key: str) -> None:
    variants = sweep(f"{{{key}: [[7, 5], [8, 10]], size: [s, l]}}")
    assert [tuple(inputs(v).values()) for v in variants] == [
        ("7", "5", "s"),
        ("7", "5", "l"),
        ("8", "10", "s"),
        ("8", "10", "l"),
    ]


def test_a_swept_variable_changes_the_text_and_is_no_input() -> None:
    (shot,) = shots(
        "vars: {mood: calm}\nshots: [{id: s, model: m, inputs: {p: 'a {{ mood }} cat'}, sweep: {mood: [wild, shy]}}]"
    )
    assert points(shot.variants) == [{"mood": "wild"}, {"mood": "shy"}]
    assert [inputs(v) for v in shot.variants] == [{"p": "a wild cat"}, {"p": "a shy cat"}]


def test_templates_know_the_id_variables_and_axes_at_any_depth() -> None:
    (shot,) = shots(
        "vars: {style: soft}\nshots:\n  - id: s010\n    model: m\n    sweep: {seed: [7]}\n"
        "    inputs: {p: '{{id}} {{ style }} {{  seed  }}', deep: [{q: '{{ style }}!'}, x]}\n"
    )
    assert inputs(shot.variants[0]) == {"p": "s010 soft 7", "deep": [{"q": "soft!"}, "x"], "seed": "7"}


def test_a_swept_value_may_use_variables() -> None:
    assert points(sweep("{p: ['a {{ style }} cat', '{{ id }}']}", "vars: {style: soft}")) == [
        {"p": "a soft cat"},
        {"p": "s"},
    ]


def test_a_reference_alone_takes_the_value_as_it_was_written() -> None:
    (shot,) = shots(
        "vars: {n: 5, t: '5'}\nshots: [{id: s, model: m, inputs: {a: '{{ n }}', b: '{{ t }}', c: '{{ n }}s'}}]"
    )
    found = shot.variants[0].inputs
    assert [(t.text, t.quoted) for t in found.values() if isinstance(t, Text)] == [
        ("5", False),
        ("5", True),
        ("5s", True),
    ]


@pytest.mark.parametrize(
    ("written", "text"),
    [("{{{{ x }}", "{{ x }}"), ("a {{{{", "a {{"), ("}} {a} { {b", "}} {a} { {b"), ("{{{{{{ v }}", "{{V")],
)
def test_four_braces_write_two(written: str, text: str) -> None:
    (shot,) = shots(f"vars: {{v: V}}\nshots: [{{id: s, model: m, inputs: {{p: '{written}'}}}}]")
    assert inputs(shot.variants[0]) == {"p": text}


def test_what_is_put_in_is_not_looked_through_again() -> None:
    (shot,) = shots("vars: {a: '{', b: '{ c }}'}\nshots: [{id: s, model: m, inputs: {p: '{{ a }}{{ b }}'}}]")
    assert inputs(shot.variants[0]) == {"p": "{{ c }}"}


@pytest.mark.parametrize(
    ("shot", "expected"),
    [
        (
            "inputs: {p: '{{ stile }}'}",
            "3:39: shot s, inputs.p: {{ stile }} is not defined for this shot; did you mean style?",
        ),
        (
            "inputs: {p: '{{ zz }}'}",
            "shot s, inputs.p: {{ zz }} is not defined for this shot (allowed: id, style)",
        ),
        ("inputs: {p: [{q: '{{ zz }}'}]}", "shot s, inputs.p[0].q: {{ zz }} is not defined"),
        (
            "inputs: {p: 'a {{ b c }}'}",
            "shot s, inputs.p: '{{ b c }}' is not a template; write {{{{",
        ),
        ("inputs: {p: '{{ style.__class__() }}'}", "is not a template"),
        (
            "sweep: {style: [a], p: ['{{ style }}']}",
            "shot s, sweep.p: {{ style }} is not defined for this shot (allowed: id)",
        ),
        ("sweep: {seed: []}", "shot s, sweep.seed: has no values"),
        ("sweep: {seed: }", "shot s, sweep.seed: has no values"),
        ("sweep: {seed: [1, ~]}", "shot s, sweep.seed: a swept value is missing"),
        (
            "sweep: {seed: [[1]]}",
            "shot s, sweep.seed: a swept value must be one value, not a list or mapping",
        ),
        (
            "sweep: {seed: [7, 8, 7]}",
            "shot s, sweep.seed: '7' is given twice: the same take would be paid for twice",
        ),
        ("sweep: {seed: 9-7}", "shot s, sweep.seed: the range '9-7' ends before it begins"),
        (
            "sweep: {seed: 1-99999999}",
            "shot s, sweep.seed: the range '1-99999999' has more than 10,000 values",
        ),
        ("sweep: {seed: {from: 1}}", "shot s, sweep.seed: needs count, as in {from: 1000, count: 4}"),
        ("sweep: {seed: {count: 1}}", "shot s, sweep.seed: needs from, as in"),
        ("sweep: {seed: {from: 1, count: 0}}", "shot s, sweep.seed: count must be from 1 to 10,000, not 0"),
        ("sweep: {seed: {from: 1, count: 999999999}}", "shot s, sweep.seed: count must be from 1 to 10,000"),
        ("sweep: {seed: {from: a, count: 1}}", "shot s, sweep.seed: from must be a whole number, not 'a'"),
        (
            "sweep: {seed: {from: 1, count: 2, step: 0}}",
            "shot s, sweep.seed: step must be a whole number other than 0",
        ),
        (
            "sweep: {seed: {from: 1, count: 2, stpe: 3}}",
            "shot s, sweep.seed: unknown field 'stpe'; did you mean step?",
        ),
        (
            "sweep: {'[a, b]': [[1, 2], [3]]}",
            "shot s, sweep.[a, b]: must be a list of lists of 2 values, one for each of a, b",
        ),
        ("sweep: {'[a, b]': 1-2}", "shot s, sweep.[a, b]: must be a list of lists of 2 values"),
        ("sweep: {'[a, b]': [[1, 2], [1, 2]]}", "shot s, sweep.[a, b]: '1', '2' is given twice"),
        ("sweep: {'[a, b]': [[1, 2]], a: [1]}", "shot s, sweep.a: a is swept twice"),
        ("sweep: {'[a, a]': [[1, 2]]}", "shot s, sweep.[a, a]: a is swept twice"),
        ("sweep: {'[a, ]': [[1, 2]]}", "has an axis without a name"),
        ("sweep: {model: [m, n]}", "shot s, model: is given and swept at once; keep one"),
        ("sweep: {id: [m, n]}", "shot s, sweep.id: an id cannot be swept"),
        (
            "inputs: {seed: 1}, sweep: {seed: [2]}",
            "shot s, inputs.seed: is given and swept at once; keep one",
        ),
        ("tags: {a: b}", "shot s, tags: must be a list of words"),
        ("tags: [two words]", "shot s, tags: 'two words' is not a tag"),
        ("tags: [[a]]", "shot s, tags: a tag must be one word"),
        ("notes: [a]", "shot s, notes: must be one value, not a list"),
    ],
)
def test_what_contradicts_itself_is_told(shot: str, expected: str) -> None:
    problems = told(f"vars: {{style: soft}}\nshots: [{{id: s, model: m, {shot}}}]")
    assert [p for p in problems if expected in p], problems


def test_a_mistake_in_the_defaults_is_told_once() -> None:
    assert len(told("defaults: {model: m, inputs: {p: '{{ zz }}'}}\nshots: [{id: a}, {id: b}, {id: c}]")) == 1


def test_duplicate_ids_are_told_with_the_first_line() -> None:
    (problem,) = told("defaults: {model: m}\nshots:\n  - id: Shot1\n  - id: shot1\n")
    assert problem.startswith("m.yaml:5:9: shot shot1, id: 'shot1' is used twice (first at line 4, as Shot1")


TWICE = "vars: {v: abc}\nshots: [{id: s, model: m, inputs: {a: '{{v}}{{v}}'}}]"
ACCENTS = "vars: {v: éé}\nshots: [{id: s, model: m, inputs: {a: '{{v}}é'}}]"


@pytest.mark.parametrize(
    ("limits", "body", "expected"),
    [
        (
            Limits(takes=5),
            "shots: [{id: s, model: m, sweep: {a: [1, 2], b: [1, 2, 3]}}]",
            "more than 5 takes",
        ),
        (Limits(takes=1), "shots: [{id: s, model: m}, {id: t, model: m}]", "more than 1 takes"),
        (
            Limits(expanded_values=3),
            "shots: [{id: s, model: m, inputs: {a: [1, 2, 3]}}]",
            "more than 3 input values",
        ),
        (Limits(expanded_characters=5), TWICE, "write more than 5"),
        (Limits(text_bytes=5), TWICE, "larger than 5 bytes after"),
        (Limits(text_bytes=5), ACCENTS, "larger than 5 bytes after"),
        (
            Limits(text_bytes=5),
            "shots: [{id: s, model: m, inputs: {a: abcdef}}]",
            "this text is larger than 5 bytes",
        ),
        (
            Limits(variables=1),
            "vars: {a: 1, b: 2}\nshots: [{id: s, model: m}]",
            "vars: more than 1 variables",
        ),
        (Limits(tags=1), "shots: [{id: s, model: m, tags: [a, b]}]", "more than 1 tags"),
    ],
)
def test_limits_stop_an_expansion_before_it_is_built(limits: Limits, body: str, expected: str) -> None:
    problems = told(body, limits=limits)
    assert [p for p in problems if expected in p], problems


@at_most(100)
def test_a_few_lines_cannot_ask_for_a_world_of_takes() -> None:
    axes = ", ".join(f"a{n}: 1-10000" for n in range(3))
    (problem,) = told(f"shots: [{{id: s, model: m, sweep: {{{axes}}}}}]")
    assert "shot s: more than 100,000 takes; split the manifest" in problem


def test_a_wide_default_is_not_copied_into_every_take() -> None:
    wide = "{" + ", ".join(f"k{n}: x" for n in range(100)) + "}"
    body = f"defaults: {{model: m, inputs: {{deep: {wide}}}}}\nshots: [{{id: s, sweep: {{seed: 1-90}}}}]"
    assert "input values" in told(body, limits=replace(Limits(), expanded_values=5_000))[0]


NAMES = st.text("abcxyz", min_size=1, max_size=6)


@settings(max_examples=60)
@given(
    st.dictionaries(
        NAMES, st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True), min_size=1, max_size=3
    )
)
def test_a_sweep_has_every_point_of_the_product_once(axes: dict[str, list[int]]) -> None:
    variants = sweep("{" + ", ".join(f'"{name}": {values}' for name, values in axes.items()) + "}")
    size = 1
    for values in axes.values():
        size *= len(values)
    seen = {tuple(sorted(point.items(), key=str)) for point in points(variants)}
    assert len(variants) == len(seen) == size
    assert all(v.inputs == v.point for v in variants)
