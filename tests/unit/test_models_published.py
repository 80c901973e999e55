"""The input schemas in what makers publish: catalogues, OpenAPI documents, bare schemas; as JSON and as YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.domain.errors import SchemaInvalid
from runner.models.add_schema import compiled, wrapped
from runner.models.document_text import MOST_BYTES, parse_document
from runner.models.published import BARE, CATALOGUE, OPENAPI, Published, form_of, published
from runner.models.schema_file import mapping
from runner.system.canonical_json import JsonValue

INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["prompt"],
    "properties": {"prompt": {"type": "string"}, "image_url": {"type": "string"}},
}
ENTRY: dict[str, Any] = {"model_id": "acme/dream", "input_schema": INPUT}


def openapi(paths: dict[str, Any], schemas: dict[str, Any], **info: object) -> dict[str, Any]:
    return {"openapi": "3.0.4", "info": info, "paths": paths, "components": {"schemas": schemas}}


def post(schema: object) -> dict[str, Any]:
    return {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


QUEUE = openapi(
    {
        "/acme/dream/v2": post(ref("DreamV2Input")),
        "/acme/dream/v2/requests/{request_id}/status": {"get": {}},
        "/acme/dream/v2/requests/{request_id}/again": post(ref("Status")),
    },
    {
        "DreamV2Input": {
            "type": "object",
            "title": "DreamV2Input",
            "required": ["prompt"],
            "properties": {
                "prompt": {"type": "string"},
                "tail_image_url": {"type": "string", "nullable": True},
                "duration": {"type": "string", "enum": ["5", "10"], "default": "5"},
                "camera": ref("Camera"),
                "mode": {"allOf": [ref("Mode")], "default": "std"},
            },
        },
        "Camera": {"type": "object", "properties": {"at": {"type": "array", "items": ref("Point")}}},
        "Point": {"type": "object", "properties": {"x": {"type": "integer"}}},
        "Mode": {"type": "string", "enum": ["std", "pro"]},
        "Status": {"type": "object", "properties": {"status": {"type": "string"}}},
    },
)
PREDICTIONS = openapi(
    {"/predictions": post(ref("PredictionRequest")), "/predictions/{id}/cancel": {"post": {}}},
    {
        "Input": INPUT,
        "PredictionRequest": {"type": "object", "properties": {"input": ref("Input")}},
    },
)
SWAGGER = {
    "swagger": "2.0",
    "paths": {
        "/acme/dream": {
            "post": {
                "parameters": [
                    {"in": "query", "name": "wait", "type": "boolean"},
                    {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/Dream"}},
                ]
            }
        },
        "/acme/list": {"get": {"parameters": []}},
    },
    "definitions": {"Dream": {**INPUT, "required": ["prompt"]}},
}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (INPUT, [(BARE, "", "")]),
        ({"$ref": "#/$defs/a", "$defs": {"a": INPUT}}, [(BARE, "", "")]),
        (ENTRY, [(CATALOGUE, "acme/dream", "")]),
        (
            {"model": "acme/dream", "sha256": {}, "input": INPUT, "output": {}},
            [(CATALOGUE, "acme/dream", "")],
        ),
        (
            {"name": "Dream", "id": 7, "slug": "acme/dream", "inputSchema": INPUT},
            [(CATALOGUE, "acme/dream", "")],
        ),
        ({"data": ENTRY}, [(CATALOGUE, "acme/dream", "")]),
        ({"id": "acme/dream", "schema": {"input": INPUT, "output": {}}}, [(CATALOGUE, "acme/dream", "")]),
        (
            {"models": [ENTRY, {**ENTRY, "model_id": "acme/film"}], "total": 2},
            [(CATALOGUE, "acme/dream", ""), (CATALOGUE, "acme/film", "")],
        ),
        ([ENTRY], [(CATALOGUE, "acme/dream", "")]),
        (QUEUE, [(OPENAPI, "acme/dream/v2", "DreamV2Input")]),
        (
            {**QUEUE, "info": {"x-fal-metadata": {"endpointId": "acme/d"}}},
            [(OPENAPI, "acme/d", "DreamV2Input")],
        ),
        ({"models": [{"endpoint_id": "acme/e", "openapi": QUEUE}]}, [(OPENAPI, "acme/e", "DreamV2Input")]),
        (PREDICTIONS, [(OPENAPI, "", "Input")]),
        (
            {
                "owner": "acme",
                "name": "film",
                "latest_version": {"id": "0a1b", "openapi_schema": PREDICTIONS},
            },
            [(OPENAPI, "acme/film", "Input")],
        ),
        (
            {
                "paths": {
                    "/predictions": post(
                        {"type": "object", "properties": {"input": {**INPUT, "title": "Input"}}}
                    )
                }
            },
            [(OPENAPI, "", "Input")],
        ),
        (
            {"endpoint": "acme/e", "components": {"schemas": {"EInput": INPUT, "E": INPUT}}},
            [(OPENAPI, "", "EInput")],
        ),
        (openapi({"/v1/models/acme/dream": post(INPUT)}, {}), [(OPENAPI, "acme/dream", "")]),
        (SWAGGER, [(OPENAPI, "acme/dream", "Dream")]),
        ({"name": "acme/dream", "parameters": INPUT}, [(CATALOGUE, "acme/dream", "")]),
        (
            {"type": "function", "function": {"name": "acme/dream", "parameters": INPUT}},
            [(CATALOGUE, "acme/dream", "")],
        ),
        ({"tools": [{"name": "acme/dream", "inputSchema": INPUT}]}, [(CATALOGUE, "acme/dream", "")]),
        (openapi({}, {"VideoRequest": INPUT, "Video": INPUT}), [(OPENAPI, "", "VideoRequest")]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_each_form_is_known_with_what_it_says_of_the_model(
    document: JsonValue, told: list[tuple[str, str, str]]
) -> None:
    found = published(document)
    assert [(one.form, one.model, one.name) for one in found] == told
    for one in found:
        assert "prompt" in usable(one)


def usable(one: Published) -> set[str]:
    """Return the names of the inputs, as the loader of a run reads the schema."""
    return set(compiled("acme/dream", wrapped("acme/dream", one.schema, {}), file="a.json").by_name)


def test_what_a_schema_refers_to_comes_with_it_and_nothing_else() -> None:
    (found,) = published(QUEUE)
    assert mapping(found.schema["$defs"]).keys() == {"Camera", "Point", "Mode"}
    assert usable(found) == {"prompt", "tail_image_url", "duration", "camera", "mode"}


def test_a_body_and_a_schema_may_themselves_be_references() -> None:
    document = openapi(
        {"/acme/a": {"post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}}},
        {"A": ref("B"), "B": INPUT},
    )
    document["components"]["requestBodies"] = {"B": post(ref("A"))["post"]["requestBody"]}
    (found,) = published(document)
    assert (found.model, found.name) == ("acme/a", "B")


def test_each_form_of_a_request_is_a_model_without_an_id() -> None:
    fast = {**INPUT, "properties": {**INPUT["properties"], "model": {"const": "fast"}}}
    document = openapi({"/v1/acme/film": post({"oneOf": [fast, ref("Slow")]})}, {"Slow": INPUT})
    assert [(one.model, one.name) for one in published(document)] == [("", "fast"), ("", "Slow")]


def test_references_in_a_circle_end() -> None:
    document = openapi({"/acme/a": post(ref("A"))}, {"A": ref("B"), "B": ref("A")})
    for found in published(document):
        with pytest.raises(SchemaInvalid, match="leads back to itself"):
            usable(found)


@pytest.mark.parametrize(
    "document",
    [
        None,
        "text",
        7,
        {},
        [],
        {"type": "string"},
        {"models": [{"model_id": "acme/dream"}]},
        openapi({}, {}),
        openapi({"/a": post(ref("None"))}, {}),
        openapi({"/a": {"post": {"requestBody": {"$ref": "#/nowhere/at/all"}}}}, {}),
        {"openapi": "3.1.0", "paths": [], "components": 5},
        {"input": {"prompt": "an example"}},
    ],
    ids=str,
)
def test_a_document_without_an_input_schema_has_none(document: JsonValue) -> None:
    assert published(document) == ()


def test_only_a_schema_inside_another_document_has_a_form() -> None:
    assert (form_of(ENTRY), form_of(QUEUE), form_of(INPUT), form_of({})) == (CATALOGUE, OPENAPI, "", "")


def test_a_document_of_great_depth_has_no_form() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2_000):
        deep = {"type": "object", "properties": {"a": deep}}
    assert form_of(openapi({"/acme/dream": post(deep)}, {})) == ""


def test_the_price_of_a_catalogue_stays_with_the_model() -> None:
    (found,) = published({**ENTRY, "base_price_usd": 0.1, "price_unit": "second", "tags": ["new"]})
    assert found.price == {"base_price_usd": 0.1, "price_unit": "second"}


def test_yaml_and_json_are_the_same_document() -> None:
    text = """
openapi: 3.0.4
info: {}
paths:
  /acme/dream:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}
      responses:
        200: {description: "yes"}
components:
  schemas:
    A:
      type: object
      properties:
        ratio: {enum: [16:9, 9:16], default: 16:9}
        mode: {enum: [on, no]}
        steps: {type: integer, minimum: -1, maximum: 1.5e2, nullable: true, default: ~}
        day: {default: 2026-01-01}
        code: {enum: [007]}
"""
    (found,) = published(parse_document(text.encode(), name="a.yaml"))
    assert found.schema["properties"] == {
        "ratio": {"enum": ["16:9", "9:16"], "default": "16:9"},
        "mode": {"enum": ["on", "no"]},
        "steps": {"type": "integer", "minimum": -1, "maximum": 150.0, "nullable": True, "default": None},
        "day": {"default": "2026-01-01"},
        "code": {"enum": ["007"]},
    }
    assert parse_document(b"\xef\xbb\xbf" + json.dumps(QUEUE).encode(), name="a.json") == QUEUE
    assert parse_document(json.dumps(QUEUE).encode("utf-16"), name="a.json") == QUEUE


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<!doctype html><title>Dream</title>", "a web page"),
        (b"", "it is empty"),
        (b'{"a": "b', "cannot be read at line 1, column 7; the file may be cut off there"),
        (b'{"a": 1}\n{"a": 2}\n', "a second document begins at line 2, column 1; import each alone"),
        (b"\xff{}", "not text in UTF-8"),
        (b"a: &x [1]\nb: *x\n", "YAML aliases"),
        (b"? [a]\n: 1\n", "a key that is not text"),
        (b"a: b: c", "mapping values"),
        (b"[" * 100_000, "nested too deeply"),
        (b"- " * 5_000 + b"a", "nested too deeply"),
        (b" " * (MOST_BYTES + 1), "larger than 16 MiB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(SchemaInvalid, match=why) as refused:
        parse_document(data, name="a.json")
    assert refused.value.message.startswith("a.json: ")
