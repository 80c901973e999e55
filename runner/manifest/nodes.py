"""Finds, combines and replaces parts of nodes: the mappings, lists and texts of a manifest.

In: nodes. Out: nodes or facts about them; none is ever changed. It knows no field and reports nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.templates import has_template

# A comma in a cell needs quotes around the cell, so people use the other separators.
SEPARATOR = re.compile(r"[;,\s]+")
"""What separates words, or seeds, that are written in one text."""


def words_of(node: Node | None) -> tuple[Node, ...]:
    """Return the entries of a list that may also be written as one text; what is neither is its own only entry."""
    if isinstance(node, Items):
        return node.items
    if isinstance(node, Text) and not node.is_null:
        return tuple(Text(word, node.at, quoted=True) for word in SEPARATOR.split(node.text) if word)
    return () if node is None else (node,)


class Weight(NamedTuple):
    """How many values and characters a node holds, and whether any of its texts is a template."""

    values: int
    characters: int
    templated: bool


def weigh(node: Node) -> Weight:
    """Return the weight of a node with all that it holds."""
    if isinstance(node, Text):
        return Weight(1, len(node.text), has_template(node.text))
    inner = [weigh(child) for child in (node.items if isinstance(node, Items) else node.items.values())]
    return Weight(
        1 + sum(child.values for child in inner),
        sum(child.characters for child in inner),
        any(child.templated for child in inner),
    )


def layered(at: Position, *layers: Fields) -> Fields:
    """Return several mappings as one; the later ones win."""
    items: dict[str, Node] = {}
    keys_at: dict[str, Position] = {}
    for layer in layers:
        items.update(layer.items)
        keys_at.update((name, layer.key_at(name)) for name in layer.items)
    return Fields(items, at, keys_at)


def part_at(node: Node, path: Sequence[str]) -> Node | None:
    """Return what is written at `path` inside `node`; the places of a list count from 0."""
    for name in path:
        inner: Node | None = None
        if isinstance(node, Fields):
            inner = node.items.get(name)
        elif isinstance(node, Items) and name.isascii() and name.isdecimal():
            place = int(name[:9])
            inner = node.items[place] if place < len(node.items) else None
        if inner is None:
            return None
        node = inner
    return node


def with_value_at(node: Node, path: Sequence[str], value: Text) -> Node | None:
    """Return `node` with only the value at `path` replaced, or None if a scalar stands where a part is named."""
    if not path:
        return value
    name, *rest = path
    part = part_at(node, [name])
    inner = with_value_at(part or Fields({}, value.at), rest, value)
    if inner is None:
        return None
    if isinstance(node, Fields):
        return Fields({**node.items, name: inner}, node.at, {**node.keys_at, name: value.at})
    # A sweep does not add places to a list.
    if isinstance(node, Text) or part is None:
        return None
    return Items(tuple(inner if n == int(name) else item for n, item in enumerate(node)), node.at)
