"""`check`: prints the plan's size, or every problem of the manifest; with `--online` also those of its media.

With `--fix` it first makes the changes that are safe, after a person has seen them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from runner.cli.from_flags import from_stdin, manifest_limits
from runner.cli.json_output import envelope, problem_as_json
from runner.cli.problems import ADD_ALL, show_invalid, show_problems
from runner.cli.terminal import agreed, note, show, show_json, warn
from runner.commands.check import Checked, check_board, refuse_unused_models
from runner.domain.display import PATH_LIMIT, counted, visible
from runner.domain.errors import ManifestInvalid, UsageError
from runner.manifest.problems import place_in
from runner.manifest.reader import is_stdin
from runner.manifest.size_limits import Limits
from runner.output.safe_stream import Canvas
from runner.plan.file_names import labels_of, take_numbers

_LONGEST_LINE = 100_000


def command(arguments: argparse.Namespace) -> int:
    """Check the manifest, and its media if asked, and print what was found."""
    if arguments.refresh and not arguments.online:
        raise UsageError("--refresh says how to look online", advice="add --online")
    if arguments.yes and not arguments.fix:
        raise UsageError("-y answers the question of --fix", advice="add --fix")
    limits, as_json = manifest_limits(arguments), arguments.output == "json"
    if arguments.diff and as_json:
        raise UsageError("--diff prints a diff, not JSON", advice="leave out --output json")
    if arguments.fix or arguments.diff:
        _fix(arguments, limits)
    if arguments.diff:
        return 0
    try:
        found = check_board(
            arguments.manifest,
            simulated=arguments.simulate,
            schema_dirs=arguments.schema_dir,
            limits=limits,
            given=from_stdin(arguments.manifest, limits),
            run_dir=arguments.run_dir,
            online=arguments.online,
            wait=arguments.wait,
            refresh=arguments.refresh,
            on_link=lambda done, of: _draw(f"looked at {done:,} of {counted(of, 'link')}"),
        )
    except ManifestInvalid as error:
        return _refuse(error, arguments)
    finally:
        if arguments.online:
            _draw("")
    refuse_unused_models(found.plan, arguments.limited_models)
    if arguments.misfits:
        return _refuse(ManifestInvalid((*found.errors, *found.warnings)), arguments)
    return _report(found, as_json=as_json, every=arguments.all)


def _refuse(error: ManifestInvalid, arguments: argparse.Namespace) -> int:
    """Print what is wrong with a manifest and with the settings."""
    file = str(arguments.manifest)
    found = sorted((*error.problems, *arguments.misfits), key=lambda problem: place_in(problem.at, file))
    error = ManifestInvalid(found, advice=error.advice)
    if arguments.output == "json":
        problems = [*map(problem_as_json, error.problems)]
        value = {
            "ok": False,
            "name": None,
            "takes": [],
            "problems": problems,
            "media": None,
            "advice": error.advice or None,
        }
        show_json(envelope("check", value))
    else:
        show_invalid(error, all_with=ADD_ALL, every=arguments.all)
    return error.exit_code


def _draw(text: str) -> None:
    """Overwrite the line of progress, on a terminal alone."""
    if sys.stderr.isatty():
        Canvas.over(sys.stderr).draw(f"\r\x1b[K{text}")


def _fix(arguments: argparse.Namespace, limits: Limits) -> None:
    """Show the changes that are safe, and make them if a person agrees; with `--diff` they are the result."""
    from runner.commands.fix_manifest import propose_fixes, write_fixes

    if is_stdin(arguments.manifest):
        raise UsageError("standard input is not a file to change", advice="give the path of a file")
    proposal = propose_fixes(
        arguments.manifest, schema_dirs=arguments.schema_dir, limits=limits, simulated=arguments.simulate
    )
    lines = [visible(line, _LONGEST_LINE) for line in proposal.diff]
    (show if arguments.diff else warn)(lines)
    if arguments.diff:
        return
    if not proposal.count:
        warn(["nothing can be fixed safely"])
        return
    changes = counted(proposal.count, "change")
    if arguments.yes or agreed(f"{changes} will be written.", instead="-y to agree beforehand, or --diff"):
        write_fixes(proposal)
        warn([f"{changes} written to {visible(str(proposal.path), PATH_LIMIT)}"])
    else:
        warn(["nothing was changed"])


def _report(found: Checked, *, as_json: bool, every: bool) -> int:
    note(f"note: {text}" for text in found.notes)
    if as_json:
        show_json(_as_json(found))
        return ManifestInvalid.exit_code if found.errors else 0
    if found.errors:
        show_invalid(ManifestInvalid((*found.errors, *found.warnings)), all_with=ADD_ALL, every=every)
        return ManifestInvalid.exit_code
    show_problems(found.warnings, all_with=ADD_ALL, every=every)
    show(_lines(found))
    return 0


def _lines(found: Checked) -> list[str]:
    plan, media = found.plan, found.media
    takes, shots = len(plan.takes), len({take.shot_id for take in plan.takes})
    lines = [
        f"{visible(plan.manifest.name)}: {counted(takes, 'take')} of {counted(shots, 'shot')}, all valid"
    ]
    by_model = Counter(take.model for take in plan.takes)
    lines += [f"  {count:>5}  {visible(model)}" for model, count in by_model.items()]
    if media:
        links, reused = media["links"], media["reused"]
        again = f"; {reused:,} of them less than an hour ago, --refresh looks again" if reused else ""
        lines.append(f"  {links:>5}  media {'link' if links == 1 else 'links'} looked at{again}")
    return lines


def _as_json(found: Checked) -> dict[str, object]:
    labels = labels_of(take_numbers(found.plan))
    takes = [
        {
            "take": take.id,
            "label": labels[take.id],
            "shot": take.shot_id,
            "model": take.model,
            "body": json.loads(take.body),
            "seed": take.seed,
            "fingerprint": take.fingerprint,
        }
        for take in found.plan.takes
    ]
    return envelope(
        "check",
        {
            "ok": not found.errors,
            "name": found.plan.manifest.name,
            "takes": takes,
            "problems": [*map(problem_as_json, (*found.errors, *found.warnings))],
            "media": found.media or None,
            "advice": None,
        },
    )
