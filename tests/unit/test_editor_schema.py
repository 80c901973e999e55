"""The schema for editors knows the inputs of each model, and finds nothing wrong where `check` finds nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.commands.check import check
from runner.commands.steps.editor_schema import (
    EDITOR_SCHEMA,
    editor_schema,
    models_beside,
    old_schema_notes,
    write_editor_schema,
)
from runner.domain.errors import CannotCreate, ManifestInvalid
from runner.models.document_text import parse_document
from runner.models.registry import Models
from tests.generated_docs import OF_EXAMPLES

ROOT = Path(__file__).parents[2]
NOT_BOARDS = ("faults", ".columns.")
EXAMPLES = [
    path
    for path in sorted((ROOT / "manifests").glob("*.yaml"))
    if not any(word in path.name for word in NOT_BOARDS)
]
LINK = "https://example.com/a.jpg"
WIDE: Mapping[str, Any] = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "maxLength": 10, "default": "an example"},
        "size": {"type": "string", "enum": ["720", "1080", "4k"]},
        "strength": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        "loop": {"type": "boolean"},
        "images": {
            "type": "array",
            "maxItems": 2,
            "default": [],
            "items": {"type": "string", "format": "uri"},
        },
        "camera": {
            "type": "object",
            "properties": {"move": {"type": "string", "enum": ["pan", "tilt"]}, "by": {"type": "integer"}},
        },
        "mask": {"anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]},
        "form": {"oneOf": [{"type": "integer", "maximum": 5}, {"enum": ["auto"]}]},
        "extra": {"type": "object"},
        "seed": {"type": "integer"},
    },
}
"""A model with an input of each kind."""


def models(folder: Path, **schemas: Mapping[str, Any]) -> Models:
    """Return the bundled models, and those of a folder with these schemas, as acme/NAME."""
    for name, schema in schemas.items():
        path = folder / "schemas" / "acme" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema), "utf-8")
    return models_beside(folder / "board.yaml")


def faults(known: Models, document: object) -> list[str]:
    """Return what an editor would mark, by the innermost places."""
    validator = Draft202012Validator(json.loads(editor_schema(known)))
    return [error.json_path for error in validator.iter_errors(document)]


def board(*shots: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"version": 1, **more, "shots": [{"id": f"s{n}", **shot} for n, shot in enumerate(shots)]}


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(editor_schema(Models.bundled())))


def test_the_schema_beside_the_examples_is_new() -> None:
    made = (ROOT / OF_EXAMPLES).read_text("utf-8")
    assert made == editor_schema(Models.bundled()), "run python -m tests.generated_docs"
    assert {path.read_text("utf-8").partition("\n")[0] for path in EXAMPLES} == {
        f"# yaml-language-server: $schema={EDITOR_SCHEMA}"
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_nothing_is_wrong_in_the_examples(path: Path) -> None:
    # To an editor a list as a key is the text of that list.
    text = re.sub(r"^( +)(\[.*\]):", r'\1"\2":', path.read_text("utf-8"), flags=re.MULTILINE)
    assert faults(Models.bundled(), parse_document(text.encode(), name=path.name)) == []


PIKA = {"model": "pika/pikaframes"}
STILL = {"model": "pika/pika-2-2/image-to-video"}


@pytest.mark.parametrize(
    "document",
    [
        board({"model": "pika/nothing"}),
        board({**PIKA, "inputs": {"promtText": "x"}}),
        board({**PIKA, "inputs": {"image": LINK}}),
        board({**PIKA, "inputs": {"duration": 99}}),
        board({**PIKA, "inputs": {"resolution": "4k"}}),
        board({**PIKA, "inputs": {"seed": "many"}}),
        board({**PIKA, "sweep": {"duration": [5, 99]}}),
        board({**STILL, "inputs": {"duration": 7}}),
        board({"inputs": {"promtText": "x"}}, defaults=PIKA),
        board({"inputs": {"duration": 7}}, defaults=STILL),
        board({}, defaults={**PIKA, "inputs": {"duration": 99}}),
        board({}, defaults={**PIKA, "inputs": {"promtText": "x"}}),
        board({"sweep": {"duration": 99}}, defaults=PIKA),
        board({"sweep": {"model": ["pika/pikaframes", "pika/nothing"]}}),
        board({**PIKA}, styles={"noir": {"inputs": {"promtText": "x"}}}),
        {
            "version": 1,
            "defaults": PIKA,
            "sequences": [{"id": "w", "frames": ["a", "b"], "prompts": ["x"], "inputs": {"duration": 99}}],
        },
        {
            "version": 1,
            "sequences": [
                {
                    "id": "w",
                    **PIKA,
                    "frames": ["a", "b"],
                    "prompts": [{"prompt": "x", "inputs": {"duration": 99}}],
                }
            ],
        },
    ],
    ids=str,
)
def test_what_a_model_does_not_take_is_marked(document: object) -> None:
    assert faults(Models.bundled(), document)


@pytest.mark.parametrize(
    "document",
    [
        board({**PIKA, "inputs": {"keyFramesFirst": "@door", "keyFramesLast": {"frame": "hall"}}}),
        board({**PIKA, "inputs": {"duration": "{{ d }}", "resolution": "{{ size }}"}}),
        board({**PIKA, "inputs": {"promptText": {"file": "prompts/a.txt"}, "negativePrompt": 12}}),
        board({"inputs": {"image": LINK, "duration": 10}, **STILL}, defaults={**PIKA}),
        board({"sweep": {"model": [*PIKA.values(), *STILL.values()]}, "inputs": {"image": LINK}}),
        board({**PIKA, "sweep": {"duration": "1-3", "seed": {"random": 3}, "light": ["noon", "dusk"]}}),
        board({**PIKA, "sweep": {"[seed, duration]": [[1, 5]], "exclude": [{"seed": 1}]}}),
        board({**PIKA}, styles={"noir": {"text": "dark", "inputs": {"image": LINK, "duration": 10}}}),
        board({**PIKA}, prices={"pika/pikaframes": 0.45, "another/model": {"usd": 1, "per": "second"}}),
        board({"inputs": {"keyFramesFirst": LINK, "image": LINK}, "sweep": {"model": [*PIKA.values()]}}),
    ],
    ids=str,
)
def test_what_may_be_right_is_not_marked(document: object) -> None:
    assert faults(Models.bundled(), document) == []


@pytest.mark.parametrize(
    ("inputs", "is_right"),
    [
        ({"prompt": "longer than ten"}, True),
        ({"prompt": 5}, True),
        ({"size": 720}, True),
        ({"size": "4k"}, True),
        ({"size": 480}, False),
        ({"strength": 0.5}, True),
        ({"strength": 1}, False),
        ({"strength": "strong"}, False),
        ({"loop": True}, True),
        ({"loop": "no"}, False),
        ({"images": [LINK, "@door"]}, True),
        ({"images": [LINK, LINK, LINK]}, False),
        ({"images.0": LINK}, True),
        ({"imagess.0": LINK}, False),
        ({"camera": {"move": "pan", "by": "{{ by }}"}}, True),
        ({"camera": {"move": "zoom"}}, False),
        ({"camera": {"mvoe": "pan"}}, False),
        ({"camera.move": "pan"}, True),
        ({"mask": None}, True),
        ({"mask": LINK}, True),
        ({"form": 5}, True),
        ({"form": "auto"}, True),
        ({"form": 7}, False),
        ({"extra": {"any": [1, {"thing": True}]}}, True),
    ],
    ids=str,
)
def test_every_kind_of_input_is_marked_by_its_own_rules(
    inputs: dict[str, object], is_right: bool, tmp_path: Path
) -> None:
    known = models(tmp_path, wide=WIDE)
    assert (faults(known, board({"model": "acme/wide", "inputs": inputs})) == []) is is_right


def test_what_check_accepts_is_not_marked(tmp_path: Path) -> None:
    known, right = models(tmp_path, wide=WIDE), 0
    values: list[object] = [5, 0.5, True, "auto", "pan", LINK, [LINK], {"move": "pan"}, {"file": "p.txt"}]
    (tmp_path / "p.txt").write_text("a prompt", "utf-8")
    for name in WIDE["properties"]:
        for value in values:
            document = board({"model": "acme/wide", "inputs": {"prompt": "x", name: value}})
            path = tmp_path / "board.yaml"
            path.write_text(json.dumps(document), "utf-8")
            try:
                check(path)
            except ManifestInvalid:
                continue
            right += 1
            assert faults(known, document) == [], document
    assert right > len(WIDE["properties"])


def test_the_example_of_a_required_input_is_never_filled_in(tmp_path: Path) -> None:
    made = json.loads(editor_schema(models(tmp_path, wide=WIDE)))["$defs"]["inputs:acme:wide"]["properties"]
    assert "default" not in made["prompt"]
    assert made["prompt"]["description"] == "Required."


def test_a_model_that_cannot_be_used_is_left_open(tmp_path: Path) -> None:
    known = models(tmp_path, broken={"type": "string"})
    assert faults(known, board({"model": "acme/broken", "inputs": {"any": 1}})) == []
    assert faults(known, board({**PIKA, "inputs": {"any": 1}}))


def test_names_that_a_pattern_describes_are_not_marked(tmp_path: Path) -> None:
    known = models(tmp_path, many={**WIDE, "patternProperties": {"^image_[0-9]$": {"type": "string"}}})
    assert faults(known, board({"model": "acme/many", "inputs": {"prompt": "x", "image_1": LINK}})) == []


def test_an_old_schema_is_noted_and_a_new_one_is_not(tmp_path: Path) -> None:
    manifest, known = tmp_path / "board.yaml", models(tmp_path)
    path = tmp_path / EDITOR_SCHEMA
    assert old_schema_notes(manifest, known) == ()
    write_editor_schema(path, editor_schema(known))
    assert old_schema_notes(manifest, known) == ()
    (note,) = old_schema_notes(manifest, models(tmp_path, wide=WIDE))
    assert note.endswith(f": shotrunner schema --out {path}")
    (note,) = old_schema_notes(manifest, models(tmp_path, wide=WIDE), [Path("more")])
    assert note.endswith(f": shotrunner schema --schema-dir more --out {path}")
    assert old_schema_notes(manifest.with_suffix(".csv"), models(tmp_path, wide=WIDE)) == ()
    write_editor_schema(path, editor_schema(models(tmp_path, wide=WIDE)))
    assert old_schema_notes(manifest, models(tmp_path)) == ()
    assert old_schema_notes(manifest, models(tmp_path, wide={**WIDE, "title": "New"}))


def test_the_schema_of_an_older_program_is_old(tmp_path: Path) -> None:
    (tmp_path / EDITOR_SCHEMA).write_bytes((ROOT / "schemas" / EDITOR_SCHEMA).read_bytes())
    assert old_schema_notes(tmp_path / "board.yaml", Models.bundled())


def test_a_file_of_another_kind_is_neither_old_nor_replaced(tmp_path: Path) -> None:
    path = tmp_path / EDITOR_SCHEMA
    path.write_text('{"title": "Mine"}', "utf-8")
    assert old_schema_notes(tmp_path / "board.yaml", Models.bundled()) == ()
    with pytest.raises(CannotCreate, match="is not the schema of a manifest"):
        write_editor_schema(path, "{}")
    assert path.read_text("utf-8") == '{"title": "Mine"}'
    write_editor_schema(path, "{}", force=True)
    assert path.read_text("utf-8") == "{}"
