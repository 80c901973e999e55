"""The schema files we ship: exactly as published, and what the program makes of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from runner.models.inputs import MISSING
from runner.models.media_inputs import is_media
from runner.models.model import Model
from runner.models.registry import Models

SCHEMAS = Path(__file__).parents[2] / "schemas" / "models"
PUBLISHED = {
    "pika/pikaframes": "fd2a2321954cac566701197038e5ae571ab45e6820af5261a5976815e1c717bc",
    "pika/pika-2-2/image-to-video": "94725b7adec66a4207d3e090b79d47980dcc81648133d07531a47a59378b1e4d",
}
IDS = sorted(PUBLISHED)


def document(model_id: str) -> dict[str, object]:
    loaded = json.loads((SCHEMAS / f"{model_id}.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def bundled(model_id: str) -> Model:
    model = Models.bundled().find(model_id)
    assert model is not None
    return model


def test_every_bundled_file_is_found_by_its_path() -> None:
    assert list(Models.bundled().ids()) == IDS


@pytest.mark.parametrize("model_id", IDS)
@pytest.mark.parametrize("part", ["input", "output"])
def test_the_hash_beside_a_schema_is_of_its_canonical_json(model_id: str, part: str) -> None:
    published = document(model_id)
    text = json.dumps(published[part], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    hashes = published["sha256"]
    assert isinstance(hashes, dict)
    assert hashes[part] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("model_id", IDS)
def test_the_input_schema_is_the_one_that_was_copied(model_id: str) -> None:
    """The hash is pinned here too, so that schema and hash cannot be changed together unseen."""
    hashes = document(model_id)["sha256"]
    assert isinstance(hashes, dict)
    assert hashes["input"] == PUBLISHED[model_id]


@pytest.mark.parametrize("model_id", IDS)
def test_a_file_says_where_and_when_it_was_copied(model_id: str) -> None:
    source = bundled(model_id).source
    assert source["url"] == f"https://model-api.runcomfy.net/v1/models/{model_id}"
    assert source["retrieved"] == "2026-11-20"


@pytest.mark.parametrize("model_id", IDS)
def test_nothing_in_the_bundled_schemas_needs_repair(model_id: str) -> None:
    assert bundled(model_id).input_schema == document(model_id)["input"]


@pytest.mark.parametrize("model_id", IDS)
def test_the_media_list_says_what_the_rule_would_have_said(model_id: str) -> None:
    model = bundled(model_id)
    properties = model.input_schema["properties"]
    assert isinstance(properties, dict)
    by_rule = [name for name, prop in properties.items() if isinstance(prop, dict) and is_media(name, prop)]
    assert by_rule == [i.name for i in model.inputs if i.media]


def test_inputs_stand_in_the_order_of_the_page() -> None:
    assert [i.name for i in bundled("pika/pikaframes").inputs] == [
        "keyFramesFirst",
        "keyFramesLast",
        "promptText",
        "negativePrompt",
        "seed",
        "resolution",
        "duration",
    ]


def test_an_input_says_all_that_the_page_says() -> None:
    by_name = {i.name: i for i in bundled("pika/pikaframes").inputs}
    assert by_name["promptText"].max_length == 2000
    assert by_name["promptText"].required
    assert by_name["duration"].allowed == tuple(range(1, 11))
    assert (by_name["duration"].type, by_name["duration"].default) == ("integer", 5)
    assert by_name["keyFramesFirst"].title == "Start Image"
    assert by_name["negativePrompt"].default == ""


def test_one_model_has_a_default_seed_and_the_other_none() -> None:
    frames, image = bundled("pika/pikaframes").seed_input, bundled("pika/pika-2-2/image-to-video").seed_input
    assert frames is not None
    assert image is not None
    assert frames.default == 90190857
    assert image.default is MISSING
