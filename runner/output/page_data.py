"""The data of a page with many takes, as small script files beside it that are loaded when they are needed.

In: cards, in their order. Out: files by name, and what the page itself holds: the takes that it shows first, and the
names of all files. An index file has the short fields of many takes, by which they are found; a file of takes has all
other fields of a few. It knows neither disk nor HTML.

A script loads from the disk and from a bucket alike, which `fetch` does not. Each is one call with text in base64, in
which no code can be written. Its name has the hash of its content, so no page ever reads the data of another one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TypeAlias, TypedDict

from runner.output.report_view import Card, Found
from runner.system.canonical_json import JsonValue

DATA = "report-data"
"""The folder beside the page."""
FILE_NAME = re.compile(r"(?:index|takes)-[0-9]{4,}-[0-9a-f]{16}\.js", re.ASCII)
_FOUND_BY = frozenset(Found.__annotations__)
_FASTEST = 1
_HASHED = 16

Put: TypeAlias = "Callable[[str, bytes], None]"
"""Keeps a file of data under its name."""
Shown: TypeAlias = "dict[str, object]"
"""A card, or a part of one, with its place in the order of all takes if it is shown first."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many takes a page holds alone, and how many are in a file of takes and an index file beside a larger one."""

    alone: int = 2000
    page: int = 500
    index: int = 10_000


SIZES = Sizes()


class Parts(TypedDict):
    """What a page knows of its data: the number of all takes, of those in a file of either kind, and the addresses."""

    count: int
    page: int
    step: int
    pages: list[str]
    index: list[str]


@dataclass(slots=True)
class Division:
    """Takes in files: `add` them page by page, and `parts` and `first` are what the page itself holds."""

    put: Put
    sizes: Sizes
    parts: Parts = field(init=False)
    first: dict[int, Shown] = field(default_factory=dict)
    _found: list[Shown] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parts = Parts(count=0, page=self.sizes.page, step=self.sizes.index, pages=[], index=[])

    def add(self, cards: Sequence[Card]) -> None:
        """Put one page of takes; all but the last must be full."""
        start, half = self.parts["count"], self.sizes.page // 2
        waiting = {card["shot"] for card in cards if waits(card)} if len(self.first) < 2 * half else ()
        for order, card in enumerate(cards, start):
            if order < half or (card["shot"] in waiting and len(self.first) < 2 * half):
                self.first[order] = {**card, "order": order}
        self.parts["pages"].append(
            self._kept("takes", len(self.parts["pages"]), [further(card) for card in cards])
        )
        self._found += map(found_by, cards)
        self.parts["count"] += len(cards)
        if len(self._found) >= self.sizes.index:
            self._put_index()

    def close(self) -> None:
        """Put what is left of the index."""
        if self._found:
            self._put_index()

    def _put_index(self) -> None:
        self.parts["index"].append(self._kept("index", len(self.parts["index"]), self._found))
        self._found = []

    def _kept(self, kind: str, number: int, value: Sequence[Shown]) -> str:
        data = packed(value)
        name = f"{kind}-{number:04}-{hashlib.sha256(data).hexdigest()[:_HASHED]}.js"
        self.put(name, script(name, data))
        return f"{DATA}/{name}"


def divided(
    cards: Iterable[Card], put: Put, *, sizes: Sizes = SIZES
) -> tuple[Iterable[Card], Division | None]:
    """Put more takes than one page holds into files, and return their division; fewer are returned as they are."""
    left = iter(cards)
    few = list(islice(left, sizes.alone + 1))
    if len(few) <= sizes.alone:
        return few, None
    division, all_cards = Division(put, sizes), chain(few, left)
    while page := list(islice(all_cards, sizes.page)):
        division.add(page)
    division.close()
    return (), division


def found_by(card: Card) -> Shown:
    """Return the fields by which a take is found."""
    return {name: given for name, given in card.items() if name in _FOUND_BY}


def further(card: Card) -> Shown:
    """Return all other fields of a take."""
    return {name: given for name, given in card.items() if name not in _FOUND_BY}


def waits(card: Card) -> bool:
    """Return whether a take needs a person; `needOf` of `filters.js` says the same."""
    if card["standing"] in ("failed", "undeliverable"):
        return bool(card["advice"][0])
    return card["standing"] in ("held", "submitting") or bool(card["flags"] and not card["decision"])


def packed(value: JsonValue | Sequence[Shown] | object) -> bytes:
    """Return a JSON value, deflated and in base64."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("utf-8"), _FASTEST))


def script(name: str, data: bytes) -> bytes:
    """Return the file of this name that hands packed data to its page."""
    return b'arrived("%b","%b")\n' % (name.encode(), data)
