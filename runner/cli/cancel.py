"""`cancel`: asks the API to cancel jobs, and reports what became of each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from runner.cli.prompts import choice_of, opening_of, user_name
from runner.commands.cancel import CancelOutcome, cancel
from runner.commands.reconcile import NEEDS_DECISION
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import find_run
from runner.commands.steps.follow_renames import follow_names
from runner.commands.steps.open_for_decision import named
from runner.domain.display import visible
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.states import OUT_THERE, TakeState
from runner.plan.selection import pick
from runner.store.reader import open_reader

GOES_ON = 2
_REPORTED = OUT_THERE | NEEDS_DECISION | {TakeState.PENDING}


def command(arguments: argparse.Namespace) -> int:
    """Ask, and print one line per take; return 2 if a job continues or the API could not be asked."""
    place = find_run(arguments.target, simulated=arguments.simulate or None)
    with open_reader(place.state_file) as reader:
        header = reader.header
    follow_names(place, header, arguments.takes, opening=opening_of(arguments))
    with open_reader(place.state_file) as reader:
        request = recorded_request(place, reader.header, api_base=arguments.api_base)
        take_ids = _chosen(arguments, reader.takes())
    request = replace(request, opening=opening_of(arguments))
    done = cancel(place, take_ids, by=user_name(), request=request)
    for note in done.notes:
        print(visible(note), file=sys.stderr)
    if arguments.output == "json":
        print(json.dumps([_as_json(outcome) for outcome in done.outcomes], indent=1))
    else:
        for outcome in done.outcomes:
            print(f"{visible(outcome.take_id)}: {outcome.says}")
        if not done.outcomes:
            print("no job is active, so there is nothing to cancel")
    if done.runner_at_work:
        print("a runner is working on this run and will record what became of them", file=sys.stderr)
    return 0 if all(outcome.stopped for outcome in done.outcomes) else GOES_ON


def _chosen(arguments: argparse.Namespace, takes: Sequence[TakeRecord]) -> list[str]:
    choice = choice_of(arguments)
    if bool(arguments.takes) + (not choice.is_all) + arguments.all != 1:
        raise UsageError("which takes?", advice="name them, or say --only WHAT, or --all")
    if arguments.takes:
        return [take.take_id for take in named(takes, arguments.takes)]
    return pick(takes, choice, lambda take: take.state in _REPORTED)


def _as_json(outcome: CancelOutcome) -> dict[str, object]:
    return {
        "take": outcome.take_id,
        "outcome": outcome.word,
        "stopped": outcome.stopped,
        "says": outcome.says,
    }
