"""`plan`, also `run -n`: shows what a run would do with each take, why, and at what cost. It changes nothing."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from runner.cli.from_flags import from_stdin
from runner.cli.json_output import envelope
from runner.cli.problems import Warnings
from runner.cli.run_flags import request_of
from runner.cli.terminal import show, show_json
from runner.commands.plan import PlanPreview, preview
from runner.commands.steps.prices import price_source
from runner.domain.body_diff import Difference
from runner.domain.display import apart, counted, duration, money, spent_words, visible
from runner.plan.actions import Action, Step
from runner.plan.timing import Forecast
from runner.simulator.settings import SimulatorSettings

if TYPE_CHECKING:
    from runner.cli.settings import Used
    from runner.commands.steps.live_catalogue import LiveCatalogue

SPENDS = 2
_NARROWEST, _VALUE = 60, 40
_CHANGES = 3


def command(arguments: argparse.Namespace) -> int:
    """Show the plan; with `--exit-code` return 2 if the run would submit anything."""
    simulate = SimulatorSettings() if arguments.simulate else None
    request = request_of(arguments, manifest=arguments.manifest, simulate=simulate)
    found = preview(
        request,
        given=from_stdin(arguments.manifest, request.manifest_limits),
        online=arguments.online,
        allow_duplicates=arguments.allow_duplicates,
    )
    if arguments.output == "json":
        show_json(as_json(found, arguments.settings))
    else:
        Warnings(arguments.manifest)(found.warnings)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        show(lines(found, width=width))
        if arguments.settings:
            from runner.cli.settings import settings_lines

            show(settings_lines(arguments.settings))
    return SPENDS if arguments.exit_code and found.submits else 0


def lines(found: PlanPreview, *, width: int | None = None) -> list[str]:
    """Return the plan for a person: one line per take, then the totals; `width` cuts long reasons."""
    kind = " (simulated, nothing is paid)" if found.simulated else ""
    return [f"{visible(found.name)}{_part(found)}{kind}", *_table(found, width), "", *_totals(found)]


def _part(found: PlanPreview) -> str:
    if found.shard is None:
        return ""
    mine = sum(1 for step in found.steps if not step.is_removed) + found.left_out
    return f", shard {found.shard}: {mine:,} of the board's {counted(found.board, 'take')}"


def _table(found: PlanPreview, width: int | None) -> list[str]:
    if not found.steps:
        return ["nothing was chosen"]
    rows = [_row(found, step) for step in found.steps]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        left = "  ".join(f"{text:<{size}}" for text, size in zip(row[:3], widths, strict=False))
        line = f"  {left}  {row[3]:>{widths[3]}}  {row[4]}".rstrip()
        cut = width is not None and len(line) > max(width, _NARROWEST)
        lines.append(line[: max(width or 0, _NARROWEST) - 1] + "…" if cut else line)
    return lines


def _row(found: PlanPreview, step: Step) -> tuple[str, str, str, str, str]:
    """Return the cells of a take; where files are not called by label or id, their name is among the reasons."""
    label, stem = found.labels.get(step.take_id, ""), found.stems.get(step.take_id, step.take_id)
    named = "" if stem in {step.take_id, label} else f"; file {stem}"
    why = f"{_why(step)}{named}"
    return step.action.value, visible(step.take_id), visible(label), _price(step), why


def _price(step: Step) -> str:
    if step.action not in {Action.SUBMIT, Action.BLOCKED}:
        return ""
    return money(step.estimate) if step.estimate is not None else "no price"


def _why(step: Step) -> str:
    changes = [_change(change) for change in step.changes[:_CHANGES]]
    if len(step.changes) > _CHANGES:
        changes.append(f"and {len(step.changes) - _CHANGES} more")
    return visible(step.reason) + (f": {'; '.join(changes)}" if changes else "")


def _change(change: Difference) -> str:
    old, new = apart(change.old, change.new, _VALUE)
    return f"{visible(change.field.removeprefix('inputs.'))} {visible(old)} → {visible(new)}"


def _totals(found: PlanPreview) -> list[str]:
    counts = found.counts
    tally = ", ".join(f"{count:,} {action}" for action, count in counts.items())
    lines = [f"{counted(sum(counts.values()), 'take')}: {tally or 'nothing'}"]
    if found.left_out:
        lines.append(f"{counted(found.left_out, 'take')} not chosen")
    submits = counts.get(Action.SUBMIT, 0)
    if submits:
        lines.append(_money_line(found, submits))
        lines += [f"        {visible(model)}: {visible(said)}" for model, said in found.prices.items()]
        lines.append(f"time    {_time(found.forecast)}")
    lines += _live_lines(found.live) if found.live else []
    spent = spent_words(found.spending, simulated=found.nothing_paid)
    return [*lines, spent] if spent else lines


def _live_lines(live: LiveCatalogue) -> Iterator[str]:
    if live.balance is not None:
        yield f"balance {money(live.balance)}"
    for each in live.compared:
        if each.has_changed:
            yield f"schema  {visible(each.model)} differs from the API's: {visible(each.words)}"
    yield from (f"not known: {visible(problem)}" for problem in live.problems)


def _money_line(found: PlanPreview, submits: int) -> str:
    if found.unpriced == submits:
        source = f"see {price_source(found.manifest)}, or --online"
        return f"cost    unknown: no price for {counted(submits, 'take')} ({source})"
    more = f", and {counted(found.unpriced, 'take')} without a price" if found.unpriced else ""
    return f"cost    {money(found.estimate)} estimated{more}"


def _time(found: Forecast | None) -> str:
    if found is None:
        return "no history yet"
    more = f"; no history yet for {', '.join(map(visible, found.unknown))}" if found.unknown else ""
    return f"{duration(found.low)} to {duration(found.high)}, as such jobs took before{more}"


def as_json(found: PlanPreview, settings: Sequence[Used] = ()) -> dict[str, object]:
    """Return the plan and the settings it was made with for programs, as `schemas/plan.schema.json` describes it."""
    times = found.forecast
    value = {
        "name": found.name,
        "manifest": str(found.manifest),
        "run_dir": str(found.run_dir),
        "simulated": found.simulated,
        "shard": found.shard and str(found.shard),
        "takes": [_step_as_json(found, step) for step in found.steps],
        "totals": {
            "takes": len(found.steps),
            "left_out": found.left_out,
            "actions": {action.value: count for action, count in found.counts.items()},
            "estimate_usd": found.estimate,
            "unpriced": found.unpriced,
            "spent_usd": found.spending.billed,
            "committed_usd": found.spending.committed,
            "seconds": times
            and {"low": round(times.low, 3), "high": round(times.high, 3), "unknown": list(times.unknown)},
        },
        "prices": dict(found.prices),
        "settings": [
            {"name": each.name, "value": each.text, "file": str(each.layer.file)} for each in settings
        ],
        "warnings": [str(problem) for problem in found.warnings],
        **({"online": _live_as_json(found.live)} if found.live else {}),
    }
    return envelope("plan", value)


def _live_as_json(live: LiveCatalogue) -> dict[str, object]:
    drift = [f"{each.model}: {each.words}" for each in live.compared if each.has_changed]
    return {"balance_usd": live.balance, "drift": drift, "problems": list(live.problems)}


def _step_as_json(found: PlanPreview, step: Step) -> dict[str, object]:
    return {
        "take": step.take_id,
        "label": found.labels.get(step.take_id, ""),
        "name": found.stems.get(step.take_id, step.take_id),
        "shot": step.shot_id,
        "model": step.model,
        "action": step.action.value,
        "reason": step.reason,
        "changes": [asdict(change) for change in step.changes],
        "estimate_usd": step.estimate,
        "was": step.was,
        "in_manifest": not step.is_removed,
    }
