"""`tune`: gives the session of a run that goes on other numbers."""

from __future__ import annotations

import argparse

from runner.cli.steered import give
from runner.domain.errors import UsageError
from runner.domain.orders import Tune


def command(arguments: argparse.Namespace) -> int:
    """Give the order; return 2 if no session has answered."""
    tune = Tune(
        jobs=arguments.jobs,
        max_cost=arguments.max_cost,
        warn_cost=arguments.warn_cost,
        max_submits=arguments.max_submits,
        rates=dict(arguments.rate),
        model_jobs=dict(arguments.model_jobs),
    )
    if tune == Tune():
        raise UsageError("nothing to change", advice="shotrunner tune --help")
    return give(arguments, tune)
