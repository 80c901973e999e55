"""`export`: writes a storyboard in another form; one table says which module has which form."""

from __future__ import annotations

import argparse
from importlib import import_module

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
