"""Reads the manifest's prices: a price by model, and a price of one take on a shot.

In: the fields as written. Out: `Price`s in US dollars, or findings. A price is money, so it is read strictly:
plain digits with a dot, from 0, and nothing that two people could read in two ways. It knows no model and no budget.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date

from runner.domain.shots import Fields, Price, PriceUnit, Shot, Text
from runner.manifest.fields import PRICE_KEYS, check_keys, fields_of, joined, text_of
from runner.manifest.problems import Findings, shown

_PLAIN = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_PLAIN_BUT_LONG = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_COMMA = re.compile(r"\d{1,9},\d{1,6}", re.ASCII)
_MARKED = re.compile(r"(?:US)?\s*\$\s*(.+)|(.+?)\s*(?:\$|USD)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def prices_of(top: Fields, findings: Findings) -> dict[str, Price]:
    """Return the prices by model id that `prices` gives."""
    fields = fields_of(top, "prices", findings)
    found = {model: _model_price(fields, model, findings) for model in fields.items} if fields else {}
    return {model: price for model, price in found.items() if price is not None}


def price_of(fields: Fields, findings: Findings, subject: str) -> Price | None:
    """Return what one take of a shot costs, if its field `price` says so."""
    text = text_of(fields, "price", findings, subject)
    usd = _dollars(text, findings, joined(subject, "price")) if text else None
    return None if usd is None else Price(usd)


def warn_of_unused(prices: Collection[str], top: Fields, shots: Iterable[Shot], findings: Findings) -> None:
    """Warn of prices for models that no shot uses, since a misspelled model leaves its takes without a price."""
    used = {shot.model for shot in shots}
    used |= {variant.model.text for shot in shots for variant in shot.variants if variant.model}
    fields = top.items.get("prices")
    if not isinstance(fields, Fields):
        return
    for model in prices:
        if model not in used:
            nearest = findings.nearest(model, sorted(used))
            meant = f"; did you mean {nearest}?" if nearest else ""
            findings.warn(fields.key_at(model), joined("prices", model), f"no shot uses this model{meant}")


def _model_price(prices: Fields, model: str, findings: Findings) -> Price | None:
    node, subject = prices.items[model], joined("prices", model)
    if not isinstance(node, Fields):
        text = text_of(prices, model, findings, "prices")
        usd = _dollars(text, findings, subject) if text else None
        return None if usd is None else Price(usd)
    check_keys(node, PRICE_KEYS, findings, subject)
    if "usd" not in node.items:
        findings.error(node.at, subject, "needs usd, as in {usd: 0.09, per: second}")
    text = text_of(node, "usd", findings, subject)
    usd = _dollars(text, findings, joined(subject, "usd")) if text else None
    per = _unit(text_of(node, "per", findings, subject), findings, joined(subject, "per"))
    dated = _day(text_of(node, "dated", findings, subject), findings, joined(subject, "dated"))
    return None if usd is None else Price(usd, per, dated=dated)


def _dollars(text: Text, findings: Findings, subject: str) -> float | None:
    written = text.text.strip()
    if _PLAIN.fullmatch(written):
        return float(written)
    message = f"{shown(text.text)} is not a price: {_why(written)}"
    findings.error(text.at, subject, message, nearest=_meant(written))
    return None


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


def _unit(text: Text | None, findings: Findings, subject: str) -> PriceUnit:
    known = {unit.value: unit for unit in PriceUnit}
    if text is None or text.text in known:
        return known[text.text] if text else PriceUnit.OUTPUT
    nearest = findings.nearest(text.text, known)
    message = f"{shown(text.text)} is not a unit of a price"
    findings.error(text.at, subject, message, allowed=known, nearest=nearest)
    return PriceUnit.OUTPUT


def _day(text: Text | None, findings: Findings, subject: str) -> str:
    if text is None:
        return ""
    try:
        day = date.fromisoformat(text.text) if _DATE.fullmatch(text.text) else None
    except ValueError:
        day = None
    if day is None:
        findings.error(text.at, subject, f"{shown(text.text)} is not a date: write it as 2026-11-01")
        return ""
    return day.isoformat()
