"""Takes of wedges: the model itself, repeats, seeds that a model lists; and what is worth saying of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.models.registry import Models
from runner.plan.build import Planned, make_plan
from runner.plan.identity import repeated_id, seed_for, take_id
from tests.unit.whole_readings import parse_manifest, read_manifest

ROOT = Path(__file__).parents[2]
FRAMES, IMAGE = "pika/pikaframes", "pika/pika-2-2/image-to-video"
PICTURES = ", ".join(
    (
        "image: https://e.com/a.jpg",
        "keyFramesFirst: https://e.com/a.jpg",
        "keyFramesLast: https://e.com/b.jpg",
        "promptText: x",
    )
)


def plan(shots: str, defaults: str = "{}", models: Models | None = None) -> Planned:
    text = f"version: 1\ndefaults: {defaults}\nshots: {shots}\n"
    reading = parse_manifest(text.encode(), file="m.yaml", name="m")
    assert not reading.problems, [str(p) for p in reading.problems]
    return make_plan(reading.manifest, reading.shots, models=models or Models.bundled())


def ids(planned: Planned) -> list[str]:
    return [take.id for take in planned.plan.takes]


def told(planned: Planned) -> list[str]:
    return [str(problem) for problem in planned.problems]


def acme(folder: Path, **schemas: dict[str, object]) -> Models:
    """Return the models with `acme/NAME` of these properties."""
    (folder / "acme").mkdir()
    for name, properties in schemas.items():
        (folder / "acme" / f"{name}.json").write_text(json.dumps({"properties": properties}))
    return Models.bundled([folder])


def test_a_swept_model_binds_each_take_to_its_own() -> None:
    planned = plan(f"[{{id: s, inputs: {{{PICTURES}}}, sweep: {{seed: [7], model: [{FRAMES}, {IMAGE}]}}}}]")
    assert planned.problems == ()
    assert ids(planned) == [
        "s@model=pikaframes-243ee6,seed=7",
        "s@model=pika-2-2-image-to-video-ed44f5,seed=7",
    ]
    assert [take.model for take in planned.plan.takes] == [FRAMES, IMAGE]
    assert [take.point["model"] for take in planned.plan.takes] == [FRAMES, IMAGE]


def test_inputs_go_to_the_models_that_have_them() -> None:
    planned = plan(f"[{{id: s, inputs: {{{PICTURES}}}, sweep: {{model: [{FRAMES}, {IMAGE}]}}}}]")
    frames, image = (json.loads(take.body) for take in planned.plan.takes)
    assert ("image" in frames, "keyFramesFirst" in frames) == (False, True)
    assert ("image" in image, "keyFramesFirst" in image) == (True, False)


def test_an_input_that_no_swept_model_has_is_a_mistake() -> None:
    planned = plan(
        f"[{{id: s, inputs: {{{PICTURES}, promtText: y}}, sweep: {{model: [{FRAMES}, {IMAGE}]}}}}]"
    )
    assert told(planned) == [
        "m.yaml:3:142: shot s, inputs.promtText: unknown input; did you mean promptText?"
    ]


def test_an_axis_must_be_an_input_of_every_swept_model() -> None:
    """Else two points would send the same, and each would be paid."""
    links = "[https://e.com/a.jpg, https://e.com/b.jpg]"
    shown = PICTURES.partition(", ")[2]
    planned = plan(f"[{{id: s, inputs: {{{shown}}}, sweep: {{image: {links}, model: [{FRAMES}, {IMAGE}]}}}}]")
    assert [problem.subject for problem in planned.problems] == ["shot s, inputs.image"]


def test_without_a_swept_model_nothing_is_left_out() -> None:
    assert len(plan(f"[{{id: s, model: {IMAGE}, inputs: {{{PICTURES}}}}}]").problems) == 2


def test_an_unknown_model_among_the_swept_ones_is_told_at_its_place() -> None:
    planned = plan(f"[{{id: s, inputs: {{{PICTURES}}}, sweep: {{model: [{IMAGE}, pika/pikaframe]}}}}]")
    (problem,) = [p for p in planned.problems if "unknown model" in p.message]
    assert (problem.subject, problem.nearest, problem.at.line) == ("shot s, model", FRAMES, 3)


def test_an_input_called_model_is_named_where_it_may_have_been_meant(tmp_path: Path) -> None:
    models = acme(tmp_path, a={"model": {"type": "string"}})
    planned = plan("[{id: s, sweep: {model: [fast]}}]", "{model: acme/a}", models)
    assert "the sweep is over models, and never over the input model of acme/a" in told(planned)[0]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("pika/pikaframes", "s@model=pikaframes-243ee6"),
        ("acme/a/b c", "s@model=a-b-c-"),
        ("plain", "s@model=plain-"),
        ("acme/" + "x" * 90, "s@model=" + "x" * 24 + "-"),
        ("acme/日本", "s@model=model-"),
    ],
)
def test_a_model_stands_in_an_id_short_and_plain(model: str, expected: str) -> None:
    made = take_id("s", {"model": model})
    assert made.startswith(expected)
    assert made.isascii()
    assert "/" not in made


def test_models_of_two_vendors_with_one_name_have_two_ids() -> None:
    assert take_id("s", {"model": "a/x"}) != take_id("s", {"model": "b/x"})
    assert take_id("s", {"model": "a/x/y"}) != take_id("s", {"model": "a/x-y"})


def test_repeats_send_the_same_body_and_no_duplicate_is_told(tmp_path: Path) -> None:
    models = acme(tmp_path, a={"prompt": {"type": "string"}})
    planned = plan("[{id: s, inputs: {prompt: x}, repeat: 3}]", "{model: acme/a}", models)
    assert ids(planned) == ["s", "s@repeat=2", "s@repeat=3"]
    assert len({take.fingerprint for take in planned.plan.takes}) == 1
    assert [take.point for take in planned.plan.takes] == [{}, {"repeat": 2}, {"repeat": 3}]
    assert planned.plan.warnings == ()


def test_another_shot_of_the_same_body_is_still_told_beside_repeats(tmp_path: Path) -> None:
    models = acme(tmp_path, a={"prompt": {"type": "string"}})
    planned = plan("[{id: s, repeat: 3}, {id: t}]", "{model: acme/a}", models)
    assert [w.message for w in planned.plan.warnings] == [
        "takes s and t send the same request; each is paid for"
    ]


def test_repeats_of_a_model_with_a_seed_are_told_once_a_model() -> None:
    shots = "[{id: s, repeat: 3}, {id: t, repeat: 2, inputs: {promptText: y}}]"
    planned = plan(shots, f"{{model: {IMAGE}, inputs: {{image: https://e.com/a.jpg}}}}")
    (warning,) = planned.plan.warnings
    assert (warning.subject, warning.at.line) == ("shot s, repeat", 3)
    assert warning.message.startswith("3 takes repeat the seed of another")
    assert "{seed: {random: 3}}" in warning.message


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            "id,model,image,promptText,sweep\ns,IMAGE,https://e.com/a.jpg,x,repeat=2\n",
            "write seed=random:2 in",
        ),
        (
            "shots: [{id: s, model: IMAGE, repeat: 2, inputs: {image: 'https://e.com/a.jpg', promptText: x}}]\n",
            "write sweep: {seed: {random: 2}}",
        ),
    ],
    ids=["csv", "yaml"],
)
def test_what_to_write_instead_of_repeats_is_told_in_the_words_of_the_file(
    tmp_path: Path, text: str, advice: str
) -> None:
    path = tmp_path / ("board.csv" if text.startswith("id,") else "board.yaml")
    path.write_text(("" if path.suffix == ".csv" else "version: 1\n") + text.replace("IMAGE", IMAGE))
    reading = read_manifest(path)
    (warning,) = make_plan(reading.manifest, reading.shots, models=Models.bundled()).plan.warnings
    assert advice in warning.message


def test_an_input_called_repeat_stays_an_input(tmp_path: Path) -> None:
    models = acme(tmp_path, a={"repeat": {"type": "integer"}})
    planned = plan("[{id: s, inputs: {repeat: 9}, repeat: 2}]", "{model: acme/a}", models)
    assert ids(planned) == ["s", "s@repeat=2"]
    assert {take.body for take in planned.plan.takes} == {'{"repeat":9}'}


@pytest.mark.parametrize(
    ("made", "first"),
    [
        ("s", None),
        ("s@seed=7", None),
        ("s@repeat=2", "s"),
        ("s@a=1,repeat=12,seed=7", "s@a=1,seed=7"),
        ("s@repeats=2", None),
    ],
)
def test_an_id_tells_what_it_repeats(made: str, first: str | None) -> None:
    assert repeated_id(made) == first


def test_a_derived_seed_is_one_that_the_model_lists(tmp_path: Path) -> None:
    models = acme(
        tmp_path,
        a={"seed": {"type": "integer", "enum": [9, 3, 500, 7], "maximum": 100}},
        b={"seed": {"type": "integer", "enum": [500, 7, 3, 9], "maximum": 100}},
    )
    one, other = (models.find(f"acme/{name}") for name in "ab")
    assert one is not None
    assert other is not None
    assert one.seed_input is not None
    assert other.seed_input is not None
    seeds = [seed_for(f"s{n}", one.seed_input) for n in range(60)]
    assert set(seeds) == {3, 7, 9}
    assert seeds == [seed_for(f"s{n}", other.seed_input) for n in range(60)], (
        "the order of a list decides nothing"
    )


def test_the_example_of_wedges_has_every_form_and_no_fault() -> None:
    reading = read_manifest(ROOT / "manifests" / "wedge.yaml")
    planned = make_plan(reading.manifest, reading.shots, models=Models.bundled())
    assert (reading.problems, planned.problems, planned.plan.warnings) == ((), (), ())
    assert ids(planned) == [
        "s010@seed=0",
        "s010@seed=50",
        "s010@seed=100",
        "s020@resolution=720p,seed=20",
        "s020@resolution=1080p,seed=20",
        "s020@resolution=720p,seed=21",
        "s020@resolution=720p,seed=29",
        "s030@seed=417839455",
        "s030@seed=2029270305",
        "s040@duration=5,seed=41",
        "s040@duration=10,seed=42",
        "s050@light=hard-076c54",
        "s050@light=blue-f48308",
        "s060@model=pika-2-2-image-to-video-ed44f5",
        "s060@model=pikaframes-243ee6",
    ]
