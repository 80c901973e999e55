"""`report`: writes the CSV and the page of a run, or a page for others; also of a run that was killed."""

from __future__ import annotations

import argparse

from runner.cli.json_output import envelope
from runner.cli.terminal import show_result
from runner.commands.report import report
from runner.domain.display import PATH_LIMIT, counted, listed, size, visible
from runner.domain.errors import UsageError


def command(arguments: argparse.Namespace) -> int:
    """Write both and print where they are, or write a page for others."""
    if arguments.share is not None:
        return _share(arguments)
    _refuse_lone_flags(arguments)
    reports = report(arguments.target, simulated=arguments.simulate or None, sign_s=arguments.sign)
    paths = {"page": str(reports.html), "csv": str(reports.csv), "published": reports.published}
    lines = (visible(path, PATH_LIMIT) for path in paths.values() if path)
    show_result(arguments, envelope("report", paths), lines)
    return 0


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
