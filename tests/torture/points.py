"""Finds every failpoint in the source, so that none can be forgotten.

In: a source tree. Out: the names in `failpoints.hit("…")` calls, in the order of files and lines. It runs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def names(tree: Path) -> tuple[str, ...]:
    """Return the failpoints of the product in `tree`, each once.

    Raises: TypeError where a name is not written out, and could not be found here.
    """
    sources = sorted((tree / "runner").rglob("*.py"))
    return tuple(dict.fromkeys(name for path in sources for name in _names_in(path)))


def _names_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and _called(node.func) == "hit"):
            continue
        (name,) = node.args
        if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
            raise TypeError(f"{path}:{node.lineno}: a failpoint whose name is not written out")
        yield name.value


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        known = isinstance(function.value, ast.Name) and function.value.id == "failpoints"
        return function.attr if known else ""
    return function.id if isinstance(function, ast.Name) else ""
