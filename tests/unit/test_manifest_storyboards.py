"""The example sequence joins, and the JSON Schema for editors knows the fields of storyboards as the parser does."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from runner.manifest.fields import ENTRY_KEYS, PLACE_KEYS, PRICE_KEYS, SEQUENCE_KEYS, STYLE_KEYS
from runner.models.registry import Models
from runner.plan.build import make_plan
from tests.unit.whole_readings import parse_manifest, read_manifest

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "manifest.schema.json").read_text("utf-8"))
SEQUENCE = ROOT / "manifests" / "sequence.yaml"
SHOT = {"id": "s010", "model": "m"}
WALK = {"id": "walk", "model": "m", "frames": ["https://e.com/1", "https://e.com/2"], "prompts": ["x"]}


def faults(document: object) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def problems(document: object) -> tuple[object, ...]:
    return parse_manifest(json.dumps(document).encode(), file="m.yaml", name="m").problems


def test_the_example_joins_and_stands_in_its_place() -> None:
    """Every shot begins with the picture the one before it ends with, and the plan has nothing to say against it."""
    reading = read_manifest(SEQUENCE)
    planned = make_plan(reading.manifest, reading.shots, models=Models.bundled())
    takes = planned.plan.takes
    assert (reading.problems, planned.problems, planned.plan.warnings) == ((), (), ())
    assert [take.id for take in takes] == ["s010", "walk-01", "walk-02", "the-stairs", "walk-04", "s030"]
    bodies = [json.loads(take.body) for take in takes[1:]]
    assert all(a["keyFramesLast"] == b["keyFramesFirst"] for a, b in itertools.pairwise(bodies))
    assert [body["duration"] for body in bodies] == [4, 5, 8, 5, 5]
    assert bodies[2]["promptText"].startswith("He climbs")
    assert bodies[2]["promptText"].endswith("steps.\nblack and white, hard light from one side, wet asphalt")
    assert bodies[4]["promptText"].endswith("first light, thin fog, pale colours")
    prices = [(take.price.usd, take.price.per.value, take.price.dated) for take in takes if take.price]
    assert prices == [(0.45, "output", ""), *[(0.09, "second", "2026-11-20")] * 5]


def test_the_schema_takes_the_example() -> None:
    # Through JSON, where a date is text: the parser takes every scalar as text, too.
    document = yaml.safe_load(SEQUENCE.read_text("utf-8"))
    assert faults(json.loads(json.dumps(document, default=str))) == []


PARTS = {
    "place": (SCHEMA["$defs"]["place"], PLACE_KEYS),
    "sequence": (SCHEMA["$defs"]["sequence"], SEQUENCE_KEYS),
    "entry": (SCHEMA["$defs"]["entry"], ENTRY_KEYS),
    "style": (SCHEMA["properties"]["styles"]["additionalProperties"], STYLE_KEYS),
    "price": (SCHEMA["properties"]["prices"]["additionalProperties"]["anyOf"][1], PRICE_KEYS),
}


@pytest.mark.parametrize(("part", "keys"), PARTS.values(), ids=PARTS)
def test_the_schema_and_the_parser_know_the_same_keys(part: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert set(part["properties"]) == set(keys)
    assert part["additionalProperties"] is False


@pytest.mark.parametrize(
    "document",
    [
        {"shots": [SHOT], "publish": {}},
        {"shots": [SHOT], "prices": {"m": -1}},
        {"shots": [SHOT], "prices": {"m": "1,50"}},
        {"shots": [SHOT], "prices": {"m": {"per": "second"}}},
        {"shots": [SHOT], "prices": {"m": {"usd": 1, "per": "minute"}}},
        {"shots": [SHOT], "prices": {"m": {"usd": 1, "dated": "1.11.2026"}}},
        {"shots": [SHOT], "frames": {"a b": "x"}},
        {"shots": [SHOT], "frames": {"a": "@b"}},
        {"shots": [SHOT], "styles": {"a": {"negativePrompt": "x"}}},
        {"shots": [{**SHOT, "chain": "maybe"}]},
        {"shots": [{**SHOT, "price": "nan"}]},
        {"shots": [{**SHOT, "style": {"a": 1}}]},
        {"shots": [{"sequence": "walk", "model": "m"}], "sequences": [WALK]},
        {"sequences": []},
        {"sequences": [{**WALK, "prompts": []}]},
        {"sequences": [{**WALK, "promts": []}]},
        {"sequences": [{**WALK, "prompts": [{"id": "a"}]}]},
        {"sequences": [{"id": "walk", "model": "m", "prompts": ["x"]}]},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_parser_refuses_too(document: dict[str, Any]) -> None:
    assert faults({"version": 1, **document})
    assert problems({"version": 1, **document})


@pytest.mark.parametrize(
    "document",
    [
        {"sequences": [WALK]},
        {"shots": [{"sequence": "walk"}, SHOT], "sequences": [WALK]},
        {
            "sequences": [
                {**WALK, "prompts": [{"id": "a", "prompt": "x"}], "durations": [5], "first": "image"}
            ]
        },
        {"sequences": [{**WALK, "frames": ["@a", {"frame": "a"}]}], "frames": {"a": "https://e.com/1"}},
        {
            "shots": [{**SHOT, "style": ["a"], "price": 0.5}],
            "styles": {"a": {"text": "x", "inputs": {"y": 1}}},
        },
        {"shots": [{**SHOT, "price": "0.5"}], "prices": {"m": {"usd": 0, "dated": "2026-11-01"}}},
        {"shots": [{**SHOT, "chain": True}], "defaults": {"style": []}},
    ],
    ids=str,
)
def test_what_the_schema_takes_the_parser_takes_too(document: dict[str, Any]) -> None:
    assert faults({"version": 1, **document}) == []
    assert problems({"version": 1, **document}) == ()
