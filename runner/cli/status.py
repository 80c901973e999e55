"""`status`: shows where a run stands, from the state file alone and without its lock."""

from __future__ import annotations

import argparse

from runner.cli.terminal import show_result
from runner.commands.status import status
from runner.domain.clip_checks import flags_as_json
from runner.domain.display import visible
from runner.output.status_text import choice_line, status_lines


def command(arguments: argparse.Namespace) -> int:
    """Print where the run stands."""
    found = status(arguments.target, simulated=arguments.simulate or None)
    value = {
        "name": found.header.name,
        "run_dir": str(found.run_dir),
        "simulated": found.header.simulated,
        "takes": dict(found.counts),
        "deliveries": dict(found.deliveries),
        "held": [take.take_id for take in found.held],
        "flagged": [
            {"take": take.take_id, "label": take.label, "flags": flags_as_json(take.flags)}
            for take in found.flagged
        ],
        "labels": {take.take_id: take.label for take in found.held},
        "spent": found.spending.billed,
        "estimated": found.spending.estimated,
        "without_cost": found.spending.without_cost,
    }
    lines = status_lines(
        found.header,
        found.counts,
        found.deliveries,
        held=found.held,
        spending=found.spending,
        flagged=found.flagged,
    )
    if counts := found.choices:
        said = (
            visible(counts.fault)
            if counts.fault
            else choice_line(counts.picked, counts.shots, counts.rejected)
        )
        lines.insert(2, said)
    show_result(arguments, value, lines)
    return 0
