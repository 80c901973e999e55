"""How `run`, `retry` and `fetch` ended, as one object for programs.

In: a summary, and the words of the command. Out: a value for `json.dumps`, which `schemas/summary.schema.json`
describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.cli.ending import is_resumable, trouble_commands
from runner.cli.json_output import commands_as_json, envelope
from runner.cli.next_command import as_retry
from runner.cli.record_json import failure_as_json, flagged_as_json, money_as_json, states_as_json
from runner.commands.steps.summary import RunSummary
from runner.output.failure_kinds import failure_kinds
from runner.output.status_text import standings


def summary_as_json(summary: RunSummary, words: Sequence[str]) -> dict[str, object]:
    """Return how a run ended; `words` are the command line to continue with, whose limits are high enough."""
    commands, reports = trouble_commands(summary, words), summary.reports
    failures = [
        failure_as_json(kind, commands.get(kind.verb) or words)
        for kind in failure_kinds((*summary.failed, *summary.held))
    ]
    return envelope(
        "summary",
        {
            "name": summary.name,
            "run_dir": str(summary.run_dir),
            "simulated": summary.simulated,
            "ending": summary.ending.kind.value,
            "reason": summary.ending.reason,
            "signal": summary.signal,
            "exit": summary.exit_code,
            "submitted": summary.submitted,
            "states": states_as_json(standings(summary.counts, summary.deliveries)),
            "stale": summary.stale,
            **money_as_json(summary.spending),
            "clips": [_clip_as_json(summary, clip) for clip in summary.clips],
            "held": [take.take_id for take in summary.held],
            "left": [take.take_id for take in summary.left],
            "failures": failures,
            "flagged": [flagged_as_json(take) for take in summary.flagged],
            "remarks": list(summary.remarks),
            "page": str(reports.html) if reports else None,
            "csv": str(reports.csv) if reports else None,
            "next": _next(summary, words),
        },
    )


def _clip_as_json(summary: RunSummary, clip: Path) -> dict[str, object]:
    return {
        "take": summary.take_ids.get(clip, clip.stem),
        "label": summary.labels.get(clip, ""),
        "path": summary.address_of(clip),
    }


def _next(summary: RunSummary, words: Sequence[str]) -> list[list[str]]:
    """Return the commands that finish what was asked for, in their order."""
    found = [words] if is_resumable(summary) else []
    return commands_as_json(*found, *([as_retry(words, "cancelled")] if summary.cancelled else []))
