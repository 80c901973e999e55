"""Makes the catalogue of models, with prices that are invented here and say so.

In: known models (schemas) and a query. Out: JSON-ready entries, and a body's price. It knows no job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.models.model import Model
from runner.models.registry import Models
from runner.simulator.jobs import chance
from runner.simulator.scene import clip_seconds
from runner.system.canonical_json import JsonValue

_PAGE = 50
_CATEGORY = "video"


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model in this simulator; `micros` are millionths of a dollar for one `unit`."""

    micros: int
    unit: str

    def of(self, body: Mapping[str, JsonValue]) -> int:
        """Return what a body costs, in millionths of a dollar."""
        return round(self.micros * (clip_seconds(body) if self.unit == "second" else 1))


def price_of(model_id: str, model: Model) -> Price:
    """Return the invented price of a model: per second if the model has a duration, or else per output."""
    cents = 2 + int(chance(0, "price", model_id) * 7)
    schema: Mapping[str, Any] = model.input_schema
    if "duration" in schema.get("properties", {}):
        return Price(cents * 10_000, "second")
    return Price(cents * 50_000, "output")


def entry(model_id: str, model: Model, *, with_schema: bool = True) -> dict[str, JsonValue]:
    """Return a model's entry as the catalogue shows it."""
    price = price_of(model_id, model)
    name = model_id.rpartition("/")[2]
    schema: Mapping[str, Any] = model.input_schema
    return {
        "id": model_id,
        "model_id": model_id,
        "name": name,
        "display_name": name,
        "category": _CATEGORY,
        "categories": [_CATEGORY],
        "kind": _kind_of(model_id),
        "base_price_usd": price.micros / 1_000_000,
        "price_unit": price.unit,
        "pricing_note": "invented by the simulator",
        "required_inputs": list(schema.get("required", [])),
        **({"input_schema": dict(schema)} if with_schema else {}),
    }


def page(models: Models, query: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the page of the catalogue that a request's query asks for; `total` counts all entries that match."""
    matching = [
        model_id
        for model_id in sorted(models.ids())
        if query.get("search", "").lower() in model_id.lower()
        and query.get("category", "") in {"", _CATEGORY}
        and query.get("kind", "") in {"", _kind_of(model_id)}
    ]
    start = _count(query.get("offset", ""), 0)
    with_schema = query.get("include_schema") == "true"
    shown: list[JsonValue] = [
        entry(model_id, model, with_schema=with_schema)
        for model_id in matching[start : start + _count(query.get("limit", ""), _PAGE)]
        if (model := models.find(model_id)) is not None
    ]
    return {"models": shown, "total": len(matching)}


def categories(models: Models) -> dict[str, JsonValue]:
    """Return the categories of all models, as the vendor's clients read them: a list of names."""
    return {"categories": [_CATEGORY] if models.ids() else []}


def _kind_of(model_id: str) -> str:
    """Return what a model makes from what, if its id says so."""
    last = model_id.rpartition("/")[2]
    return last if "-to-" in last else "image-to-video"


def _count(text: str, otherwise: int) -> int:
    return min(int(text[:9]), 10_000) if text.isascii() and text.isdigit() else otherwise
