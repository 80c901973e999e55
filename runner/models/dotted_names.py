"""Folds dotted names (`camera.zoom`, `images.0`) into mappings and lists, as a CSV header writes them.

In: inputs by name, some dotted. Out: inputs by the model's own names, each leaf with its own position. It knows the
model's names only as a set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node
from runner.models.coerce import Reading

_Tree: TypeAlias = "dict[str, _Tree | Node]"


def fold(
    inputs: Mapping[str, Node],
    *,
    names: Collection[str],
    keys_at: Mapping[str, Position],
    reading: Reading,
) -> Mapping[str, Node]:
    """Return `inputs` with dotted names folded under the input that they begin with; others stay as they are."""
    dotted = {
        name for name in inputs if name not in names and name.partition(".")[0] in names and "." in name
    }
    if not dotted:
        return inputs
    plain: _Tree = {name: node for name, node in inputs.items() if name not in dotted}
    tree: _Tree = dict(plain)
    for name in inputs:
        if name in dotted and not _inserted(tree, name.split("."), inputs[name]):
            at = keys_at.get(name, inputs[name].at)
            reading.complain(at, f"inputs.{name}", "is given here and also as part of another input")
    return {name: _built(branch, keys_at, name) for name, branch in tree.items()}


def _inserted(tree: _Tree, path: list[str], node: Node) -> bool:
    """Put `node` at `path`; return false if another value is in its way."""
    *stems, leaf = path
    for stem in stems:
        branch = tree.setdefault(stem, {})
        if not isinstance(branch, dict):
            return False
        tree = branch
    return tree.setdefault(leaf, node) is node


def _built(branch: _Tree | Node, keys_at: Mapping[str, Position], name: str) -> Node:
    if not isinstance(branch, dict):
        return branch
    nodes = {key: _built(value, keys_at, f"{name}.{key}") for key, value in branch.items()}
    at = next(iter(nodes.values())).at
    # Keys that count from 0 are the places of a list, whatever the order of the columns.
    if set(nodes) == {str(i) for i in range(len(nodes))}:
        return Items(tuple(nodes[str(i)] for i in range(len(nodes))), at)
    places = {key: keys_at.get(f"{name}.{key}", node.at) for key, node in nodes.items()}
    return Fields(nodes, at, places)
