"""Finds the input schemas of models in what their makers publish.

In: a document as parsed: an answer or a page of a catalogue, an OpenAPI document, a bare JSON Schema. Out: each model's
input schema, complete in itself, with what the document says of the model. It opens no file and makes nothing strict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from runner.models.openapi import bodies_of, is_input_schema
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue

CATALOGUE: Final = "an answer of a catalogue"
OPENAPI: Final = "an OpenAPI document"
BARE: Final = "a JSON Schema"

_LISTS = ("models", "items", "data", "results", "endpoints", "tools", "functions")
_IDS = ("model_id", "endpoint_id", "id", "model", "slug", "name")
_SCHEMAS = (
    "input_schema",
    "inputSchema",
    "input",
    "openapi_schema",
    "openapi",
    "schema",
    "schemas",
    "parameters",
)
_ENVELOPES = ("latest_version", "model", "data", "result", "function", "tool")
_PRICE = ("base_price_usd", "price_unit")
_DEEPEST = 4


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
        found = () if is_input_schema(document) else published(document)
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
    if isinstance(document.get("paths"), dict) or mapping(document.get("components")).get("schemas"):
        return tuple(Published(b.schema, OPENAPI, b.model, b.name) for b in bodies_of(document))
    if is_input_schema(document):
        return (Published(document, BARE, name=str(document.get("title", ""))),)
    inside = (document[key] for key in (*_SCHEMAS, *_ENVELOPES) if isinstance(document.get(key), dict))
    if found := next(filter(None, (published(each, depth=depth + 1) for each in inside)), ()):
        return tuple(_entry(document, one) for one in found)
    listed = (document[key] for key in _LISTS if isinstance(document.get(key), list))
    return next(filter(None, (published(each, depth=depth + 1) for each in listed)), ())


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
