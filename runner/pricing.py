"""What takes are said to cost, from whoever says so: the manifest, the record, the simulator.

In: a plan, and where its run lives. Out: the same plan, every take with a price if anybody gives one. The manifest's
own word goes first; then the price on record, which a catalogue gave and which is as old as it says. It estimates
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.checking import search_path
from runner.shots import Plan, Price, PriceUnit
from runner.store.records import TakeRecord

INVENTED = "invented by the simulator"
CATALOGUE = "catalogue"


def priced(plan: Plan, quotes: Mapping[str, Price]) -> Plan:
    """Return the plan with the price of its model on every take whose manifest gives none."""
    takes = tuple(
        take if take.price or take.model not in quotes else replace(take, price=quotes[take.model])
        for take in plan.takes
    )
    return replace(plan, takes=takes)


def unpriced_models(plan: Plan) -> tuple[str, ...]:
    """Return the models that some take of the plan has no price for."""
    return tuple(sorted({take.model for take in plan.takes if take.price is None}))


def recorded_prices(takes: Iterable[TakeRecord]) -> dict[str, Price]:
    """Return the newest price that a catalogue gave for each model, as the state file has it."""
    found: dict[str, Price] = {}
    for take in takes:
        price = _price(take.price)
        if price is None or price.source != CATALOGUE:
            continue
        if take.model not in found or found[take.model].dated < price.dated:
            found[take.model] = price
    return found


def invented_prices(models: Iterable[str], manifest: Path, schema_dirs: Sequence[Path]) -> dict[str, Price]:
    """Return what the simulator asks for its jobs; nobody pays it."""
    from runner.models.catalogue import Models
    from runner.simulator.catalogue import price_of

    known = Models.bundled(search_path(manifest, schema_dirs))
    found: dict[str, Price] = {}
    for name in models:
        if model := known.find(name):
            price = price_of(name, model)
            found[name] = Price(price.micros / 1_000_000, PriceUnit(price.unit), INVENTED)
    return found


def _price(text: str) -> Price | None:
    if not text:
        return None
    value = json.loads(text)
    return Price(value["usd"], PriceUnit(value["per"]), value["source"], value["dated"])
