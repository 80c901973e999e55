"""`verify`: reads every delivered clip again and reports what has changed since."""

from __future__ import annotations

import argparse

from runner.cli.from_flags import opening_of
from runner.cli.json_output import commands_as_json, envelope
from runner.cli.terminal import note, show, show_json, warn
from runner.commands.steps.find_run import find_run_to_read
from runner.commands.steps.open_for_decision import Decided
from runner.commands.steps.run_in_store import address_in, copied_from, refuse_address
from runner.commands.verify import CLIP_FLAWS, Finding, Verification, mark, verify
from runner.domain.display import counted, visible, with_label
from runner.system.escapes import command_line, path_word

NOT_WHOLE = 2


def command(arguments: argparse.Namespace) -> int:
    """Print the table; return 2 if any clip is not as delivered."""
    if arguments.mark:
        refuse_address(arguments.target)
    place = find_run_to_read(arguments.target, simulated=arguments.simulate or None)
    found = verify(place, deep=arguments.deep)
    as_json = arguments.output == "json"
    show([] if as_json else _lines(found))
    # A program gets one object, so what may fail comes before it.
    marked = mark(place, found.findings, opening=opening_of(arguments)) if arguments.mark else None
    if as_json:
        show_json(_as_json(found, arguments, marked))
    if marked is not None:
        note(marked.remarks)
        warn([f"{counted(len(marked.take_ids), 'take')} marked: the next run fetches their clips again"])
    if (found.findings or found.absent) and copied_from(place) is None:
        warn([f"download them with: {command_line('fetch', arguments.target)}"])
    return NOT_WHOLE if found.findings else 0


def _as_json(found: Verification, arguments: argparse.Namespace, marked: Decided | None) -> dict[str, object]:
    is_wanting = (found.findings or found.absent) and not address_in(arguments.target)
    fetch = ["fetch", path_word(arguments.target), *(["--simulate"] if arguments.simulate else [])]
    return envelope(
        "verify",
        {
            "checked": found.checked,
            "out": found.out,
            "read": found.read,
            "findings": [
                {
                    "take": each.take_id,
                    "label": each.label,
                    "file": each.file,
                    "flaw": each.flaw.value,
                    "message": each.says,
                }
                for each in found.findings
            ],
            "never_downloaded": found.absent,
            "marked": list(marked.take_ids) if marked is not None else [],
            "next": commands_as_json(fetch) if is_wanting else [],
        },
    )


def _lines(found: Verification) -> list[str]:
    flawed = {finding.take_id for finding in found.findings}
    whole = found.checked - len(flawed)
    how = "read" if found.read else "compared by name and size"
    lines = [f"{counted(found.checked, 'clip')} {how}: {whole} whole, {len(flawed)} not as delivered"]
    if found.out:
        lines.append(f"they are in {visible(found.out)}{'' if found.read else '; --deep reads each of them'}")
    width = max((len(_name(finding)) for finding in found.findings), default=0)
    lines += [_line(finding, width) for finding in found.findings]
    if found.absent:
        lines.append(f"{counted(found.absent, 'rendered clip')} never downloaded")
    return lines


def _line(finding: Finding, width: int) -> str:
    keeps = "" if finding.flaw in CLIP_FLAWS else "; the clip itself is not affected"
    said = f"{visible(finding.file)}: {visible(finding.says)}{keeps}"
    return f"  {_name(finding):<{width}}  {finding.flaw:<13}  {said}"


def _name(finding: Finding) -> str:
    return with_label(finding.take_id, finding.label)
