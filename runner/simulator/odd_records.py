"""Makes records of the API odd but still complete: words, links, ids, bulk, and a token that is repeated.

In: the text of a right record, a rule, and the token of the request. Out: the text of an odd one. It knows no HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from runner.simulator.faults import Fault, Rule
from runner.simulator.jobs import odd_id
from runner.system.canonical_json import JsonValue

Record: TypeAlias = dict[str, JsonValue]
_ELSEWHERE = "https://elsewhere.invalid"


def bent(text: str, rule: Rule, *, token: str) -> str:
    """Return the record in `text` as the rule changes it; any other text stays as it is."""
    record = json.loads(text)
    if not isinstance(record, dict):
        return text
    if rule.fault is Fault.ECHO_TOKEN:
        return _with_words(record, f"seen {_SPELLINGS[rule.manner](token)}")
    return json.dumps(_BENDS[rule.fault](record, rule))


def _word(record: Record, rule: Rule) -> JsonValue:
    if rule.instead_of and record.get("status") != rule.instead_of:
        return record
    if rule.manner == "missing":
        return {name: value for name, value in record.items() if name != "status"}
    words: Mapping[str, JsonValue] = {"text": rule.word, "number": 3, "null": None, "list": [rule.word]}
    return {**record, "status": words[rule.manner]}


def _links_at(record: Record, rule: Rule) -> JsonValue:
    output = record.get("output")
    values = output.values() if isinstance(output, dict) else ()
    links = [link for value in values for link in (value if isinstance(value, list) else [value])]
    if not links:
        return record
    placed = _placed(rule.at.split("."), links)
    rest = {name: value for name, value in record.items() if name != "output"}
    return {**rest, **placed} if isinstance(placed, dict) else placed


def _placed(way: Sequence[str], links: Sequence[JsonValue]) -> JsonValue:
    """Return the links at the end of a path of names; a name that ends in [] holds a list, with one link in each."""
    if not way:
        return links[0]
    name, rest = way[0], way[1:]
    inside = [_placed(rest, [link]) for link in links] if name.endswith("[]") else _placed(rest, links)
    return {name.removesuffix("[]"): inside} if name != "[]" else inside


def _odd_id(record: Record, rule: Rule) -> JsonValue:
    return {**record, "request_id": odd_id(rule.id, str(record.get("request_id")))}


def _bulky(record: Record, rule: Rule) -> JsonValue:
    echo: Record = {"echo": {"image": "data:image/png;base64," + "A" * (rule.bytes or 0)}}
    return {**echo, **record} if rule.manner == "first" else {**record, **echo}


def _foreign_urls(record: Record, rule: Rule) -> JsonValue:
    host = rule.location or _ELSEWHERE
    return {name: f"{host}/{name}" if name.endswith("_url") else value for name, value in record.items()}


_BENDS: Mapping[Fault, Callable[[Record, Rule], JsonValue]] = {
    Fault.WORD: _word,
    Fault.LINKS_AT: _links_at,
    Fault.ODD_ID: _odd_id,
    Fault.BULKY: _bulky,
    Fault.FOREIGN_URLS: _foreign_urls,
}

FAULTS = frozenset({*_BENDS, Fault.ECHO_TOKEN})
"""The faults that change a record."""

_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda token: json.dumps(token)[1:-1],
    "json": lambda token: "".join(f"\\u{ord(sign):04x}" for sign in token),
    "json-upper": lambda token: "".join(f"\\u{ord(sign):04X}" for sign in token),
    "hex": lambda token: token.encode("latin-1").hex(),
    "hex-upper": lambda token: token.encode("latin-1").hex().upper(),
    "percent": lambda token: "".join(f"%{byte:02X}" for byte in token.encode("latin-1")),
    "percent-lower": lambda token: "".join(f"%{byte:02x}" for byte in token.encode("latin-1")),
    "entities": lambda token: "".join(f"&#x{ord(sign):x};" for sign in token),
}


def _with_words(record: Record, words: str) -> str:
    """Return the record with `words`, which is JSON already, as its message, and as its error if it has one."""
    names = [name for name in ("error_message", "message", "error") if record.get(name)] or ["message"]
    rest = json.dumps({name: value for name, value in record.items() if name not in names})
    said = ", ".join(f'"{name}": "{words}"' for name in names)
    return f"{{{said}}}" if rest == "{}" else f"{{{said}, {rest[1:]}"
