"""Makes the catalogue of models, with prices that are invented here and say so.

In: known models (schemas) and a query. Out: JSON-ready entries, and a body's price. It knows no HTTP and no job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runner.simulator.jobs import chance
from runner.simulator.scene import clip_seconds
from runner.system.canonical_json import JsonValue

NOTE = "invented by the simulator"
PAGE = 50
CATEGORY = "video"


class KnownModel(Protocol):
    """What the simulator needs of a model: its schema, and a check of a body."""

    @property
    def input_schema(self) -> Mapping[str, Any]:
        """Return the normalised JSON schema of its inputs."""
        ...

    def body_faults(self, body: Mapping[str, JsonValue]) -> Sequence[tuple[str, str]]:
        """Return what is wrong with a body as pairs of field and message; it is empty if the body is valid."""
        ...


class KnownModels(Protocol):
    """Where the simulator gets its models from."""

    def ids(self) -> Sequence[str]:
        """Return the ids of all models."""
        ...

    def find(self, model_id: str, /) -> KnownModel | None:
        """Return the model of an id, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model in this simulator; `micros` are millionths of a dollar for one `unit`."""

    micros: int
    unit: str

    def of(self, body: Mapping[str, JsonValue]) -> int:
        """Return what a body costs, in millionths of a dollar."""
        return round(self.micros * (clip_seconds(body) if self.unit == "second" else 1))


@dataclass(frozen=True, slots=True)
class Query:
    """What a caller of the catalogue asks for; empty strings ask for everything."""

    search: str = ""
    category: str = ""
    kind: str = ""
    with_schema: bool = False
    limit: int = PAGE
    offset: int = 0


def price_of(model_id: str, model: KnownModel) -> Price:
    """Return the invented price of a model: per second if the model has a duration, or else per output."""
    cents = 2 + int(chance(0, "price", model_id) * 7)
    if "duration" in model.input_schema.get("properties", {}):
        return Price(cents * 10_000, "second")
    return Price(cents * 50_000, "output")


def entry(model_id: str, model: KnownModel, *, with_schema: bool = True) -> dict[str, JsonValue]:
    """Return a model's entry as the catalogue shows it."""
    price = price_of(model_id, model)
    shown: dict[str, JsonValue] = {
        "id": model_id,
        "model_id": model_id,
        "name": model_id.rpartition("/")[2],
        "display_name": model_id.rpartition("/")[2],
        "category": CATEGORY,
        "categories": [CATEGORY],
        "kind": kind_of(model_id),
        "base_price_usd": price.micros / 1_000_000,
        "price_unit": price.unit,
        "pricing_note": NOTE,
        "required_inputs": list(model.input_schema.get("required", [])),
    }
    if with_schema:
        shown["input_schema"] = dict(model.input_schema)
    return shown


def kind_of(model_id: str) -> str:
    """Return what a model makes from what, if its id says so."""
    last = model_id.rpartition("/")[2]
    return last if "-to-" in last else "image-to-video"


def page(models: KnownModels, query: Query) -> dict[str, JsonValue]:
    """Return the requested page of the catalogue; `total` counts all entries that match."""
    matching = [name for name in sorted(models.ids()) if _matches(name, query)]
    shown = matching[query.offset : query.offset + query.limit]
    entries: list[JsonValue] = [
        entry(name, model, with_schema=query.with_schema)
        for name in shown
        if (model := models.find(name)) is not None
    ]
    return {"models": entries, "total": len(matching)}


def categories(models: KnownModels) -> dict[str, JsonValue]:
    """Return the categories of all models, as the vendor's clients read them: a list of names."""
    return {"categories": [CATEGORY] if models.ids() else []}


def _matches(model_id: str, query: Query) -> bool:
    return (
        query.search.lower() in model_id.lower()
        and query.category in {"", CATEGORY}
        and query.kind in {"", kind_of(model_id)}
    )
