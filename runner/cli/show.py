"""`show`: prints everything that is recorded about one take, or a table of the takes of a shot."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runner.cli.terminal import show, show_json, show_result
from runner.commands.status import TakeHistory, take_history, takes_of_shot
from runner.domain.output_links import OutputLinks
from runner.domain.records import TakeRecord
from runner.output.status_text import shot_lines, take_lines


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events; or the takes of a shot."""
    simulated = arguments.simulate or None
    if takes := takes_of_shot(arguments.target, arguments.take, simulated=simulated):
        value = {"shot": arguments.take, "takes": [_take_as_json(take) for take in takes]}
        show_result(arguments, value, shot_lines(takes))
        return 0
    found = take_history(arguments.target, arguments.take, simulated=simulated)
    # Only one of the two is made: each searches the whole result for links.
    if arguments.output == "json":
        show_json(_as_json(found))
    else:
        take, attempts, events, whole = found.take, found.attempts, found.events, arguments.verbose
        show(take_lines(take, attempts, events, schema=found.schema, whole=whole, origin=found.origin))
    return 0


def _as_json(found: TakeHistory) -> dict[str, object]:
    return {
        "take": _take_as_json(found.take),
        "links": _links_as_json(found.take.links(found.origin)),
        "schema": found.schema,
        "attempts": [asdict(each) for each in found.attempts],
        "events": [asdict(each) for each in found.events],
    }


def _take_as_json(take: TakeRecord) -> dict[str, object]:
    return {"take_id": take.take_id, "label": take.label, **asdict(take)}


def _links_as_json(links: OutputLinks) -> dict[str, object]:
    return {
        "taken": [{"url": link.text, "place": link.place} for link in links.taken],
        "left": [{"text": link.text, "place": link.place, "why": link.why} for link in links.left],
        "beyond": links.beyond,
        "only": links.only,
    }
