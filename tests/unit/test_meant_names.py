"""A word of an artist's spreadsheet means the input or column that its author means, and nothing farther away."""

from __future__ import annotations

import pytest

from runner.manifest.column_names import meant_column
from runner.models.input_names import meant_input
from runner.models.model import Model
from runner.models.registry import Models
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue
from runner.system.nearest_name import edits

BUNDLED = Models.bundled()


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Prompt", "promptText"),
        ("prompttext", "promptText"),
        ("promtText", "promptText"),
        ("First frame", "keyFramesFirst"),
        ("Start Image", "keyFramesFirst"),
        ("LAST FRAME", "keyFramesLast"),
        ("Key frame start", "keyFramesFirst"),
        ("Keyframe end", "keyFramesLast"),
        ("Image (start)", "keyFramesFirst"),
        ("Image 2", "keyFramesLast"),
        ("First frame (required)", "keyFramesFirst"),
        ("Prompt (EN)", "promptText"),
        ("Video prompt", "promptText"),
        ("Prompt v2", "promptText"),
        ("Neg. prompt", "negativePrompt"),
        ("Beschreibung", "promptText"),
        ("Descripción", "promptText"),
        ("Seconds", "duration"),
        ("Seconds [1-10]", "duration"),
        ("Duration in seconds", "duration"),
        ("Durée", "duration"),
        ("Total duration", None),
        ("resoluton", "resolution"),
        ("Scene", None),
        ("Takes", None),
        ("Camera notes", None),
        ("", None),
    ],
)
def test_a_word_means_the_input_that_its_author_means(word: str, meant: str | None) -> None:
    model = BUNDLED.find("pika/pikaframes")
    assert model is not None
    assert meant_input(word, model) == meant


@pytest.mark.parametrize("word", ["Image", "First frame", "Start Image"])
def test_one_picture_means_the_input_for_one_and_not_the_list(word: str) -> None:
    pictures: JsonValue = {"type": "array", "items": {"type": "string"}}
    schema: Schema = {"type": "object", "properties": {"images": pictures, "image_url": {"type": "string"}}}
    model = Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))
    assert meant_input(word, model) == "image_url"


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("Shot #", "id"),
        ("#", "id"),
        (" ID ", "id"),
        ("Scene", "tags"),
        ("Director notes", "notes"),
        ("Takes", "takes"),
        ("Take", "notes"),
        ("Cost", "notes"),
        ("Price per take", "price"),
        ("Scène", "tags"),
        ("Bemerkung", "notes"),
        ("Prompt", None),
    ],
)
def test_a_heading_means_the_column_that_its_author_means(heading: str, meant: str | None) -> None:
    assert meant_column(heading) == meant


def test_edits_are_counted_up_to_a_bound() -> None:
    assert [edits("seed", word, most=2) for word in ("seed", "sede", "sed", "sand", "duration")] == [
        0, 1, 1, 2, 3,
    ]  # fmt: skip
