"""`accept`: keeps the clips of stale takes for the rows as they are now."""

from __future__ import annotations

import argparse
import sys

from runner.cli.prompts import choice_of, opening_of, user_name
from runner.cli.stdin_manifest import manifest_limits
from runner.commands.accept import keep_stale
from runner.commands.check import check
from runner.commands.steps.api_session import manifest_of, recorded_request
from runner.commands.steps.find_run import find_run
from runner.domain.display import visible
from runner.domain.errors import UsageError
from runner.store.reader import open_reader


def command(arguments: argparse.Namespace) -> int:
    """Record the decision and print what it means."""
    place = find_run(arguments.target, simulated=arguments.simulate or None)
    choice = choice_of(arguments)
    if bool(arguments.takes) + (not choice.is_all) + arguments.all != 1:
        raise UsageError("which takes?", advice="name them, or say --only WHAT, or --all")
    with open_reader(place.state_file) as reader:
        header = reader.header
    manifest = arguments.target if arguments.target.is_file() else manifest_of(place, header)
    private = recorded_request(place, header).on_this_machine
    plan = check(
        manifest,
        schema_dirs=arguments.schema_dir,
        allow_private_media=private,
        limits=manifest_limits(arguments),
    )
    decided = keep_stale(
        place, plan, names=arguments.takes, choice=choice, by=user_name(), opening=opening_of(arguments)
    )
    for take_id in decided.take_ids:
        print(f"{visible(take_id)}: kept as it is; it counts as current until its row changes again")
    for remark in decided.remarks:
        print(visible(remark), file=sys.stderr)
    return 0
