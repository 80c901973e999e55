"""`status`: shows where a run stands and who runs it, once or again and again, from its record without its lock."""

from __future__ import annotations

import argparse
import os
import sys
import time

from runner.cli.json_output import envelope
from runner.cli.record_json import (
    command_as_json,
    failure_as_json,
    flagged_as_json,
    money_as_json,
    order_record_as_json,
    states_as_json,
    time_as_json,
)
from runner.cli.status_watch import Frame, watch
from runner.cli.terminal import lines_for, show, show_json, width_of
from runner.commands.status import RunStatus, status
from runner.domain.display import visible
from runner.domain.errors import UsageError
from runner.output.activity_text import activity_line, order_line, pace_line, pause_line, settings_line
from runner.output.safe_stream import Canvas, SafeStream
from runner.output.status_text import choice_line, standings, status_lines


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
    activity = [activity_line(found.activity, now=found.at)]
    remarks = list(filter(None, [settings_line(found.settings, left=found.left)]))
    if found.pause is not None:
        activity.append(pause_line(found.pause, now=found.at))
    elif found.orders:
        remarks.append(order_line(found.orders[-1], now=found.at))
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
        simulated=found.simulated,
        held=found.held,
        spending=found.spending,
        flagged=found.flagged,
        failures=found.failures,
        activity=activity,
        in_use=found.activity.running is True,
        remarks=remarks,
    )
    if found.groups:
        from runner.output.take_groups import group_lines

        lines += ["", *group_lines(found.groups, by)]
    return lines


def _as_json(found: RunStatus) -> dict[str, object]:
    activity, pace, choices, pause = found.activity, found.pace, found.choices, found.pause
    return envelope(
        "status",
        {
            "name": found.header.name,
            "run_dir": str(found.run_dir),
            "simulated": found.simulated,
            "running": activity.running,
            "pid": activity.pid,
            "host": activity.host or None,
            "since": time_as_json(activity.since),
            "last_event": time_as_json(activity.last_event),
            "states": states_as_json(standings(found.counts, found.deliveries)),
            **money_as_json(found.spending),
            "rate_per_hour": pace and pace.per_hour,
            "finish_earliest": time_as_json(pace.earliest if pace else None),
            "finish_latest": time_as_json(pace.latest if pace else None),
            "held": [take.take_id for take in found.held],
            "flagged": [*map(flagged_as_json, found.flagged)],
            "failures": [*map(failure_as_json, found.failures)],
            "picked": choices and choices.picked,
            "rejected": choices and choices.rejected,
            "by": [
                {
                    "name": group.name,
                    "takes": group.takes,
                    "states": states_as_json(group.standings),
                    "spent_usd": group.billed,
                    "seconds": group.typical,
                }
                for group in found.groups
            ],
            "jobs": found.settings.get("jobs"),
            "max_cost_usd": found.settings.get("max_cost_usd"),
            "left_usd": found.left,
            "paused_since": time_as_json(pause.obeyed_at if pause else None),
            "paused_by": pause and pause.by,
            "orders": [*map(order_record_as_json, found.orders)],
            "next": command_as_json(found.go_on),
        },
    )
