"""Finds the input schemas of models in what their makers publish.

In: a document as parsed: an answer or a page of a catalogue, an OpenAPI document, a bare JSON Schema. Out: each model's
input schema, complete in itself, with what the document says of the model. It opens no file and makes nothing strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue

CATALOGUE: Final = "an answer of a catalogue"
OPENAPI: Final = "an OpenAPI document"
BARE: Final = "a JSON Schema"

_LISTS = ("models", "items", "data", "results", "endpoints")
_IDS = ("model_id", "endpoint_id", "id", "model", "slug", "name")
_SCHEMAS = ("input_schema", "inputSchema", "input", "openapi_schema", "openapi", "schema", "schemas")
_ENVELOPES = ("latest_version", "model", "data", "result")
_PRICE = ("base_price_usd", "price_unit")
_SCHEMA_WORDS = frozenset({"properties", "$ref", "allOf", "anyOf", "oneOf"})
_COMPONENT = "#/components/schemas/"
_DEEPEST = 4
_VERSIONS = re.compile(r"(?:v\d+/)?(?:models/)?")
_INPUT = "Input"
_NAMES_OF_INPUTS = ("Input", "Request")


@dataclass(frozen=True, slots=True)
class Published:
    """One model's input schema; `model` is empty if the document does not name it, or not in one word.

    `form` is the kind of document, `name` the schema's own name in it, and `price` what a catalogue says of the price.
    """

    schema: Schema
    form: str
    model: str = ""
    name: str = ""
    price: Mapping[str, JsonValue] = field(default_factory=dict)


def form_of(document: JsonValue) -> str:
    """Return which kind of document holds input schemas inside itself; empty for a bare schema and all else."""
    try:
        found = () if _is_schema(document) else published(document)
    except RecursionError:
        # The loader of schemas refuses this depth with a reason.
        found = ()
    return found[0].form if found else ""


def published(document: JsonValue, *, depth: int = 0) -> tuple[Published, ...]:
    """Return all input schemas of a document, in its order; none if it holds none.

    Raises `RecursionError` if it is nested too deeply.
    """
    if isinstance(document, list):
        return tuple(one for entry in document for one in published(entry, depth=depth + 1))
    if not isinstance(document, dict) or depth > _DEEPEST:
        return ()
    # Some catalogues cut off the version.
    if isinstance(document.get("paths"), dict) or isinstance(_schemas_of(document), dict):
        return tuple(_of_openapi(document))
    if _is_schema(document):
        return (Published(document, BARE, name=str(document.get("title", ""))),)
    inside = (document[key] for key in (*_SCHEMAS, *_ENVELOPES) if isinstance(document.get(key), dict))
    if found := next(filter(None, (published(each, depth=depth + 1) for each in inside)), ()):
        return tuple(_entry(document, one) for one in found)
    listed = (document[key] for key in _LISTS if isinstance(document.get(key), list))
    return next(filter(None, (published(each, depth=depth + 1) for each in listed)), ())


def _is_schema(document: JsonValue) -> bool:
    return isinstance(document, dict) and (
        not _SCHEMA_WORDS.isdisjoint(document) or document.get("type") == "object"
    )


def _entry(entry: Schema, found: Published) -> Published:
    """Return a schema with what the entry around it says of the model."""
    form = CATALOGUE if found.form == BARE else found.form
    words = [word for key in _IDS if isinstance(word := entry.get(key), str)]
    if isinstance(owner := entry.get("owner"), str):
        words.insert(0, f"{owner}/{entry.get('name')}")
    # An id has its maker before a slash; a number of the catalogue's own, or a name, has none.
    model = next((word for word in words if "/" in word), found.model or next(iter(words), ""))
    price = {key: value for key in _PRICE if isinstance(value := entry.get(key), str | int | float)}
    return replace(found, form=form, model=model, price=price or found.price)


def _of_openapi(document: Schema) -> Iterator[Published]:
    """Yield the bodies of all POST requests, or the schema that is plainly an input where no body is one."""
    schemas = mapping(_schemas_of(document))
    bodies = list(_bodies(document, schemas))
    if _is_schema(schemas.get(_INPUT)) and all(name != _INPUT for _, name, _ in bodies):
        bodies = [("", _INPUT, mapping(schemas[_INPUT]))]
    bodies = [body for body in bodies if body[1] == _INPUT] or bodies
    if not bodies:
        named = [name for name in schemas if name.endswith(_NAMES_OF_INPUTS) and _is_schema(schemas[name])]
        bodies = [("", name, mapping(schemas[name])) for name in named]
    about = mapping(mapping(document.get("info")).get("x-fal-metadata")).get("endpointId")
    for path, name, schema in bodies:
        model = (
            about if isinstance(about, str) and len(bodies) == 1 else _VERSIONS.sub("", path.strip("/"), 1)
        )
        yield Published(_complete(schema, schemas), OPENAPI, model, name)


def _bodies(document: Schema, schemas: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Yield path, name and schema of each POST request with a JSON object as its body."""
    for path, item in mapping(document.get("paths")).items():
        body = _target(mapping(mapping(item).get("post")).get("requestBody"), document)
        kinds = mapping(body.get("content"))
        kind = next((kind for kind in kinds if "json" in kind), next(iter(kinds), ""))
        name, schema = _named(mapping(kinds.get(kind)).get("schema"), schemas)
        wrapped = mapping(schema.get("properties")).get("input")
        # The body of a prediction only wraps the input, and has the same path for every model.
        if path.endswith("/predictions") and wrapped:
            path, (name, schema) = "", _named(wrapped, schemas)
        if "{" not in path and _is_schema(schema):
            yield path, name or str(schema.get("title", "")), schema


def _named(node: JsonValue, schemas: Schema) -> tuple[str, Schema]:
    """Return the name and the schema that a reference to a component stands for, or the schema itself."""
    name, schema = "", mapping(node)
    for _ in range(_DEEPEST):
        if isinstance(ref := schema.get("$ref"), str):
            name = ref.removeprefix(_COMPONENT)
            schema = mapping(schemas.get(name))
    return name, schema


def _schemas_of(document: Schema) -> JsonValue:
    return mapping(document.get("components")).get("schemas")


def _target(node: JsonValue, document: Schema) -> Schema:
    """Return what a reference into the document stands for, or the node itself."""
    ref = mapping(node).get("$ref")
    if not isinstance(ref, str):
        return mapping(node)
    place: JsonValue = document
    for part in ref.removeprefix("#/").split("/"):
        place = mapping(place).get(part)
    return mapping(place)


def _complete(schema: Schema, schemas: Schema) -> Schema:
    """Return a schema with all that it refers to in its own `$defs`, instead of the document's components."""
    needed: dict[str, JsonValue] = {}
    waiting = [schema]
    while waiting:
        for name in _names(waiting.pop()):
            if name not in needed and name in schemas:
                needed[name] = _with_own_refs(schemas[name])
                waiting.append(mapping(schemas[name]))
    whole = mapping(_with_own_refs(schema))
    return {**whole, "$defs": needed} if needed else whole


def _names(node: JsonValue) -> Iterator[str]:
    """Yield the names of the components that a schema refers to."""
    if isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith(_COMPONENT):
            yield ref.removeprefix(_COMPONENT).partition("/")[0].replace("~1", "/").replace("~0", "~")
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _names(inner)


def _with_own_refs(node: JsonValue) -> JsonValue:
    if isinstance(node, list):
        return [_with_own_refs(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value.replace(_COMPONENT, "#/$defs/", 1)
        if key == "$ref" and isinstance(value, str)
        else _with_own_refs(value)
        for key, value in node.items()
    }
