"""`check`: prints the plan's size, or every problem of the manifest; with `--online` also those of its media."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.cli.stdin_manifest import from_stdin, manifest_limits
from runner.commands.check import check, check_media
from runner.commands.steps.api_base import is_local as is_local_api
from runner.domain.display import counted, visible
from runner.domain.errors import ManifestInvalid, Problem, UsageError
from runner.domain.shots import Plan
from runner.output.safe_stream import Canvas

if TYPE_CHECKING:
    from runner.media.preflight.findings import Finding
    from runner.media.preflight.preflight import PreflightReport

WARNINGS_SHOWN = 50
_CLEAR = "\r\x1b[K"


def command(arguments: argparse.Namespace) -> int:
    """Check the manifest, and its media if asked, and print what was found."""
    if arguments.refresh and not arguments.online:
        raise UsageError("--refresh says how to look online", advice="add --online")
    limits = manifest_limits(arguments)
    is_local = arguments.simulate or is_local_api(None, os.environ)
    try:
        plan = check(
            arguments.manifest,
            schema_dirs=arguments.schema_dir,
            allow_private_media=is_local,
            limits=limits,
            given=from_stdin(arguments.manifest, limits),
        )
    except ManifestInvalid as error:
        if arguments.output != "json":
            raise
        _print_json({"ok": False, "problems": _problems_as_json(error.problems)})
        return error.exit_code
    plan = replace(plan, warnings=(*plan.warnings, *_drift(arguments, plan)))
    seen = _look(arguments, plan, is_local=is_local) if arguments.online else None
    return _report(plan, seen, as_json=arguments.output == "json")


def _drift(arguments: argparse.Namespace, plan: Plan) -> tuple[Problem, ...]:
    """Return the warnings about schemas that changed since takes were sent."""
    from runner.store import run_dir

    simulated = arguments.simulate
    default = run_dir.default_run_dir(arguments.manifest, name=plan.manifest.name, simulated=simulated)
    place = run_dir.RunDir(arguments.run_dir or default)
    if not run_dir.is_run(place.path):
        return ()
    from runner.commands.steps.schema_drift import schema_warnings

    return schema_warnings(plan, place.state_file)


def _look(arguments: argparse.Namespace, plan: Plan, *, is_local: bool) -> PreflightReport:
    try:
        return check_media(
            plan,
            manifest=arguments.manifest,
            schema_dirs=arguments.schema_dir,
            allow_private_media=is_local,
            run_dir=arguments.run_dir,
            simulated=arguments.simulate,
            wait=arguments.wait,
            refresh=arguments.refresh,
            tell=_progress(),
        )
    finally:
        if sys.stderr.isatty():
            Canvas.over(sys.stderr).draw(_CLEAR)


def _progress() -> Callable[[int, int], None]:
    """Return what shows how many links are done: one line that is overwritten, only on a terminal."""
    on_terminal = sys.stderr.isatty()

    def show(done: int, of: int) -> None:
        if on_terminal:
            Canvas.over(sys.stderr).draw(f"{_CLEAR}looked at {done:,} of {counted(of, 'link')}")

    return show


def _report(plan: Plan, seen: PreflightReport | None, *, as_json: bool) -> int:
    errors = [finding.problem for finding in seen.errors] if seen else []
    warnings = [*plan.warnings, *(finding.problem for finding in seen.warnings)] if seen else plan.warnings
    for warning in warnings[:WARNINGS_SHOWN]:
        print(visible(str(warning), limit=1000), file=sys.stderr)
    if len(warnings) > WARNINGS_SHOWN:
        print(f"… and {len(warnings) - WARNINGS_SHOWN:,} more; --output json has all", file=sys.stderr)
    for note in seen.notes if seen else ():
        print(f"note: {visible(note, limit=1000)}", file=sys.stderr)
    if as_json:
        _print_json(_plan_as_json(plan, [*errors, *warnings], seen) | {"ok": not errors})
        return ManifestInvalid.exit_code if errors else 0
    if errors:
        raise ManifestInvalid(errors)
    print(_plan_in_words(plan, seen))
    return 0


def _plan_in_words(plan: Plan, seen: PreflightReport | None) -> str:
    shots = len({take.shot_id for take in plan.takes})
    by_model = Counter(take.model for take in plan.takes)
    lines = [
        f"{visible(plan.manifest.name)}: {counted(len(plan.takes), 'take')} of {counted(shots, 'shot')}, all valid"
    ]
    lines += [f"  {count:>5}  {visible(model)}" for model, count in by_model.items()]
    if seen:
        again = (
            f"; {seen.reused:,} of them less than an hour ago, --refresh looks again" if seen.reused else ""
        )
        lines.append(f"  {seen.links:>5}  media {'link' if seen.links == 1 else 'links'} looked at{again}")
    return "\n".join(lines)


def _plan_as_json(plan: Plan, problems: Sequence[Problem], seen: PreflightReport | None) -> dict[str, object]:
    takes = [
        {
            "take": take.id,
            "shot": take.shot_id,
            "model": take.model,
            "body": json.loads(take.body),
            "seed": take.seed,
        }
        | {"fingerprint": take.fingerprint}
        for take in plan.takes
    ]
    whole = {
        "ok": True,
        "name": plan.manifest.name,
        "takes": takes,
        "problems": _problems_as_json(problems),
    }
    return whole | ({"media": _media_as_json(seen)} if seen else {})


def _media_as_json(seen: PreflightReport) -> dict[str, object]:
    return {
        "links": seen.links,
        "reused": seen.reused,
        "notes": list(seen.notes),
        "findings": [_finding_as_json(finding) for finding in seen.findings],
    }


def _finding_as_json(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity,
        "takes": list(finding.takes),
        "input": finding.input,
        "url": finding.url,
        "message": finding.message,
        "advice": finding.advice,
    }


def _problems_as_json(problems: Sequence[Problem]) -> list[dict[str, object]]:
    return [
        {
            "severity": problem.severity,
            "file": problem.at.file,
            "line": problem.at.line,
            "column": problem.at.column,
            "cell": problem.at.cell,
            "subject": problem.subject,
            "message": problem.message,
            "allowed": list(problem.allowed),
            "nearest": problem.nearest,
        }
        for problem in problems
    ]


def _print_json(document: dict[str, object]) -> None:
    print(json.dumps(document, indent=1))
