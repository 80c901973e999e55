"""Imports go down only: the floors of the house, proved from the source, lazy imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runner"

WORDS = frozenset(
    {
        "errors",
        "states",
        "shots",
        "answers",
        "cells",
        "clock",
        "backoff",
        "run_events",
        "run_ending",
        "escapes",
        "spelling",
        "hosts",
        "failpoints",
        "version",
        "disk_errors",
        "private_files",
        "money",
        "differences",
        "web_links",
        "link_names",
        "output_links",
    }
)
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "cells": frozenset(),
    "escapes": frozenset(),
    "spelling": frozenset({"escapes"}),
    "hosts": frozenset(),
    "version": frozenset(),
    "failpoints": frozenset({"errors"}),
    "disk_errors": frozenset({"errors"}),
    "private_files": frozenset(),
    "states": frozenset({"errors"}),
    "shots": frozenset({"errors", "states"}),
    "answers": frozenset({"states"}),
    "money": frozenset({"shots"}),
    "differences": frozenset({"shots"}),
    "output_links": frozenset({"shots", "web_links", "link_names"}),
    "link_names": frozenset({"shots"}),
    "web_links": frozenset({"hosts"}),
    "pacing": WORDS,
    "wording": WORDS,
    "sentences": WORDS | {"wording"},
    "outlet": frozenset({"escapes"}),
    "manifest": WORDS,
    "models": WORDS,
    "plan": WORDS | {"models"},
    "engine": WORDS | {"pacing"},
    "transport": WORDS,
    "api": WORDS | {"pacing", "transport"},
    "store": WORDS,
    "delivery": WORDS | {"transport"},
    "preflight": WORDS | {"pacing", "wording", "models", "transport"},
    "progress": WORDS | {"pacing", "wording", "sentences", "outlet", "engine.ports"},
    "reporting": WORDS | {"wording", "store.records"},
    "simulator": WORDS | {"models"},
    "testing": WORDS | {"engine.ports"},
}
"""Room to the rooms below it that it may know; a dotted name is one file of a room. Not listed: the top floor."""

TOP = frozenset(
    {
        "threads",
        "checking",
        "leaks",
        "contact",
        "deciding",
        "keeping",
        "following",
        "desk",
        "retrying",
        "cancelling",
        "upkeep",
        "session",
        "window",
        "live",
        "summary",
        "run",
        "rundir",
        "write_check",
        "opening",
        "recalling",
        "recovering",
        "surveying",
        "quoting",
        "barring",
        "restoring",
        "planning",
        "pricing",
        "choosing",
        "exporting",
        "cataloguing",
        "drifting",
        "stopping",
        "cli",
        "__main__",
        "witnesses",
        "rebuilding",
        "__init__",
    }
)

ONLY_IN = {
    "httpx": {"transport"},
    "sqlite3": {"store"},
    "tqdm": {"progress"},
    "pandas": {"reporting"},
    "jinja2": {"reporting"},
    "jsonschema": {"models"},
    "referencing": {"models"},
    "yaml": {"manifest", "simulator"},
    "starlette": {"simulator"},
    "uvicorn": {"simulator"},
    "av": {"simulator"},
    "PIL": {"simulator"},
    "filelock": {"store"},
    "argparse": {"cli"},
}
"""A library to the rooms that may know it: one seam for each outside thing."""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, at the top or anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (ROOT / Path(*whole.split("."))).with_suffix(".py").is_file()
                yield whole if is_module or (ROOT / Path(*whole.split("."))).is_dir() else node.module


def inside(path: Path) -> set[str]:
    return {name.removeprefix("runner.") for name in imported(path) if name.startswith("runner.")}


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_imports_go_down_only(path: Path) -> None:
    module = module_of(path)
    room = module.split(".")[0]
    if room in TOP:
        return
    allowed = MAY_IMPORT[room]
    for name in inside(path):
        other = name.split(".")[0]
        fits = (
            other == room
            or other in allowed
            or any(name == one or name.startswith(one + ".") for one in allowed)
        )
        assert fits, f"{module} must not import {name}"


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_each_outside_library_has_one_door(path: Path) -> None:
    room = module_of(path).split(".")[0]
    for name in imported(path):
        library = name.split(".")[0]
        assert room in ONLY_IN.get(library, {room}), f"{module_of(path)} must not import {library}"


def test_nobody_imports_the_top_floor() -> None:
    for path in sources():
        if module_of(path).split(".")[0] not in TOP:
            assert not {name.split(".")[0] for name in inside(path)} & TOP, module_of(path)


def test_there_is_no_cycle() -> None:
    graph = {module_of(path): inside(path) for path in sources()}
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"cycle: {' → '.join((*trail, module))}"
        if module in done:
            return
        for other in graph.get(module, ()):
            walk(other, (*trail, module))
        done.add(module)

    for module in graph:
        walk(module, ())


def test_the_table_lists_every_room() -> None:
    rooms = {module_of(path).split(".")[0] for path in sources()}
    assert rooms == set(MAY_IMPORT) | TOP


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_every_module_says_what_it_holds(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
