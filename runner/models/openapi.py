"""Finds the bodies of requests in an OpenAPI document, versions 3.0 and 3.1, and 2.0 that was called Swagger.

In: a document as parsed. Out: for each POST request the schema of its JSON body, complete in itself, with its name and
the path as the id of a model. It follows references into the document only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue

_SCHEMA_WORDS = frozenset({"properties", "$ref", "allOf", "anyOf", "oneOf"})
_COMPONENT = "#/components/schemas/"
_DEFINITION = "#/definitions/"
_OWN = "#/$defs/"
_INPUT = "Input"
_NAMES_OF_INPUTS = (_INPUT, "Request")
_LONGEST_CHAIN = 4
_VERSIONS = re.compile(r"(?:v\d+/)?(?:models/)?")


@dataclass(frozen=True, slots=True)
class Body:
    """The schema of a request's body; `name` and `model` are empty if the document has none of its own."""

    schema: Schema
    name: str
    model: str = ""


def is_input_schema(node: JsonValue) -> bool:
    """Return whether this is a JSON Schema that can describe an object."""
    return isinstance(node, dict) and (not _SCHEMA_WORDS.isdisjoint(node) or node.get("type") == "object")


def bodies_of(document: Schema) -> Iterator[Body]:
    """Yield the bodies of all POST requests, or the schemas that are called an input if there is none."""
    document = _as_version_3(document) if "swagger" in document else document
    schemas = mapping(mapping(document.get("components")).get("schemas"))
    bodies = list(_posted(document, schemas))
    # A schema of exactly this name is the input of a model, whatever else the service can be asked for.
    if all(body.name != _INPUT for body in bodies) and is_input_schema(schemas.get(_INPUT)):
        bodies = [Body(mapping(schemas[_INPUT]), _INPUT)]
    bodies = [body for body in bodies if body.name == _INPUT] or bodies
    if not bodies:
        names = [name for name in schemas if name.endswith(_NAMES_OF_INPUTS)]
        bodies = [Body(mapping(schemas[name]), name) for name in names if is_input_schema(schemas[name])]
    about = mapping(mapping(document.get("info")).get("x-fal-metadata")).get("endpointId")
    paths = Counter(body.model for body in bodies)
    for body in bodies:
        model = about if isinstance(about, str) and len(bodies) == 1 else body.model
        # Several forms of one request are several models, and its path is the id of none.
        yield Body(_complete(body.schema, schemas), body.name, model if paths[body.model] == 1 else "")


def _as_version_3(document: Schema) -> Schema:
    """Return what a document of version 2.0 says of POST requests, in the form of version 3."""
    paths: Schema = {}
    for path, item in mapping(document.get("paths")).items():
        listed = mapping(mapping(item).get("post")).get("parameters")
        given = [_target(each, document) for each in listed] if isinstance(listed, list) else []
        body = next((each.get("schema") for each in given if each.get("in") == "body"), None)
        paths[path] = {"post": {"requestBody": {"content": {"application/json": {"schema": body}}}}}
    whole: Schema = {"paths": paths, "components": {"schemas": document.get("definitions")}}
    return {**document, **mapping(_moved(whole, _DEFINITION, _COMPONENT))}


def _posted(document: Schema, schemas: Schema) -> Iterator[Body]:
    """Yield the body of each POST request to a path without parameters, or each form that it may have."""
    for path, item in mapping(document.get("paths")).items():
        request = _target(mapping(mapping(item).get("post")).get("requestBody"), document)
        kinds = mapping(request.get("content"))
        kind = next((kind for kind in kinds if "json" in kind), next(iter(kinds), ""))
        body = _named(mapping(kinds.get(kind)).get("schema"), schemas)
        wrapped = mapping(body.schema.get("properties")).get("input")
        if "{" in path:
            continue
        # The body of a prediction only wraps the input, and has the same path for every model.
        if path.endswith("/predictions") and wrapped:
            yield _named(wrapped, schemas)
            continue
        model = _VERSIONS.sub("", path.strip("/"), count=1)
        forms = body.schema.get("oneOf") or body.schema.get("anyOf")
        if isinstance(forms, list) and "properties" not in body.schema:
            found = [_named(form, schemas) for form in forms]
        else:
            found = [body]
        yield from (replace(each, model=model) for each in found if is_input_schema(each.schema))


def _named(node: JsonValue, schemas: Schema) -> Body:
    """Return the schema that a reference to a component stands for, or the schema itself, with its name."""
    name, schema = "", mapping(node)
    for _ in range(_LONGEST_CHAIN):
        if isinstance(ref := schema.get("$ref"), str):
            name = ref.removeprefix(_COMPONENT)
            schema = mapping(schemas.get(name))
    only = mapping(mapping(schema.get("properties")).get("model")).get("const", "")
    return Body(schema, name or str(schema.get("title", only)))


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
                needed[name] = _moved(schemas[name], _COMPONENT, _OWN)
                waiting.append(mapping(schemas[name]))
    whole = mapping(_moved(schema, _COMPONENT, _OWN))
    return {**whole, "$defs": needed} if needed else whole


def _names(node: JsonValue) -> Iterator[str]:
    """Yield the names of the components that a schema refers to."""
    if isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith(_COMPONENT):
            yield ref.removeprefix(_COMPONENT).partition("/")[0].replace("~1", "/").replace("~0", "~")
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _names(inner)


def _moved(node: JsonValue, old: str, new: str) -> JsonValue:
    """Return a schema whose references lead to another place."""
    if isinstance(node, list):
        return [_moved(inner, old, new) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value.replace(old, new, 1)
        if key == "$ref" and isinstance(value, str)
        else _moved(value, old, new)
        for key, value in node.items()
    }
