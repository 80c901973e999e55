"""`report`: writes the CSV and the page of a run, also of one that is going on or was killed."""

from __future__ import annotations

import argparse

from runner.commands.report import report
from runner.domain.display import PATH_LIMIT, visible


def command(arguments: argparse.Namespace) -> int:
    """Write both and print where they lie."""
    reports = report(arguments.target, simulated=arguments.simulate or None)
    print(visible(str(reports.html), PATH_LIMIT))
    print(visible(str(reports.csv), PATH_LIMIT))
    return 0
