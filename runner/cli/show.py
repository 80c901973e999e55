"""`show`: prints everything that is recorded about one take, or a table of the takes of a shot."""

from __future__ import annotations

import argparse

from runner.cli.json_output import envelope
from runner.cli.record_json import attempt_as_json, fact_as_json, links_as_json, take_as_json
from runner.cli.terminal import show, show_json, show_result
from runner.commands.status import TakeHistory, take_history, takes_of_shot
from runner.output.status_text import shot_lines, take_lines


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events; or the takes of a shot."""
    simulated = arguments.simulate or None
    if takes := takes_of_shot(arguments.target, arguments.take, simulated=simulated):
        value = envelope("shot", {"shot": arguments.take, "takes": [*map(take_as_json, takes)]})
        show_result(arguments, value, shot_lines(takes))
        return 0
    found = take_history(arguments.target, arguments.take, simulated=simulated)
    # Only one of the two is made: each searches the whole result for links.
    if arguments.output == "json":
        show_json(_as_json(found))
    else:
        take, attempts, events, whole = found.take, found.attempts, found.events, arguments.verbose
        show(
            take_lines(
                take, attempts, events, schema=found.schema, whole=whole, origin=found.origin, out=found.out
            )
        )
    return 0


def _as_json(found: TakeHistory) -> dict[str, object]:
    return envelope(
        "take",
        {
            "take": take_as_json(found.take),
            "links": links_as_json(found.take.links(found.origin)),
            "schema": found.schema,
            "attempts": [*map(attempt_as_json, found.attempts)],
            "events": [*map(fact_as_json, found.events)],
        },
    )
