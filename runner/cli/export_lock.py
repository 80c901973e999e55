"""`export lock`: a manifest in which every take is written out."""

from __future__ import annotations

import argparse
import sys

from runner.cli.export import export_as_json, refuse_json
from runner.cli.from_flags import from_stdin, manifest_limits
from runner.cli.terminal import show_result
from runner.commands.export import Lock, lock, lock_recorded, write_lock
from runner.domain.display import PATH_LIMIT, counted, visible
from runner.domain.errors import UsageError


def command(arguments: argparse.Namespace) -> int:
    """Make the lock, and print it or write it."""
    if arguments.out is None:
        refuse_json(arguments)
    made = _made(arguments)
    if arguments.out is None:
        sys.stdout.write(made.text)
        return 0
    write_lock(made, arguments.out, force=arguments.force)
    line = f"wrote {visible(str(arguments.out), PATH_LIMIT)}: {counted(made.takes, 'take')}"
    show_result(arguments, export_as_json("lock", [arguments.out]), [line])
    return 0


def _made(arguments: argparse.Namespace) -> Lock:
    if arguments.recorded:
        from runner.commands.steps.find_run import find_run_to_read

        place = find_run_to_read(arguments.target, simulated=arguments.simulate or None)
        return lock_recorded(place, schema_dirs=arguments.schema_dir)
    if arguments.simulate:
        raise UsageError("--simulate says which run's record is meant", advice="add --recorded")
    limits = manifest_limits(arguments)
    given = from_stdin(arguments.target, limits)
    return lock(arguments.target, schema_dirs=arguments.schema_dir, limits=limits, given=given)
