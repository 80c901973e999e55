"""Writes takes as the text of a YAML manifest, which reads back as the same takes.

Every text is in double quotes with JSON's escapes, which YAML reads the same way. So `16:9`, `no`, `007` and blanks at
the ends stay what they are. It does not prove that a model still reads the values the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.domain.shots import Price
from runner.system.canonical_json import JsonValue
from runner.system.csv_cells import literal

# These are legal in JSON, but line ends, marks or control characters to YAML (YAML 1.2, 5.1 and 5.4).
_NOT_PLAIN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class LockedTake:
    """One take to write; `body` is its request body as JSON text, `price` is in US dollars for this take alone."""

    id: str
    shot_id: str
    model: str
    body: str
    point: Mapping[str, JsonValue]
    tags: tuple[str, ...] = ()
    notes: str = ""
    price: float | None = None


def lock_text(
    takes: Iterable[LockedTake], *, name: str, remarks: Sequence[str], prices: Mapping[str, Price]
) -> str:
    """Return the manifest; `remarks` become comments in its first lines, and `prices` are by model id."""
    lines = [f"# {remark}".rstrip() for remark in remarks]
    lines += ["version: 1", f"name: {_quoted(name)}"]
    if prices:
        lines += ["prices:", *(f"  {_quoted(model)}: {_price(prices[model])}" for model in sorted(prices))]
    lines += ["shots:", *(line for take in takes for line in _entry(take))]
    return "\n".join(lines) + "\n"


def _entry(take: LockedTake) -> Iterator[str]:
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
    if take.price is not None:
        yield f"    price: {_dollars(take.price)}"


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
