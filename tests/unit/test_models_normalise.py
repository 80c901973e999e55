"""Loose schemas become strict, and strict ones stay as they are."""

from __future__ import annotations

import copy

import pytest

from runner.models.inputs import MISSING
from runner.models.model import Model
from runner.models.normalise import normalise
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue


def model(**named: JsonValue) -> Model:
    schema: Schema = {"type": "object", "properties": dict(named)}
    return Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))


# name: (as published, made strict)
REPAIRED: dict[str, tuple[Schema, Schema]] = {
    "float": ({"type": "float"}, {"type": "number"}),
    "int": ({"type": "int"}, {"type": "integer"}),
    "capital": ({"type": "String"}, {"type": "string"}),
    "unknown type": ({"type": "file"}, {}),
    "type list": ({"type": ["int", "null"]}, {"type": ["integer", "null"]}),
    "nullable": ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    "null default": ({"type": "integer", "default": None}, {"type": "integer"}),
    "text default": ({"type": "integer", "default": "5"}, {"type": "integer", "default": 5}),
    "whole float default": ({"type": "integer", "default": 5.0}, {"type": "integer", "default": 5}),
    "wrong default": ({"type": "integer", "default": "five"}, {"type": "integer"}),
    "number default of text": ({"type": "string", "default": 5}, {"type": "string", "default": "5"}),
    "text enum": ({"type": "integer", "enum": ["5", "10"]}, {"type": "integer", "enum": [5, 10]}),
    "number enum": ({"type": "string", "enum": [5, 10]}, {"type": "string", "enum": ["5", "10"]}),
    "null in enum": ({"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
    "empty enum": ({"type": "string", "enum": []}, {"type": "string"}),
    "null limit": ({"type": "string", "maxLength": None}, {"type": "string"}),
    "text limit": ({"type": "string", "maxLength": "5"}, {"type": "string", "maxLength": 5}),
    "flag bound": (
        {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        {"type": "number", "exclusiveMinimum": 0},
    ),
    "idle flag": (
        {"type": "number", "maximum": 9, "exclusiveMaximum": False},
        {"type": "number", "maximum": 9},
    ),
    "default over limit": (
        {"type": "integer", "maximum": 3, "default": 5},
        {"type": "integer", "maximum": 3},
    ),
    "default not in enum": (
        {"type": "string", "enum": ["a"], "default": "b"},
        {"type": "string", "enum": ["a"]},
    ),
    "inside a list": (
        {"type": "list", "items": {"type": "float"}},
        {"type": "array", "items": {"type": "number"}},
    ),
}


@pytest.mark.parametrize(("published", "strict"), REPAIRED.values(), ids=REPAIRED)
def test_an_odd_property_is_repaired(published: Schema, strict: Schema) -> None:
    repaired = model(a=published)
    properties = repaired.input_schema["properties"]
    assert isinstance(properties, dict)
    assert properties["a"] == strict


KEPT: dict[str, Schema] = {
    "strange format": {"type": "string", "format": "image_uri"},
    "false default": {"type": "boolean", "default": False},
    "zero default": {"type": "integer", "default": 0},
    "empty default": {"type": "string", "default": ""},
    "null among types": {"type": ["string", "null"]},
    "any": {},
}


@pytest.mark.parametrize("schema", KEPT.values(), ids=KEPT)
def test_what_is_sound_is_left_as_it_is(schema: Schema) -> None:
    kept = model(a=schema)
    assert kept.input_schema["properties"] == {"a": schema}


def test_required_names_without_a_property_are_ignored() -> None:
    result = normalise({"type": "object", "properties": {"a": {}}, "required": ["a", "ghost"]})
    assert result["required"] == ["a"]


def test_a_required_name_that_is_ignored_is_noted() -> None:
    schema: Schema = {"type": "object", "properties": {"a": {}}, "required": ["a", "ghost"]}
    made = Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))
    assert made.notes == ("ghost is required and not described; requests go without it",)


def test_a_fragment_may_require_what_its_parent_describes() -> None:
    then: Schema = {"properties": {"a": {"const": 1}}, "required": ["b"]}
    result = normalise({"type": "object", "properties": {"a": {}, "b": {}}, "allOf": [then]})
    assert result["allOf"] == [then]


def test_required_inside_a_property_counts() -> None:
    result = normalise({"type": "object", "properties": {"a": {"type": "string", "required": True}, "b": {}}})
    assert result["required"] == ["a"]
    assert result["properties"] == {"a": {"type": "string"}, "b": {}}


def test_private_validations_are_left_out() -> None:
    aside = model(image={"type": "string", "validations": {"maxSize": 5}})
    assert aside.input_schema["properties"] == {"image": {"type": "string"}}


def test_the_published_schema_is_not_changed() -> None:
    published: Schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "maximum": 1, "default": 5}},
        "required": ["x"],
    }
    before = copy.deepcopy(published)
    Model.from_file(ModelFile("m", "f", {}, None, published))
    assert published == before


def test_an_unusable_default_is_not_offered() -> None:
    (wanted,) = model(seed={"type": "integer", "default": None}).inputs
    assert wanted.default is MISSING


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({"enum": [1, 2]}, "integer"),
        ({"default": 0.5}, "number"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
        ({"oneOf": [{"type": "string"}, {"type": "array"}]}, "string or array"),
        ({"items": {}}, "array"),
        ({"properties": {}}, "object"),
        ({}, "string"),
    ],
)
def test_a_type_that_is_not_declared_is_read_off_the_rest(schema: Schema, type_: str) -> None:
    (wanted,) = model(a=schema).inputs
    assert wanted.type == type_
