"""`report`: writes the CSV and the page of a run, or a page for others; also of a run that was killed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from runner.cli.json_output import envelope
from runner.cli.terminal import note, show_result
from runner.commands.report import report
from runner.commands.runs_report import WrittenOfRuns, report_of_runs
from runner.commands.runs_status import UnreadRun
from runner.commands.steps.find_runs import find_runs
from runner.domain.display import PATH_LIMIT, counted, listed, size, visible
from runner.domain.errors import UsageError
from runner.output.write_reports import Reports


def command(arguments: argparse.Namespace) -> int:
    """Write both and print where they are, or write a page for others."""
    simulated = arguments.simulate or None
    runs = find_runs([arguments.target, *arguments.more], simulated=simulated)
    if arguments.share is not None:
        if len(runs) > 1 or arguments.to is not None:
            raise UsageError("--share is about one run", advice="name one run, and leave out --to")
        arguments.target = runs[0]
        return _share(arguments)
    _refuse_lone_flags(arguments)
    if len(runs) > 1 or arguments.to is not None:
        if arguments.sign:
            raise UsageError(
                "links are signed for one run at a time", advice="name one run, and leave out --to"
            )
        return _several(arguments, report_of_runs(runs, to=arguments.to, simulated=simulated))
    reports = report(runs[0], simulated=simulated, sign_s=arguments.sign)
    _show(arguments, reports, runs)
    return 0


def _several(arguments: argparse.Namespace, written: WrittenOfRuns) -> int:
    """Show where the reports of several runs are; the exit code is that of the first run that cannot be read."""
    _show(arguments, written.reports, written.runs, written.unread)
    note(f"not read: {each.error.message}" for each in written.unread)
    return written.unread[0].error.exit_code if written.unread else 0


def _show(
    arguments: argparse.Namespace, reports: Reports, runs: Sequence[Path], unread: Sequence[UnreadRun] = ()
) -> None:
    paths = {"page": str(reports.html), "csv": str(reports.csv), "published": reports.published}
    about = {
        "runs": [str(run) for run in runs],
        "unread": [
            {"run": str(each.run), "exit": each.error.exit_code, "message": each.error.message}
            for each in unread
        ],
    }
    lines = (visible(path, PATH_LIMIT) for path in paths.values() if path)
    show_result(arguments, envelope("report", {**paths, **about}), lines)


def _refuse_lone_flags(arguments: argparse.Namespace) -> None:
    for name in ("picks", "all", "prompts", "decide", "force"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} is about a page for others", advice="add --share DIR or FILE.zip")


def _share(arguments: argparse.Namespace) -> int:
    from runner.commands.share import share

    if arguments.sign:
        raise UsageError(
            "a page for others has its clips in it, so no link is signed", advice="leave out --sign"
        )
    if arguments.picks and arguments.all:
        raise UsageError("--picks and --all exclude each other", advice="leave one of them out")
    made = share(
        arguments.target,
        arguments.share,
        simulated=arguments.simulate or None,
        picks_only=True if arguments.picks else False if arguments.all else None,
        prompts=arguments.prompts,
        decide=arguments.decide,
        force=arguments.force,
    )
    path = visible(str(made.path), PATH_LIMIT)
    value = {
        "path": str(made.path),
        "takes": made.takes,
        "shots": made.shots,
        "bytes": made.bytes,
        "missing": list(made.missing),
    }
    lines = [f"{path}: {counted(made.takes, 'take')} of {counted(made.shots, 'shot')}, {size(made.bytes)}"]
    if made.missing:
        labels = listed([visible(label) for label in made.missing])
        lines.append(f"not in it, since their clips are not here: {labels}; shotrunner fetch gets them")
    show_result(arguments, envelope("share", value), lines)
    return 0
