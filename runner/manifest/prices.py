"""Reads the manifest's prices: a price by model, and a price of one take on a shot.

A price is money, so it is read strictly: plain digits with a dot, from 0, and nothing ambiguous. It knows no model and
no budget.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date

from runner.domain.errors import Position
from runner.domain.shots import Fields, Price, PriceUnit
from runner.manifest.fields import PRICE_KEYS, Section, joined
from runner.manifest.problems import Findings, shown

_PLAIN = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_PLAIN_BUT_LONG = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
# Three digits behind a comma are thousands to some, unless nothing is before it.
_COMMA = re.compile(r"0,\d{1,6}|\d{1,9},(?:\d{1,2}|\d{4,6})", re.ASCII)
_MARKED = re.compile(r"(?:US)?\s*\$\s*(.+)|(.+?)\s*(?:\$|USD)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def prices_of(top: Section) -> dict[str, Price]:
    """Return the prices by model id that `prices` gives."""
    prices = top.section("prices")
    found = {model: _model_price(prices, model) for model in prices.fields.items}
    return {model: price for model, price in found.items() if price is not None}


def price_of(row: Section, key: str = "price") -> Price | None:
    """Return what one take costs, if a field says so."""
    text = row.text(key)
    if text is None:
        return None
    written = text.text.strip()
    if _PLAIN.fullmatch(written):
        return Price(float(written))
    message = f"{shown(text.text)} is not a price: {_why(written)}"
    row.findings.error(text.at, row.where(key), message, nearest=_meant(written))
    return None


def warn_of_unused(prices_at: Mapping[str, Position], used: Collection[str], findings: Findings) -> None:
    """Warn of prices for models that no shot uses, since a misspelled model leaves its takes without a price."""
    for model, at in prices_at.items():
        if model not in used:
            nearest = findings.nearest(model, sorted(used))
            meant = f"; did you mean {nearest}?" if nearest else ""
            findings.warn(at, joined("prices", model), f"no shot uses this model{meant}")


def _model_price(prices: Section, model: str) -> Price | None:
    node = prices.fields.items[model]
    if not isinstance(node, Fields):
        return price_of(prices, model)
    given = Section(node, prices.findings, prices.where(model)).check_keys(PRICE_KEYS)
    if "usd" not in given:
        given.findings.error(node.at, given.subject, "needs usd, as in {usd: 0.09, per: second}")
    price, per, dated = price_of(given, "usd"), _unit(given), _day(given)
    return price and replace(price, per=per, dated=dated)


def _why(written: str) -> str:
    if written.startswith("-"):
        return "a price is 0 or more"
    if _COMMA.fullmatch(written):
        return "write a dot before the cents"
    if _PLAIN_BUT_LONG.fullmatch(written):
        return "at most nine digits before the dot and six after it"
    return "write US dollars as a plain number, such as 0.45"


def _meant(written: str) -> str | None:
    marked = _MARKED.fullmatch(written)
    plain = (marked[1] or marked[2]) if marked else written
    plain = plain.replace(",", ".") if _COMMA.fullmatch(plain) else plain
    plain = f"0{plain}" if plain.startswith(".") else plain
    return plain if _PLAIN.fullmatch(plain) and plain != written else None


def _unit(price: Section) -> PriceUnit:
    known = {unit.value: unit for unit in PriceUnit}
    text = price.text("per")
    if text is not None and text.text not in known:
        message = f"{shown(text.text)} is not a unit of a price"
        price.findings.unknown(text.text, known, text.at, price.where("per"), message)
    return known.get(text.text if text else "", PriceUnit.OUTPUT)


def _day(price: Section) -> str:
    text = price.text("dated")
    if text is None:
        return ""
    with suppress(ValueError):
        if _DATE.fullmatch(text.text):
            return date.fromisoformat(text.text).isoformat()
    price.error(text.at, "dated", f"{shown(text.text)} is not a date: write it as 2026-11-01")
    return ""
