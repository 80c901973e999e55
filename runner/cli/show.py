"""`show`: prints everything that is recorded about one take."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from runner.commands.steps.find_run import find_run
from runner.commands.steps.open_for_decision import named
from runner.domain.records import TakeRecord, schema_of
from runner.output.status_text import take_lines
from runner.store.reader import Reader, open_reader


def command(arguments: argparse.Namespace) -> int:
    """Print one take, its attempts and its events."""
    place = find_run(arguments.target, simulated=arguments.simulate or None)
    with open_reader(place.state_file) as reader:
        take = _find(reader, arguments.take)
        attempts, events = reader.attempts(take.take_id), reader.events(take.take_id)
        schema, origin = schema_of(take, reader.schemas()), reader.header.api_base
    if arguments.output == "json":
        record = {"take": asdict(take), "links": asdict(take.links(origin)), "schema": schema}
        rest = {"attempts": [asdict(each) for each in attempts], "events": [asdict(each) for each in events]}
        print(json.dumps(record | rest, indent=1, default=dict))
    else:
        whole = arguments.verbose
        lines = take_lines(take, attempts, events, schema=schema, whole=whole, origin=origin)
        print("\n".join(lines))
    return 0


def _find(reader: Reader, name: str) -> TakeRecord:
    take = reader.take(name)
    if take is not None:
        return take
    return named(reader.takes(), [name])[0]
