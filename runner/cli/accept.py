"""`accept`: keeps the clips of stale takes for the rows as they are now."""

from __future__ import annotations

import argparse

from runner.cli.from_flags import choice_of, manifest_limits, opening_of, user_name
from runner.cli.record_json import decision_as_json
from runner.cli.terminal import note, show, show_json
from runner.commands.accept import accept
from runner.domain.display import visible


def command(arguments: argparse.Namespace) -> int:
    """Record the decision and print what it means."""
    decided = accept(
        arguments.target,
        names=arguments.takes,
        choice=choice_of(arguments),
        everything=arguments.all,
        by=user_name(),
        simulated=arguments.simulate or None,
        schema_dirs=arguments.schema_dir,
        manifest_limits=manifest_limits(arguments),
        opening=opening_of(arguments),
    )
    if arguments.output == "json":
        show_json(decision_as_json("accept", decided))
        return 0
    kept = "kept as it is; it counts as current until its row changes again"
    show(f"{visible(take_id)}: {kept}" for take_id in decided.take_ids)
    note(decided.remarks)
    return 0
