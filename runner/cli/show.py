"""`show`: prints everything that is recorded about one take."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runner.cli.terminal import show, show_json
from runner.commands.status import take_history
from runner.output.status_text import take_lines


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events."""
    found = take_history(arguments.target, arguments.take, simulated=arguments.simulate or None)
    take, schema, origin = found.take, found.schema, found.origin
    if arguments.output == "json":
        show_json(
            {
                "take": asdict(take),
                "links": asdict(take.links(origin)),
                "schema": schema,
                "attempts": [asdict(each) for each in found.attempts],
                "events": [asdict(each) for each in found.events],
            }
        )
    else:
        whole = arguments.verbose
        show(take_lines(take, found.attempts, found.events, schema=schema, whole=whole, origin=origin))
    return 0
