"""`show`: prints everything that is recorded about one take."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runner.cli.terminal import show_result
from runner.commands.status import take_history
from runner.domain.output_links import OutputLinks
from runner.output.status_text import take_lines


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events."""
    found = take_history(arguments.target, arguments.take, simulated=arguments.simulate or None)
    take, schema, origin = found.take, found.schema, found.origin
    attempts, events, whole = found.attempts, found.events, arguments.verbose
    value = {
        "take": asdict(take),
        "links": _links_as_json(take.links(origin)),
        "schema": schema,
        "attempts": [asdict(each) for each in attempts],
        "events": [asdict(each) for each in events],
    }
    lines = take_lines(take, attempts, events, schema=schema, whole=whole, origin=origin)
    show_result(arguments, value, lines)
    return 0


def _links_as_json(links: OutputLinks) -> dict[str, object]:
    return {
        "taken": [{"url": link.text, "place": link.place} for link in links.taken],
        "left": [{"text": link.text, "place": link.place, "why": link.why} for link in links.left],
        "beyond": links.beyond,
        "only": links.only,
    }
