"""`show`: prints everything that is recorded about one take."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runner.cli.terminal import show_result
from runner.commands.status import take_history
from runner.output.status_text import take_lines


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events."""
    found = take_history(arguments.target, arguments.take, simulated=arguments.simulate or None)
    take, schema, origin = found.take, found.schema, found.origin
    attempts, events, whole = found.attempts, found.events, arguments.verbose
    value = {
        "take": asdict(take),
        "links": asdict(take.links(origin)),
        "schema": schema,
        "attempts": [asdict(each) for each in attempts],
        "events": [asdict(each) for each in events],
    }
    lines = take_lines(take, attempts, events, schema=schema, whole=whole, origin=origin)
    show_result(arguments, value, lines)
    return 0
