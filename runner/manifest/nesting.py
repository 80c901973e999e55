"""Parts of nested inputs by dotted name: whether `camera.zoom` is given, and an input with another value there.

In: nodes and paths of names. Out: a node, or yes and no. It knows no model: a path that leads nowhere is no mistake.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.domain.shots import Fields, Items, Node, Text


def holds(node: Node, path: Sequence[str]) -> bool:
    """Return whether something is written at `path` inside `node`."""
    inner: Node | None = node
    for name in path:
        inner = _part(inner, name) if inner is not None else None
    return inner is not None


def with_value_at(node: Node, path: Sequence[str], value: Text) -> Node | None:
    """Return `node` with `value` at `path`, all else as it was, or None if one value stands where a part is named."""
    if not path:
        return value
    name, *rest = path
    if isinstance(node, Text):
        return None
    inner = with_value_at(_part(node, name) or Fields({}, value.at), rest, value)
    if inner is None:
        return None
    if isinstance(node, Fields):
        return Fields({**node.items, name: inner}, node.at, {**node.keys_at, name: value.at})
    # A list's places are counted from 0, and a sweep adds none.
    if not holds(node, [name]):
        return None
    return Items(tuple(inner if n == int(name) else item for n, item in enumerate(node)), node.at)


def _part(node: Node, name: str) -> Node | None:
    if isinstance(node, Fields):
        return node.items.get(name)
    if isinstance(node, Items) and name.isascii() and name.isdecimal() and int(name[:9]) < len(node.items):
        return node.items[int(name[:9])]
    return None
