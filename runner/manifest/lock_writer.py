"""Writes takes as the text of a YAML manifest, which reads back as the same takes.

Every text is in double quotes with JSON's escapes, which YAML reads the same way. So `16:9`, `no`, `007` and blanks at
the ends stay what they are. It does not prove that a model still reads the values the same way.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from runner.domain.shots import Price, PriceUnit, Take
from runner.system.canonical_json import JsonValue
from runner.system.csv_cells import literal

# These are legal in JSON, but line ends, marks or control characters to YAML (YAML 1.2, 5.1 and 5.4).
_NOT_PLAIN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def lock_text(takes: Sequence[Take], *, name: str, remarks: Sequence[str]) -> str:
    """Return the manifest; `remarks` become comments in its first lines.

    A price that all takes of a model share is written once. Otherwise each take has its own, as far as a row can.
    """
    prices: dict[str, set[Price | None]] = defaultdict(set)
    for take in takes:
        prices[take.model].add(take.price)
    shared = {model: price for model, (price, *others) in prices.items() if not others}
    written = {model: price for model, price in sorted(shared.items()) if price}
    lines = [f"# {remark}".rstrip() for remark in remarks]
    lines += ["version: 1", f"name: {_quoted(name)}"]
    if written:
        lines += ["prices:", *(f"  {_quoted(model)}: {_price(price)}" for model, price in written.items())]
    lines += ["shots:", *(line for take in takes for line in _entry(take, priced=take.model not in shared))]
    return "\n".join(lines) + "\n"


def _entry(take: Take, *, priced: bool) -> Iterator[str]:
    yield f"  - take: {_quoted(take.id)}"
    if take.point:
        yield f"    point: {_quoted(json.dumps(dict(take.point), ensure_ascii=False, separators=(',', ':')))}"
    yield f"    id: {_quoted(take.shot_id)}"
    yield f"    model: {_quoted(take.model)}"
    inputs: dict[str, JsonValue] = json.loads(take.body)
    yield "    inputs:" if inputs else "    inputs: {}"
    yield from (f"      {_quoted(given)}: {_quoted(_literal(value))}" for given, value in inputs.items())
    if take.tags:
        yield f"    tags: {_quoted([*take.tags])}"
    if take.notes:
        yield f"    notes: {_quoted(take.notes)}"
    if priced and take.price and take.price.per is PriceUnit.OUTPUT:
        yield f"    price: {_dollars(take.price.usd)}"


def _literal(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return literal(value)
        case list():
            return [_literal(item) for item in value]
        case dict():
            return {key: _literal(inner) for key, inner in value.items()}
    return value


def _quoted(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PLAIN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _price(price: Price) -> str:
    dated = f", dated: {_quoted(price.dated)}" if price.dated else ""
    return f"{{usd: {_dollars(price.usd)}, per: {price.per.value}{dated}}}"


def _dollars(usd: float) -> str:
    return f"{usd:.6f}".rstrip("0").rstrip(".")
