"""Two schemas of one model: what is told, what is not, and the file that a schema becomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.domain.errors import CannotCreate, SchemaInvalid, UsageError
from runner.models.add_schema import add_file, compiled, place_of, wrapped
from runner.models.model import Model
from runner.models.registry import Models
from runner.models.schema_diff import changes
from runner.system.canonical_json import JsonValue

BASE: dict[str, JsonValue] = {
    "prompt": {"type": "string", "maxLength": 2000, "default": "an example", "description": "old"},
    "size": {"type": "string", "enum": ["720p", "1080p"], "default": "720p"},
    "length": {"type": "integer", "minimum": 1, "maximum": 10},
}


def model(required: tuple[str, ...] = ("prompt",), **changed: JsonValue) -> Model:
    properties: dict[str, JsonValue] = {
        name: value for name, value in {**BASE, **changed}.items() if value is not None
    }
    needed: list[JsonValue] = list(required)
    schema: dict[str, JsonValue] = {"type": "object", "required": needed, "properties": properties}
    return compiled("acme/dream", wrapped("acme/dream", schema, {}), file="dream.json")


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (model(), []),
        (model(prompt={"type": "string", "maxLength": 2000, "default": "another", "description": "new"}), []),
        (model(size={"type": "string", "enum": ["1080p", "720p"], "default": "720p"}), []),
        (model(length=None), ["length: input removed"]),
        (model(mood={"type": "string"}), ["mood: optional input added: now string"]),
        (
            model(("prompt", "mood"), mood={"type": "string"}),
            ["mood: required input added: now string"],
        ),
        (model(("prompt", "length")), ["length: now required"]),
        (model(()), ["prompt: no longer required"]),
        (
            model(size={"type": "string", "enum": ["720p", "4k"], "default": "4k"}),
            ["size: allowed values: 720p, 1080p → 720p, 4k", "size: default: 720p → 4k"],
        ),
        (model(length={"type": "integer", "minimum": 1, "maximum": 8}), ["length: largest value: 10 → 8"]),
        (model(length={"type": "integer", "maximum": 10}), ["length: least value: removed (was 1)"]),
        (model(length={"type": "number", "minimum": 1, "maximum": 10}), ["length: type: integer → number"]),
    ],
    ids=["same", "words", "order", "removed", "added", "added-required", "required", "optional", "choices", "bound",
         "no bound", "type"],
)  # fmt: skip
def test_changes_are_told_in_words(new: Model, told: list[str]) -> None:
    assert [
        str(change) for change in changes(model(), new) if change.what != "default" or "size" in told[-1]
    ] == told


def test_a_default_that_comes_into_force_is_told() -> None:
    """A required input's default is an example; once the input is optional, it is sent."""
    free = model((), prompt={"type": "string", "maxLength": 2000, "default": "another"})
    assert "prompt: default: an example → another" in [str(change) for change in changes(model(), free)]


def test_an_added_file_is_found_as_a_model(tmp_path: Path) -> None:
    path = place_of("acme/dream/fast", tmp_path)
    add_file(wrapped("acme/dream/fast", model().input_schema, {"url": "u"}), path)
    found = Models.bundled([tmp_path]).find("acme/dream/fast")
    assert found is not None
    assert found.source == {"url": "u"}
    assert [each.name for each in path.parent.iterdir()] == ["fast.json"]


def test_a_model_stays_where_it_is_found_first(tmp_path: Path) -> None:
    assert place_of("acme/dream", tmp_path) == tmp_path / "acme" / "dream.json"
    assert place_of("dream", tmp_path) == tmp_path / "models" / "dream.json"
    add_file(b"first", tmp_path / "models" / "acme" / "dream.json")
    assert place_of("acme/dream", tmp_path) == tmp_path / "models" / "acme" / "dream.json"


def test_a_file_is_never_overwritten_unasked(tmp_path: Path) -> None:
    path = place_of("acme/dream", tmp_path)
    add_file(b"first", path)
    with pytest.raises(CannotCreate, match="is there already"):
        add_file(b"second", path)
    assert path.read_bytes() == b"first"
    add_file(b"second", path, replace=True)
    assert path.read_bytes() == b"second"


@pytest.mark.parametrize(
    "name", ["../x", "a/../x", "/etc/x", "a//b", "", ".", "a/.b", "a\\b", "a b", "a\nb", "ä", "x" * 201, "a/"]
)
def test_a_path_trick_is_no_model_id(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a model id"):
        place_of(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "schemas", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "acme").symlink_to(outside)
    with pytest.raises(UsageError, match="leads out of"):
        place_of("acme/dream", inside)


@pytest.mark.parametrize(
    "schema", [{}, {"type": "string"}, {"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}]
)
def test_what_cannot_be_compiled_is_refused(schema: dict[str, JsonValue]) -> None:
    with pytest.raises(SchemaInvalid, match="the catalogue"):
        compiled("acme/dream", json.dumps(schema).encode(), file="the catalogue")
