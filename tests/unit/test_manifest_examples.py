"""The example storyboard and its CSV twin say the same, and the JSON Schema for editors says what the parser knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from runner.domain.shots import Text
from runner.manifest.fields import DEFAULT_KEYS, RANDOM_KEYS, RANGE_KEYS, SHOT_KEYS, TOP_KEYS
from tests.unit.whole_readings import Reading, parse_manifest, read_manifest

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "manifest.schema.json").read_text("utf-8"))
STORYBOARD = ROOT / "manifests" / "storyboard.yaml"

Take = tuple[str, str, tuple[tuple[str, str], ...], tuple[str, ...], str]


def takes(reading: Reading) -> list[Take]:
    """Return shot id, model, inputs, tags and notes of every take, in order."""
    assert not reading.problems
    return [
        (
            shot.id,
            shot.model,
            tuple(sorted((k, t.text) for k, t in v.inputs.items() if isinstance(t, Text))),
            shot.tags,
            shot.notes,
        )
        for shot in reading.shots
        for v in shot.variants
    ]


def take_names(reading: Reading) -> list[str]:
    """Return every take's id, its axes by name, as a sweep gives it or a row states it."""
    names: list[str] = []
    for shot in reading.shots:
        for variant in shot.variants:
            axes = sorted((k, v.text) for k, v in variant.point.items() if isinstance(v, Text))
            point = ",".join(f"{axis}={value}" for axis, value in axes)
            names.append(shot.take_id or (f"{shot.id}@{point}" if point else shot.id))
    return names


def errors(document: object) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_storyboard_and_its_twin_give_the_same_takes() -> None:
    written, table = read_manifest(STORYBOARD), read_manifest(STORYBOARD.with_suffix(".csv"))
    assert takes(written) == takes(table)
    assert take_names(written) == take_names(table)


def test_the_twins_do_not_share_a_run_directory() -> None:
    assert read_manifest(STORYBOARD).manifest.name == "paper-boat"
    assert read_manifest(STORYBOARD.with_suffix(".csv")).manifest.name == "storyboard"


def test_the_storyboard_shows_what_a_manifest_can() -> None:
    reading = read_manifest(STORYBOARD)
    assert 12 <= len(takes(reading)) <= 16
    assert {shot.model for shot in reading.shots} == {
        "pika/pikaframes",
        "pika/pika-2-2/image-to-video",
    }
    assert max(len(shot.variants[0].point) for shot in reading.shots) == 2
    assert reading.manifest.text.startswith("# yaml-language-server: $schema=manifest.schema.json\n")


def test_the_schema_is_a_schema_and_takes_the_storyboard() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert errors(yaml.safe_load(STORYBOARD.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        (SCHEMA, TOP_KEYS),
        (SCHEMA["properties"]["defaults"], DEFAULT_KEYS),
        (SCHEMA["$defs"]["shot"], SHOT_KEYS),
        (SCHEMA["$defs"]["axis"]["anyOf"][2], RANGE_KEYS),
        (SCHEMA["$defs"]["axis"]["anyOf"][3], RANDOM_KEYS),
    ],
    ids=["top", "defaults", "shot", "range", "random"],
)
def test_the_schema_and_the_parser_know_the_same_keys(where: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert set(where["properties"]) == set(keys)
    assert where["additionalProperties"] is False


SHOT = {"id": "s010", "model": "m"}


@pytest.mark.parametrize(
    "document",
    [
        {"version": 2, "shots": [SHOT]},
        {"version": 1},
        {"version": 1, "shots": []},
        {"version": 1, "shots": [SHOT], "sequences": []},
        {"version": 1, "shots": [SHOT], "name": "a/b"},
        {"version": 1, "shots": [SHOT], "vars": {"id": "x"}},
        {"version": 1, "shots": [SHOT], "vars": {"a b": "x"}},
        {"version": 1, "shots": [SHOT], "vars": {"a": ["x"]}},
        {"version": 1, "shots": [{"model": "m"}]},
        {"version": 1, "shots": [{**SHOT, "promt": "x"}]},
        {"version": 1, "shots": [{**SHOT, "inputs": ["x"]}]},
        {"version": 1, "shots": [{**SHOT, "tags": ["two words"]}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"seed": []}}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"repeat": ["m"]}}]},
        {"version": 1, "shots": [{**SHOT, "repeat": 0}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"seed": {"random": 0}}}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"seed": [1], "exclude": [1]}}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"seed": [1], "include": []}}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"seed": {"from": 1}}}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"seed": {"from": 1, "count": 0}}}]},
        {"version": 1, "shots": [{**SHOT, "sweep": {"[a, b]": [1, 2]}}]},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_parser_refuses_too(document: dict[str, Any]) -> None:
    assert errors(document)
    assert parse_manifest(json.dumps(document).encode(), file="m.yaml", name="m").problems


@pytest.mark.parametrize(
    "shot",
    [
        {},
        {"sweep": {"[a, b]": [[1, 2]]}},
        {"sweep": {}},
        {"tags": "hero", "notes": "n"},
        {"repeat": 3, "sweep": {"a": {"random": 4, "from": "x"}, "b": "0-1:0.5"}},
        {"sweep": {"a": [1, 2], "exclude": [{"a": 1}], "include": [{"a": 3}]}},
    ],
    ids=str,
)
def test_what_the_schema_takes_the_parser_takes_too(shot: dict[str, Any]) -> None:
    document = {"version": 1, "shots": [{**SHOT, **shot}]}
    assert errors(document) == []
    assert not parse_manifest(json.dumps(document).encode(), file="m.yaml", name="m").problems
