"""`show`: prints everything that is recorded about one take."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runner.cli.terminal import show, show_json
from runner.commands.status import TakeHistory, take_history
from runner.domain.output_links import OutputLinks
from runner.output.status_text import take_lines


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events."""
    found = take_history(arguments.target, arguments.take, simulated=arguments.simulate or None)
    # Only one of the two is made: each searches the whole result for links.
    if arguments.output == "json":
        show_json(_as_json(found))
    else:
        take, attempts, events, whole = found.take, found.attempts, found.events, arguments.verbose
        show(take_lines(take, attempts, events, schema=found.schema, whole=whole, origin=found.origin))
    return 0


def _as_json(found: TakeHistory) -> dict[str, object]:
    return {
        "take": asdict(found.take),
        "links": _links_as_json(found.take.links(found.origin)),
        "schema": found.schema,
        "attempts": [asdict(each) for each in found.attempts],
        "events": [asdict(each) for each in found.events],
    }


def _links_as_json(links: OutputLinks) -> dict[str, object]:
    return {
        "taken": [{"url": link.text, "place": link.place} for link in links.taken],
        "left": [{"text": link.text, "place": link.place, "why": link.why} for link in links.left],
        "beyond": links.beyond,
        "only": links.only,
    }
