"""`report`: writes the CSV and the page of a run, even if the run is active or was killed."""

from __future__ import annotations

import argparse

from runner.commands.report import report
from runner.domain.display import PATH_LIMIT, visible


def command(arguments: argparse.Namespace) -> int:
    """Write both and print where they are."""
    reports = report(arguments.target, simulated=arguments.simulate or None)
    print(visible(str(reports.html), PATH_LIMIT))
    print(visible(str(reports.csv), PATH_LIMIT))
    return 0
