"""`status`: shows where a run stands and who runs it, once or again and again, from its record without its lock."""

from __future__ import annotations

import argparse
import os
import sys
import time

from runner.cli.terminal import lines_for, show, show_json, width_of
from runner.cli.watch import Frame, watch
from runner.commands.status import RunStatus, status
from runner.domain.clip_checks import flags_as_json
from runner.domain.display import iso, visible
from runner.domain.errors import UsageError
from runner.output.activity_text import activity_line, pace_line
from runner.output.safe_stream import Canvas, SafeStream
from runner.output.status_text import choice_line, status_lines


def command(arguments: argparse.Namespace) -> int:
    """Print where the run stands; with --watch until it has ended or a person leaves."""
    if arguments.watch is not None:
        _watch(arguments)
        return 0
    found = _look(arguments)
    if arguments.output == "json":
        show_json(_as_json(found))
    else:
        show(lines_for(sys.stdout, _lines(found, by=arguments.by or "")))
    return 0


def _look(arguments: argparse.Namespace) -> RunStatus:
    return status(arguments.target, simulated=arguments.simulate or None, by=arguments.by or "")


def _watch(arguments: argparse.Namespace) -> None:
    if arguments.output == "json":
        raise UsageError("--watch draws on a terminal, and is not for JSON", advice="leave out --watch")
    if width_of(SafeStream.over(sys.stdout), os.environ) is None:
        raise UsageError("--watch needs a terminal to draw on", advice="leave out --watch")

    def look() -> Frame:
        found = _look(arguments)
        lines = lines_for(sys.stdout, _lines(found, by=arguments.by or ""))
        # A lock that cannot be tested says nothing, so only a person ends that watch.
        return Frame(tuple(lines), is_last=found.activity.running is False)

    canvas = Canvas.over(sys.stdout)
    try:
        watch(look, canvas, size=canvas.size, wait=time.sleep, seconds=arguments.watch)
    except KeyboardInterrupt:
        # The run is not concerned. What was drawn last stays on the screen.
        show([""])


def _lines(found: RunStatus, *, by: str) -> list[str]:
    activity, remarks = [activity_line(found.activity, now=found.at)], []
    if found.go_on:
        activity.append(f"  → {found.go_on}")
    if found.pace is not None:
        remarks.append(pace_line(found.pace, now=found.at))
    if counts := found.choices:
        fault = visible(counts.fault)
        remarks.append(fault or choice_line(counts.picked, counts.shots, counts.rejected))
    lines = status_lines(
        found.header,
        found.counts,
        found.deliveries,
        held=found.held,
        spending=found.spending,
        flagged=found.flagged,
        failures=found.failures,
        activity=activity,
        remarks=remarks,
    )
    if found.groups:
        from runner.output.take_groups import group_lines

        lines += ["", *group_lines(found.groups, by)]
    return lines


def _as_json(found: RunStatus) -> dict[str, object]:
    activity, pace = found.activity, found.pace
    return {
        "name": found.header.name,
        "run_dir": str(found.run_dir),
        "simulated": found.header.simulated,
        "running": activity.running,
        "pid": activity.pid,
        "host": activity.host or None,
        "since": iso(activity.since) or None,
        "last_event": iso(activity.last_event) or None,
        "go_on": found.go_on or None,
        "takes": dict(found.counts),
        "deliveries": dict(found.deliveries),
        "rate_per_hour": pace and pace.per_hour,
        "finish_earliest": iso(pace.earliest if pace else None) or None,
        "finish_latest": iso(pace.latest if pace else None) or None,
        "held": [take.take_id for take in found.held],
        "flagged": [
            {"take": take.take_id, "label": take.label, "flags": flags_as_json(take.flags)}
            for take in found.flagged
        ],
        "labels": {take.take_id: take.label for take in found.held},
        "failures": [
            {"class": kind.name, "takes": kind.takes, "advice": kind.advice, "command": kind.command}
            for kind in found.failures
        ],
        "spent": found.spending.billed,
        "reserved": found.spending.reserved,
        "estimated": found.spending.estimated,
        "without_cost": found.spending.without_cost,
        "by": [
            {
                "name": group.name,
                "takes": group.takes,
                "states": dict(group.standings),
                "spent": group.billed,
                "seconds": group.typical,
            }
            for group in found.groups
        ],
    }
