"""`check`: the plan's size if all is well; every problem, once, if not."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter

from runner.api.account import BASE_VARIABLE, on_this_machine
from runner.checking import check
from runner.errors import ManifestInvalid, Problem
from runner.shots import Plan
from runner.wording import counted, visible


def command(arguments: argparse.Namespace) -> int:
    """Check the manifest and say what was found."""
    try:
        plan = check(
            arguments.manifest,
            schema_dirs=arguments.schema_dir,
            allow_private_media=on_this_machine(os.environ.get(BASE_VARIABLE)),
        )
    except ManifestInvalid as error:
        if arguments.output != "json":
            raise
        print(
            json.dumps({"ok": False, "problems": [_as_json(problem) for problem in error.problems]}, indent=1)
        )
        return error.exit_code
    for warning in plan.warnings:
        print(visible(str(warning), limit=1000), file=sys.stderr)
    print(json.dumps(_plan_as_json(plan), indent=1) if arguments.output == "json" else _plan_in_words(plan))
    return 0


def _plan_in_words(plan: Plan) -> str:
    shots = len({take.shot_id for take in plan.takes})
    by_model = Counter(take.model for take in plan.takes)
    lines = [
        f"{visible(plan.manifest.name)}: {counted(len(plan.takes), 'take')} of {counted(shots, 'shot')}, all valid"
    ]
    lines += [f"  {count:>5}  {model}" for model, count in by_model.items()]
    return "\n".join(lines)


def _plan_as_json(plan: Plan) -> dict[str, object]:
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
    warnings = [_as_json(warning) for warning in plan.warnings]
    return {"ok": True, "name": plan.manifest.name, "takes": takes, "problems": warnings}


def _as_json(problem: Problem) -> dict[str, object]:
    return {
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
