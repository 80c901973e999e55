"""`status`: shows where a run stands, from the state file alone and without its lock."""

from __future__ import annotations

import argparse
import json
import os

from runner.commands.steps.find_run import find_run
from runner.commands.steps.known_jobs import known_outside, refuse_forgetful
from runner.commands.steps.open_run import second_places
from runner.domain.states import TakeState
from runner.output.status_text import status_lines
from runner.store.reader import open_reader


def command(arguments: argparse.Namespace) -> int:
    """Print where the run stands."""
    place = find_run(arguments.target, simulated=arguments.simulate or None)
    refuse_forgetful(place, known_outside(place, second_places(os.environ, place.path)))
    with open_reader(place.state_file) as reader:
        header, counts, deliveries = reader.header, reader.counts(), reader.deliveries()
        spending = reader.spending()
        held = []
        if counts.get(TakeState.HELD):
            held = [take for take in reader.takes() if take.state is TakeState.HELD]
    if arguments.output == "json":
        print(
            json.dumps(
                {
                    "name": header.name,
                    "run_dir": str(place.path),
                    "simulated": header.simulated,
                    "takes": dict(counts),
                    "deliveries": dict(deliveries),
                    "held": [take.take_id for take in held],
                    "spent": spending.billed,
                    "estimated": spending.estimated,
                    "without_cost": spending.without_cost,
                },
                indent=1,
            )
        )
    else:
        print("\n".join(status_lines(header, counts, deliveries, held=held, spending=spending)))
    return 0
