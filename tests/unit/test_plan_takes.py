"""Shots become takes: typed, seeded, fingerprinted; or every reason why not, and what is worth saying."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Items, Manifest, Node, Shot, Text, Variant
from runner.manifest.sweep_points import drawn_seeds
from runner.models.registry import HOW_TO_ADD, Models
from runner.plan.build import Planned, make_plan
from runner.plan.identity import LARGEST, derived_seed

AT = Position("board.yaml", 4, 5)
FRAMES, IMAGE = "pika/pikaframes", "pika/pika-2-2/image-to-video"
MODELS = Models.bundled()
BOARD = Manifest("board", "board.yaml", "", "")


def text(value: str, at: Position = AT) -> Text:
    return Text(value, at)


def frames(**more: str) -> dict[str, Node]:
    whole = {
        "keyFramesFirst": "https://e.com/a",
        "keyFramesLast": "https://e.com/b",
        "promptText": "x",
        **more,
    }
    return {name: text(value) for name, value in whole.items()}


def image(**more: str) -> dict[str, Node]:
    return {name: text(value) for name, value in {"image": "https://e.com/a", **more}.items()}


def shot(
    shot_id: str, inputs: Mapping[str, Node], *, model: str = FRAMES, take_id: str | None = None
) -> Shot:
    return Shot(shot_id, model, AT, (Variant({}, inputs),), AT, ("hero",), "note", {"id": shot_id}, take_id)


def swept(shot_id: str, points: list[dict[str, str]], *, model: str = IMAGE) -> Shot:
    base = frames() if model == FRAMES else image()
    variants = []
    for point in points:
        nodes: dict[str, Node] = {axis: text(value) for axis, value in point.items()}
        variants.append(Variant(nodes, {**base, **nodes}))
    return Shot(shot_id, model, AT, tuple(variants), AT)


def plan(*shots: Shot, models: Models = MODELS) -> Planned:
    return make_plan(BOARD, shots, models=models)


def ids(planned: Planned) -> list[str]:
    return [take.id for take in planned.plan.takes]


def messages(planned: Planned) -> list[str]:
    return [problem.message for problem in planned.problems]


def test_a_shot_without_sweep_is_one_take_that_carries_its_shot_along() -> None:
    (take,) = plan(shot("s010", frames())).plan.takes
    assert (take.id, take.shot_id, take.model, take.at) == ("s010", "s010", FRAMES, AT)
    assert (take.tags, take.notes, take.cells, take.point) == (("hero",), "note", {"id": "s010"}, {})


def test_the_body_is_canonical_text() -> None:
    (take,) = plan(shot("s010", image(promptText="é", seed="7"), model=IMAGE)).plan.takes
    assert take.body == (
        '{"duration":5,"image":"https://e.com/a","promptText":"é","resolution":"1080p","seed":7}'
    )


def test_a_fingerprint_is_stable_for_ever() -> None:
    """Recorded runs hold it: if this value moves, finished takes would look changed."""
    (take,) = plan(shot("s010", image(seed="7"), model=IMAGE)).plan.takes
    assert take.fingerprint == "2ff0fb1ce227a56618e429c3e6f7c651c1c38fd2cebc28a59a7615d7098036e5"


def test_the_same_body_for_another_model_has_another_fingerprint(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"prompt": {"type": "string"}}}
    for name in ("a", "b"):
        (tmp_path / "acme").mkdir(exist_ok=True)
        (tmp_path / "acme" / f"{name}.json").write_text(json.dumps(schema))
    inputs: dict[str, Node] = {"prompt": text("x")}
    planned = plan(
        shot("s1", inputs, model="acme/a"),
        shot("s2", inputs, model="acme/b"),
        models=Models.bundled([tmp_path]),
    )
    first, second = planned.plan.takes
    assert first.body == second.body
    assert first.fingerprint != second.fingerprint
    assert planned.plan.warnings == ()


def test_a_take_without_a_seed_input_has_no_seed(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text('{"properties": {"prompt": {}}}')
    (take,) = plan(shot("s1", {}, model="acme/a"), models=Models.bundled([tmp_path])).plan.takes
    assert (take.seed, take.body) == (None, "{}")


def seed_of(planned: Planned) -> int | None:
    (take,) = planned.plan.takes
    assert json.loads(take.body)["seed"] == take.seed
    return take.seed


def test_a_given_seed_is_sent_zero_too() -> None:
    assert seed_of(plan(shot("s010", frames(seed="0")))) == 0


def test_else_the_models_default_seed_is_sent() -> None:
    assert seed_of(plan(shot("s010", frames()))) == 90190857


def test_else_a_seed_is_derived_from_the_shots_id() -> None:
    """The literal pins the derivation: if it moved, every recorded body of such a shot would change."""
    assert seed_of(plan(shot("s010", image(), model=IMAGE))) == derived_seed("s010") == 1574875597


@pytest.mark.parametrize("required", [True, False])
def test_a_derived_seed_keeps_to_the_models_bounds_and_replaces_a_required_example(
    tmp_path: Path, *, required: bool
) -> None:
    seed = {"type": "integer", "minimum": 10, "maximum": 12, **({"default": 11} if required else {})}
    schema = {"properties": {"seed": seed}, "required": ["seed"] if required else []}
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text(json.dumps(schema))
    models = Models.bundled([tmp_path])
    seeds = [
        take.seed
        for take in plan(*(shot(f"s{i}", {}, model="acme/a") for i in range(30)), models=models).plan.takes
    ]
    assert set(seeds) == {10, 11, 12}


SEEDS: dict[str, tuple[dict[str, object], set[int]]] = {
    "exclusive": ({"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 13}, {10, 11, 12}),
    "exclusive as in draft 4": (
        {"type": "integer", "minimum": 9, "exclusiveMinimum": True, "maximum": 13, "exclusiveMaximum": True},
        {10, 11, 12},
    ),
    "exclusive between whole numbers": (
        {"type": "integer", "exclusiveMinimum": 9.5, "exclusiveMaximum": 12.5},
        {10, 11, 12},
    ),
    "steps": ({"type": "integer", "minimum": 9, "maximum": 40, "multipleOf": 10}, {10, 20, 30, 40}),
    "steps of half a number": ({"type": "number", "minimum": 1, "maximum": 6, "multipleOf": 2.5}, {5}),
    "listed, in steps": ({"type": "integer", "enum": [10, 15, 20], "multipleOf": 10}, {10, 20}),
    "nullable": ({"type": ["integer", "null"], "minimum": 10, "maximum": 12}, {10, 11, 12}),
    "number": ({"type": "number", "minimum": 9.5, "maximum": 12.5}, {10, 11, 12}),
    "one of several forms": (
        {"anyOf": [{"type": "integer", "minimum": 10, "maximum": 12}, {"type": "null"}]},
        {10, 11, 12},
    ),
    "listed in a form": ({"anyOf": [{"type": "null"}, {"type": "integer", "enum": [10, 20]}]}, {10, 20}),
    "a bound beyond all floats": (
        {"type": "integer", "minimum": 10, "maximum": 12, "exclusiveMaximum": 10**400},
        {10, 11, 12},
    ),
    "narrowed": ({"type": "integer", "minimum": 10, "allOf": [{"maximum": 12}]}, {10, 11, 12}),
}


@pytest.mark.parametrize(("seed", "expected"), SEEDS.values(), ids=SEEDS)
def test_a_derived_seed_is_one_that_the_schema_allows(
    tmp_path: Path, seed: dict[str, object], expected: set[int]
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text(json.dumps({"properties": {"seed": seed}}))
    shots = (shot(f"s{i}", {}, model="acme/a") for i in range(60))
    planned = plan(*shots, models=Models.bundled([tmp_path]))
    assert planned.problems == ()
    assert {take.seed for take in planned.plan.takes} == expected


def drawn(shot_id: str, count: int) -> Shot:
    variants = tuple(Variant({"seed": seed}, {"seed": seed}) for seed in drawn_seeds(shot_id, count, at=AT))
    return Shot(shot_id, "acme/a", AT, variants, AT)


@pytest.mark.parametrize(("seed", "expected"), SEEDS.values(), ids=SEEDS)
def test_as_many_seeds_can_be_drawn_as_the_schema_allows(
    tmp_path: Path, seed: dict[str, object], expected: set[int]
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text(json.dumps({"properties": {"seed": seed}}))
    planned = plan(drawn("s010", len(expected)), models=Models.bundled([tmp_path]))
    assert planned.problems == ()
    assert {take.seed for take in planned.plan.takes} == expected
    assert {take.id for take in planned.plan.takes} == {f"s010@seed={number}" for number in expected}


def test_drawing_more_seeds_keeps_the_first_and_those_that_a_model_allows(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    schema = {"properties": {"seed": {"type": "integer", "exclusiveMaximum": 1000}}}
    (tmp_path / "acme" / "a.json").write_text(json.dumps(schema))
    models = Models.bundled([tmp_path])
    few, many = (
        [take.seed for take in plan(drawn("s010", count), models=models).plan.takes] for count in (3, 300)
    )
    assert few == many[:3]
    assert len(set(many)) == 300


def test_a_drawn_seed_that_the_model_allows_is_sent_as_it_was_drawn() -> None:
    seeds = drawn_seeds("s010", 3, at=AT)
    variants = tuple(Variant({"seed": seed}, {**image(), "seed": seed}) for seed in seeds)
    planned = plan(Shot("s010", IMAGE, AT, variants, AT))
    assert [take.seed for take in planned.plan.takes] == [int(seed.text) for seed in seeds]


def test_more_seeds_than_a_model_has_are_a_problem_and_no_take_twice(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    schema = {"properties": {"seed": {"type": "integer", "minimum": 10, "maximum": 12}}}
    (tmp_path / "acme" / "a.json").write_text(json.dumps(schema))
    planned = plan(drawn("s010", 4), models=Models.bundled([tmp_path]))
    assert len(planned.problems) == 1
    assert {take.seed for take in planned.plan.takes} == {10, 11, 12}


def test_a_bound_of_another_kind_changes_no_seed_that_was_made(tmp_path: Path) -> None:
    """The literal is the seed of a model without any bound, as it always was."""
    (tmp_path / "acme").mkdir()
    seed = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "multipleOf": 1}
    (tmp_path / "acme" / "a.json").write_text(json.dumps({"properties": {"seed": seed}}))
    assert seed_of(plan(shot("s010", {}, model="acme/a"), models=Models.bundled([tmp_path]))) == 1574875597


def test_derived_seeds_lie_in_range_and_differ() -> None:
    seeds = [derived_seed(f"s{i}") for i in range(1000)]
    assert all(0 <= seed <= LARGEST for seed in seeds)
    assert len(set(seeds)) == 1000


def test_a_sweep_gives_a_take_a_point_with_typed_values_in_its_id() -> None:
    planned = plan(swept("s020", [{"seed": "7", "resolution": "720p"}, {"seed": "8", "resolution": "720p"}]))
    assert ids(planned) == ["s020@resolution=720p,seed=7", "s020@resolution=720p,seed=8"]
    assert [take.point for take in planned.plan.takes] == [
        {"seed": 7, "resolution": "720p"},
        {"seed": 8, "resolution": "720p"},
    ]


def test_a_swept_variable_stands_in_the_point_as_it_was_written() -> None:
    variants = tuple(
        Variant({"mood": text(mood)}, image(promptText=f"a {mood} cat")) for mood in ("007", "calm and warm")
    )
    planned = plan(Shot("s1", IMAGE, AT, variants, AT))
    assert [take.point for take in planned.plan.takes] == [{"mood": "007"}, {"mood": "calm and warm"}]
    assert planned.problems == ()


def test_a_swept_nested_input_is_found_in_the_body(tmp_path: Path) -> None:
    camera = {"type": "object", "properties": {"zoom": {"type": "number"}}}
    sizes = {"type": "array", "items": {"type": "integer"}}
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text(json.dumps({"properties": {"camera": camera, "sizes": sizes}}))
    nodes: dict[str, Node] = {"camera.zoom": text("2.0"), "sizes": Items((text("1"), text("2")), AT)}
    planned = plan(Shot("s1", "acme/a", AT, (Variant(nodes, nodes),), AT), models=Models.bundled([tmp_path]))
    assert [take.point for take in planned.plan.takes] == [{"camera.zoom": 2, "sizes": [1, 2]}]


def test_a_row_that_names_its_take_keeps_the_id() -> None:
    planned = plan(
        shot("s010", frames(seed="1"), take_id="s010@seed=1"),
        shot("s010", frames(seed="2"), take_id="s010@seed=2"),
    )
    assert ids(planned) == ["s010@seed=1", "s010@seed=2"]
    assert planned.problems == ()


@pytest.mark.parametrize(
    ("model", "message", "nearest"),
    [
        ("pika/pikaframe", "unknown model pika/pikaframe; `shotrunner models` lists them all", FRAMES),
        ("acme/dream", f"unknown model acme/dream; `shotrunner models` lists them all; {HOW_TO_ADD}", None),
        ("../x", "unknown model ../x; `shotrunner models` lists them all", None),
        ("", "no model given", None),
    ],
    ids=["near", "another maker", "path", "none"],
)
def test_an_unknown_model_is_one_problem_a_shot(model: str, message: str, nearest: str | None) -> None:
    sweep = Shot("s1", model, AT, (Variant({}, {}), Variant({}, {})), Position("board.yaml", 1))
    planned = plan(sweep)
    assert planned.problems == (Problem(AT, "shot s1, model", message, nearest=nearest),)
    assert planned.plan.takes == ()


def test_an_unusable_schema_is_a_problem_of_each_shot_that_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "a.json").write_text("{")
    planned = plan(
        shot("s1", {}, model="acme/a"), shot("s2", image(), model=IMAGE), models=Models.bundled([tmp_path])
    )
    (problem,) = planned.problems
    assert problem.subject == "shot s1, model"
    assert "a.json: not usable JSON" in problem.message
    assert ids(planned) == ["s2"]


def test_every_problem_of_every_shot_is_told_and_the_valid_takes_are_kept() -> None:
    planned = plan(
        shot("s1", frames(duration="11", seed="x")), shot("s2", frames()), shot("s3", frames(resolution="4k"))
    )
    assert [p.subject for p in planned.problems] == [
        "shot s1, inputs.seed",
        "shot s1, inputs.duration",
        "shot s3, inputs.resolution",
    ]
    assert ids(planned) == ["s2"]


def test_what_all_points_of_a_sweep_share_is_told_once() -> None:
    variants = tuple(Variant({"seed": text(seed)}, frames(seed=seed, fps="24")) for seed in "123")
    planned = plan(Shot("s1", FRAMES, AT, variants, AT))
    assert messages(planned) == ["unknown input"]


def test_a_sweep_over_no_input_is_refused_with_the_nearest() -> None:
    planned = plan(swept("s1", [{"sed": "1"}, {"sed": "2"}]))
    assert [(p.subject, p.nearest) for p in planned.problems] == [("shot s1, inputs.sed", "seed")]


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        ([swept("s1", [{"seed": "7"}, {"seed": "7"}])], "the sweep gives the take s1@seed=7 more than once"),
        (
            [shot("s1", frames()), shot("S1", frames(seed="1"))],
            "the take ids s1 and S1 differ only in case or accents, and name the same files",
        ),
        (
            [
                shot("s1", frames(), take_id="s1@seed=7"),
                Shot(
                    "s1", FRAMES, AT, (Variant({}, frames()),), Position("board.yaml", 9), take_id="s1@seed=7"
                ),
            ],
            "the take s1@seed=7 is already given at board.yaml:4:5",
        ),
    ],
    ids=["within a sweep", "by case", "two rows"],
)
def test_two_takes_never_share_an_id(shots: list[Shot], message: str) -> None:
    planned = plan(*shots)
    assert messages(planned) == [message]
    assert len(planned.plan.takes) == 1


def test_many_takes_on_the_models_default_seed_are_said_in_one_line() -> None:
    planned = plan(shot("s1", frames()), shot("s2", frames(promptText="y")), shot("s3", frames(seed="1")))
    (warning,) = planned.plan.warnings
    assert warning.severity is Severity.WARNING
    assert warning.subject == f"model {FRAMES}"
    assert warning.message.startswith("2 takes share the model's default seed 90190857")
    assert planned.problems == ()


def test_one_take_on_it_or_the_same_seed_given_is_not_worth_saying() -> None:
    assert plan(shot("s1", frames()), shot("s2", frames(seed="90190857", promptText="y"))).plan.warnings == ()


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (2, "takes s0 and s1 send the same request; each is paid for"),
        (4, "takes s0 and s1 and 2 more send the same request; each is paid for"),
    ],
)
def test_takes_that_send_the_same_are_named(count: int, message: str) -> None:
    planned = plan(*(shot(f"s{i}", frames(seed="7")) for i in range(count)))
    assert [warning.message for warning in planned.plan.warnings] == [message]
    assert len(planned.plan.takes) == count


def test_private_media_pass_only_when_allowed() -> None:
    local = shot("s1", {"image": text("http://127.0.0.1:1/a.jpg")}, model=IMAGE)
    assert make_plan(BOARD, [local], models=MODELS).problems
    assert make_plan(BOARD, [local], models=MODELS, allow_private_media=True).problems == ()
