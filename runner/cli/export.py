"""`export`: writes a storyboard in another form; one table says which module has which form."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from runner.cli.json_output import commands_as_json, envelope
from runner.domain.errors import UsageError

_TIMELINE = "export_timeline"

MODULES = {
    "lock": "export_lock",
    **dict.fromkeys(("cut", "contact-sheet", "gif", "webp"), "export_cut"),
    **dict.fromkeys(("otio", "otioz", "edl", "fcpxml", "fcp7", "csv", "ffconcat"), _TIMELINE),
}
"""The module of `runner.cli` that has the command of each form; it is loaded when it is asked for."""


def command(arguments: argparse.Namespace) -> int:
    """Carry out the command of the form that was asked for."""
    return int(import_module(f"runner.cli.{MODULES[arguments.form]}").command(arguments))


def refuse_json(arguments: argparse.Namespace) -> None:
    """Refuse JSON where the export itself is printed."""
    if arguments.output == "json":
        raise UsageError("the export itself is printed, not JSON", advice="give a file: -o FILE")


def export_as_json(
    form: str, files: Sequence[Path], remarks: Sequence[str] = (), *, next_words: Sequence[str] = ()
) -> dict[str, object]:
    """Return which files an export wrote, and what a person should know of them."""
    return envelope(
        "export",
        {
            "form": form,
            "files": [*map(str, files)],
            "remarks": list(remarks),
            "next": commands_as_json(next_words) if next_words else [],
        },
    )
