"""`pause`: asks the session of a run that goes on to submit no more for now."""

from __future__ import annotations

import argparse

from runner.cli.steered import give
from runner.domain.orders import Pause


def command(arguments: argparse.Namespace) -> int:
    """Give the order; return 2 if no session has answered."""
    return give(arguments, Pause())
