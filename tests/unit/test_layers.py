"""The house as `docs/architecture.md` draws it, proved from the source, lazy imports included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runner"
PAGE = ROOT / "docs" / "architecture.md"
ENTRY = frozenset({"__init__", "__main__"})
MOST_FLOORS = 7


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Return what each module imports anywhere in it; our own modules without `runner.` at the front."""
    return {_module(path): frozenset(_imported(path)) for path in sorted(PACKAGE.rglob("*.py"))}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("runner.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = ROOT.joinpath(*node.module.split("."), alias.name)
                is_module = whole.with_suffix(".py").is_file() or whole.is_dir()
                name = f"{node.module}.{alias.name}" if is_module else node.module
                yield name.removeprefix("runner.")


def named(cell: str) -> frozenset[str]:
    """Return what a cell of a table names in code quotes."""
    return frozenset(re.findall(r"`([^`]+)`", cell))


def table(first: str) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Yield what the first two cells name, for each row of the page's table whose first column is `first`."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"| {first} |")
    for line in rest.partition("\n\n")[0].splitlines()[2:]:
        cells = line.split("|")
        yield named(cells[1]), named(cells[2])


def rooms() -> Mapping[str, frozenset[str]]:
    """Return the rooms of the page with the rooms that each may import."""
    return {room: below for names, below in table("room") for room in names}


def test_each_room_imports_only_what_the_table_lets_it() -> None:
    allowed = rooms()
    assert set(allowed) | ENTRY == {module.split(".")[0] for module in imports()}
    wrong = [
        f"{module} must not import {name}"
        for module, names in imports().items()
        for name in names
        if (room := module.split(".")[0]) not in ENTRY
        and (other := name.split(".")[0]) in allowed
        and other not in allowed[room] | {room}
    ]
    assert not wrong


def test_imports_make_no_cycle_and_few_floors() -> None:
    floors: dict[str, int] = {}

    def floor(node: str, graph: Mapping[str, frozenset[str]], trail: tuple[str, ...] = ()) -> int:
        assert node not in trail, f"cycle: {' → '.join((*trail, node))}"
        if node not in floors:
            below = (floor(other, graph, (*trail, node)) for other in graph[node] & graph.keys())
            floors[node] = 1 + max(below, default=0)
        return floors[node]

    for module in imports():
        floor(module, imports())
    floors.clear()
    assert max(floor(room, rooms()) for room in rooms()) + 1 <= MOST_FLOORS


def test_each_outside_library_has_the_doors_of_the_table() -> None:
    doors = {library: among for libraries, among in table("library") for library in libraries}
    wrong = [
        f"{module} must not import {library}"
        for module, names in imports().items()
        for library in {name.split(".")[0] for name in names} & doors.keys()
        if not any(f"{module}.".startswith(f"{door}.") for door in doors[library])
    ]
    assert not wrong


def test_the_paid_path_reaches_no_client_but_its_own() -> None:
    """What the client of the reads may do with a request, such as repeat it, cannot happen to a POST that is paid."""
    reached: set[str] = set()
    waiting = {"api.submit_client", "api.hook_selftest"}
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= {name for name in imports().get(module, ()) if name not in reached}
    assert "httpx" in reached
    assert not reached & {"api.read_pool", "aiohttp", "yarl"}


def test_no_test_imports_a_private_name() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} must not import {alias.name}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("runner.")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.endswith("__")
    ]
    assert not wrong
