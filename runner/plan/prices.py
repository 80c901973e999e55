"""Gives takes their prices, from the manifest, the record, the catalogue or the simulator.

In: a plan and quoted prices. Out: the same plan, in which every take has a price if any source gives one. A price in
the manifest goes first; then the one on record, which a catalogue gave on a given day. It estimates nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from runner.domain.display import counted, visible
from runner.domain.money import dollars, micros
from runner.domain.records import Standing
from runner.domain.shots import Plan, Price

INVENTED = "invented by the simulator"
CATALOGUE = "catalogue"

_NONE = "no price"
_MOST_RATES = 5


def priced(plan: Plan, quotes: Mapping[str, Price]) -> Plan:
    """Return the plan with quoted prices on all takes whose manifest gives none; a quote replaces an older one."""
    takes = tuple(
        replace(take, price=quotes[take.model]) if take.model in quotes and _is_open(take.price) else take
        for take in plan.takes
    )
    return replace(plan, takes=takes)


def _is_open(price: Price | None) -> bool:
    return price is None or price.source == CATALOGUE


def to_ask_for(plan: Plan, take_ids: Collection[str], *, today: str) -> tuple[str, ...]:
    """Return the models of these takes that have no price, or one that a catalogue gave before `today` (ISO date)."""
    asked = (take for take in plan.takes if take.id in take_ids and _is_open(take.price))
    return tuple(sorted({take.model for take in asked if take.price is None or take.price.dated < today}))


def price_changes(before: Plan, after: Plan) -> tuple[str, ...]:
    """Return in words which models have a new price."""
    said: dict[str, str] = {}
    for old, new in zip(before.takes, after.takes, strict=True):
        if old.price and new.price and (old.price.usd, old.price.per) != (new.price.usd, new.price.per):
            said[new.model] = (
                f"{visible(new.model)} costs {rate(new.price)} now; on {old.price.dated} it was {rate(old.price)}"
            )
    return tuple(said.values())


def rate(price: Price) -> str:
    """Return a price in words, to its last digit."""
    return f"{dollars(micros(price.usd))} per {price.per}"


def rates(plan: Plan, submitted: Collection[str]) -> Mapping[str, str]:
    """Return in words what each model of the `submitted` takes costs, and which source says so.

    If its takes have several prices, each price says how many takes it is for.
    """
    found: dict[str, Counter[str]] = {}
    for take in plan.takes:
        if take.id in submitted:
            found.setdefault(take.model, Counter())[_sourced(take.price)] += 1
    return {model: _listed(counts) for model, counts in found.items() if set(counts) != {_NONE}}


def _sourced(price: Price | None) -> str:
    if price is None:
        return _NONE
    dated = f", {price.dated}" if price.dated else ""
    return f"{rate(price)} ({price.source}{dated})"


def _listed(counts: Counter[str]) -> str:
    said = counts.most_common()
    if len(said) == 1:
        return said[0][0]
    listed = [f"{words} for {counted(number, 'take')}" for words, number in said[:_MOST_RATES]]
    others = sum(number for _, number in said[_MOST_RATES:])
    return ", ".join([*listed, f"other prices for {counted(others, 'take')}"] if others else listed)


def unpriced_models(plan: Plan) -> tuple[str, ...]:
    """Return the models of all takes that have no price."""
    return tuple(sorted({take.model for take in plan.takes if take.price is None}))


def recorded_prices(takes: Iterable[Standing]) -> dict[str, Price]:
    """Return the newest price on record that a catalogue gave for each model."""
    found: dict[str, Price] = {}
    for take in takes:
        price = Price.from_json(take.price_now)
        if price is None or price.source != CATALOGUE:
            continue
        if take.model not in found or found[take.model].dated < price.dated:
            found[take.model] = price
    return found
