"""`reroll`: proposes further takes of a shot as a change of the manifest, and writes it only if a person says so."""

from __future__ import annotations

import argparse

from runner.cli.from_flags import manifest_limits
from runner.cli.json_output import commands_as_json, declined_as_json, envelope
from runner.cli.terminal import agreed, show, show_json, warn
from runner.commands.reroll import Reroll, propose_takes
from runner.domain.display import PATH_LIMIT, counted, listed, visible
from runner.domain.errors import UsageError
from runner.system.escapes import command_line, path_word

_LONGEST_LINE = 100_000
_DECLINED = 3


def command(arguments: argparse.Namespace) -> int:
    """Show the proposal and the next commands; with `--write` change the manifest after a question."""
    if arguments.yes and not arguments.write:
        raise UsageError("-y answers the question of --write", advice="add --write")
    found = propose_takes(
        arguments.target,
        arguments.shot,
        takes=arguments.count,
        anyway=arguments.anyway,
        simulated=arguments.simulate or None,
        schema_dirs=arguments.schema_dir,
        limits=manifest_limits(arguments),
    )
    if arguments.output == "json":
        return _show_json(found, arguments)
    if found.proposal is None:
        show(_by_hand(found, arguments.shot))
        return 0
    show(visible(line, _LONGEST_LINE) for line in found.proposal.diff)
    labels = listed([take.id for take in found.added], most=8)
    show(["", f"adds {counted(len(found.added), 'take')} of {visible(arguments.shot)}: {labels}"])
    if arguments.write and not _written(found, yes=arguments.yes):
        return _DECLINED
    show(f"  → {command_line(*words)}" for words in _next_words(found, arguments))
    return 0


def _show_json(found: Reroll, arguments: argparse.Namespace) -> int:
    is_written = False
    if found.proposal is not None and arguments.write:
        warn(visible(line, _LONGEST_LINE) for line in found.proposal.diff)
        is_written = _written(found, yes=arguments.yes)
        if not is_written:
            show_json(declined_as_json("nothing was changed"))
            return _DECLINED
    following = (
        _next_words(found, arguments) if found.proposal is not None else [["plan", *found.run.words[1:]]]
    )
    value = {
        "shot": arguments.shot,
        "manifest": str(found.manifest),
        "written": is_written,
        "takes": [take.id for take in found.added],
        "seeds": list(found.seeds),
        "diff": list(found.proposal.diff) if found.proposal is not None else [],
        "next": commands_as_json(*following),
    }
    show_json(envelope("reroll", value))
    return 0


def _written(found: Reroll, *, yes: bool) -> bool:
    from runner.commands.fix_manifest import write_fixes

    path = visible(str(found.manifest), PATH_LIMIT)
    if found.proposal is None or not (yes or agreed(f"{path} will be changed.", instead="-y")):
        warn(["nothing was changed"])
        return False
    write_fixes(found.proposal)
    warn([f"written to {path}"])
    return True


def _next_words(found: Reroll, arguments: argparse.Namespace) -> list[list[str]]:
    """Return the words of the commands that follow: write the change if it is not yet, look at the plan, and run."""
    run = list(found.run.words)
    steps = [["plan", *run[1:]], run]
    if not arguments.write:
        again = ["reroll", path_word(arguments.target), arguments.shot, "--write"]
        again += ["--takes", str(arguments.count)] if arguments.count else []
        again += ["--anyway"] if arguments.anyway else []
        steps.insert(0, [*again, *(["--simulate"] if arguments.simulate else [])])
    return steps


def _by_hand(found: Reroll, shot: str) -> list[str]:
    """Return what to write where the manifest's form cannot be changed safely."""
    seeds, path = ", ".join(map(str, found.seeds)), visible(str(found.manifest), PATH_LIMIT)
    return [
        f"{path} cannot be changed safely for this; add to shot {visible(shot)} by hand, where its seeds are given:",
        f"  {seeds}",
        "A shot that gives one seed as an input needs a sweep of it instead: the old seed first, then these.",
        f"  → {command_line('plan', *found.run.words[1:])}",
    ]
