"""The parts of the documents that are made from the program: help texts, states, faults; the examples' editor schema.

Each stands between a line `<!-- generated: NAME -->` and a line `<!-- end -->`. Run `python -m tests.generated_docs`
from the root of a checkout to write them anew. In: the program. Out: Markdown. It decides no wording of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from runner.cli.parser import build_parser
from runner.commands.steps.editor_schema import EDITOR_SCHEMA, editor_schema
from runner.domain.states import DELIVERIES, TRANSITIONS, TakeState
from runner.models.registry import Models
from runner.simulator.fault_rules import Route
from runner.simulator.faults import FAULTS

ROOT = Path(__file__).parents[1]
HOMES: Mapping[str, tuple[str, ...]] = {
    "docs/reference.md": ("help", "states"),
    "docs/commands.md": ("help",),
    "docs/architecture.md": ("transitions", "deliveries"),
    "docs/simulator.md": ("faults",),
}
"""Which document holds which kinds of parts: `help` is that of the whole program, or of one command."""

OF_EXAMPLES = f"manifests/{EDITOR_SCHEMA}"
"""The schema for editors beside the examples."""

_PART = re.compile(r"<!-- generated: (?P<name>[a-z ]+) -->\n(?P<text>.*?)\n?<!-- end -->", re.DOTALL)


def commands() -> tuple[str, ...]:
    """Return the names of all commands, in the order of the parser."""
    return tuple(
        name
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    )


def help_text(command: str = "") -> str:
    """Return what `shotrunner [command] --help` prints on a terminal of 80 columns without colour."""
    environ = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHON_COLORS": "0"}
    words = [sys.executable, "-m", "runner", *command.split(), "--help"]
    done = subprocess.run(words, env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def same_help(text: str) -> str:
    """Return a help text without what Python's own formatting changes from version to version.

    Lines are folded differently, and since 3.13 an option's value stands once, after its last name.
    """
    once = re.sub(r"(-\w|--[\w-]+) ([A-Z]+), (--[\w-]+) \2", r"\1, \3 \2", text)
    return " ".join(once.split())


def _help(command: str) -> str:
    return f"```text\n{help_text(command)}\n```"


def moves() -> dict[tuple[str, str], list[str]]:
    """Return the arrows of the states' diagram: from and to, and the facts that lead along."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, fact), targets in TRANSITIONS.items():
        for target in TakeState:
            if target in targets:
                arrows.setdefault((state, target), []).append(fact.__name__)
    return arrows


def states_diagram() -> str:
    """Return the table of transitions as a Mermaid diagram."""
    lines = ["stateDiagram-v2", "    direction LR", f"    [*] --> {TakeState.PENDING}"]
    lines += [f"    {start} --> {end}: {', '.join(facts)}" for (start, end), facts in moves().items()]
    lines += [f"    {state} --> [*]" for state in (TakeState.SUCCEEDED, TakeState.DROPPED)]
    return "\n".join(["```mermaid", *lines, "```"])


def transitions_table() -> str:
    """Return the table of transitions, a line for each entry."""
    rows = [
        (state, fact.__name__, ", ".join(target for target in TakeState if target in targets))
        for (state, fact), targets in TRANSITIONS.items()
    ]
    return _table(("from", "fact", "to"), rows)


def deliveries_table() -> str:
    """Return the table of what may happen to a clip, a line for each entry."""
    rows = [(state, fact.__name__, target) for (state, fact), target in DELIVERIES.items()]
    return _table(("from", "fact", "to"), rows)


def faults_table() -> str:
    """Return every fault, where it can strike, what it does, and its settings with their usual values."""
    rows = [
        (
            f"`{fault.name}`",
            "any" if fault.routes == frozenset(Route) else ", ".join(r for r in Route if r in fault.routes),
            fault.says,
            ", ".join(
                f"`{name}`" if usual in {None, ""} else f"`{name}` ({str(usual).removesuffix('.0')})"
                for name, (_, usual) in fault.settings.items()
            ),
        )
        for fault in FAULTS.values()
    ]
    return _table(("fault", "routes", "what is seen", "settings, and their values unless given"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


_MAKERS: Mapping[str, Callable[[], str]] = {
    "states": states_diagram,
    "transitions": transitions_table,
    "deliveries": deliveries_table,
    "faults": faults_table,
}


def made(name: str) -> str:
    """Return the part called `name` as the program makes it today."""
    if name == "help" or name.startswith("help "):
        return _help(name.removeprefix("help").strip())
    return _MAKERS[name]()


def parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of every generated part of a document."""
    for found in _PART.finditer(text):
        yield found["name"], found["text"]


def renewed(text: str) -> str:
    """Return a document with all its generated parts made anew."""
    return _PART.sub(
        lambda found: f"<!-- generated: {found['name']} -->\n{made(found['name'])}\n<!-- end -->", text
    )


def main() -> None:
    """Write every generated part anew."""
    fresh = {name: renewed((ROOT / name).read_text("utf-8")) for name in HOMES}
    fresh[OF_EXAMPLES] = editor_schema(Models.bundled())
    for name, text in fresh.items():
        path = ROOT / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
