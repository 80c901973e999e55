"""`reject`: records which takes a person does not want."""

from __future__ import annotations

import argparse

from runner.cli.pick import record
from runner.domain.errors import UsageError
from runner.domain.picks import Decision


def command(arguments: argparse.Namespace) -> int:
    """Record the rejection and show what counts now."""
    if not arguments.takes:
        raise UsageError("which takes?", advice="name a shot and its takes, or one label such as s010_t02")
    record(arguments, Decision.REJECT)
    return 0
