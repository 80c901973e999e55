"""`status`: shows where a run stands and who runs it, once or again and again, from its record without its lock."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

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
from runner.cli.terminal import lines_for, note, show, show_json, show_result, width_of
from runner.commands.runs_status import RunsStatus, status_of_runs
from runner.commands.status import RunStatus, status
from runner.commands.steps.find_runs import find_runs
from runner.domain.display import visible
from runner.domain.errors import UsageError
from runner.output.activity_text import activity_line, order_line, pace_line, pause_line, settings_line
from runner.output.runs_text import RunLine, absent_lines, run_lines, sum_lines
from runner.output.safe_stream import Canvas, SafeStream
from runner.output.status_text import choice_line, standings, status_lines


def command(arguments: argparse.Namespace) -> int:
    """Print where the run stands; with --watch until it has ended or a person leaves."""
    runs = find_runs([arguments.target, *arguments.more], simulated=arguments.simulate or None)
    if len(runs) > 1:
        return _several(arguments, runs)
    arguments.target = runs[0]
    if arguments.watch is not None:
        _watch(arguments, lambda: _frame(_look(arguments), by=arguments.by or ""))
        return 0
    found = _look(arguments)
    if arguments.output == "json":
        show_json(_as_json(found))
    else:
        show(lines_for(sys.stdout, _lines(found, by=arguments.by or "")))
    return 0


def _look(arguments: argparse.Namespace) -> RunStatus:
    return status(arguments.target, simulated=arguments.simulate or None, by=arguments.by or "")


def _frame(found: RunStatus, *, by: str) -> Frame:
    # A lock that cannot be tested says nothing, so only a person ends that watch.
    lines = lines_for(sys.stdout, _lines(found, by=by))
    return Frame(tuple(lines), is_last=found.activity.running is False)


def _several(arguments: argparse.Namespace, runs: Sequence[Path]) -> int:
    """Print where several runs stand; the exit code is that of the first one that cannot be read."""
    if arguments.by is not None:
        raise UsageError("--by is about one run", advice="name one run, or leave out --by")

    def look() -> RunsStatus:
        return status_of_runs(runs, simulated=arguments.simulate or None)

    def frame() -> Frame:
        found = look()
        is_last = all(run.activity.running is False for _, run in found.runs)
        return Frame(tuple(lines_for(sys.stdout, _lines_of_runs(found))), is_last)

    if arguments.watch is not None:
        _watch(arguments, frame)
        return 0
    found = look()
    show_result(arguments, _runs_as_json(found), lines_for(sys.stdout, _lines_of_runs(found)))
    note(f"not read: {each.error.message}" for each in found.unread)
    return found.unread[0].error.exit_code if found.unread else 0


def _lines_of_runs(found: RunsStatus) -> list[str]:
    lines = [
        RunLine(name, standings(run.counts, run.deliveries), run.spending, run.simulated, _doing(run))
        for name, run in found.runs
    ]
    paid, simulated = found.spending(simulated=False), found.spending(simulated=True)
    sums = sum_lines(len(lines), found.states, paid=paid, simulated=simulated)
    return [*run_lines(lines), "", *sums, *absent_lines(found.absent)]


def _doing(run: RunStatus) -> str:
    if run.pause is not None:
        return "paused"
    words = {True: "running", False: "not running", None: "unknown whether it is running"}
    return words[run.activity.running]


def _runs_as_json(found: RunsStatus) -> dict[str, object]:
    return envelope(
        "runs",
        {
            "runs": [{"run": name, "status": _as_json(run)} for name, run in found.runs],
            "unread": [
                {"run": str(each.run), "exit": each.error.exit_code, "message": each.error.message}
                for each in found.unread
            ],
            "states": states_as_json(found.states),
            "paid": money_as_json(found.spending(simulated=False)),
            "simulated": money_as_json(found.spending(simulated=True)),
            "absent_shards": [{"name": name, "shard": str(shard)} for name, shard in found.absent],
        },
    )


def _watch(arguments: argparse.Namespace, look: Callable[[], Frame]) -> None:
    if arguments.output == "json":
        raise UsageError("--watch draws on a terminal, and is not for JSON", advice="leave out --watch")
    if width_of(SafeStream.over(sys.stdout), os.environ) is None:
        raise UsageError("--watch needs a terminal to draw on", advice="leave out --watch")

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
            "shard": found.header.shard or None,
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
