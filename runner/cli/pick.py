"""`pick`: records which takes a person chose, lists all choices, and merges the files of several people."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from runner.cli.from_flags import user_name
from runner.cli.json_output import envelope
from runner.cli.terminal import note, show_result, warn
from runner.commands.pick import Choices, Decided, choices_of, counting, decide, import_picks
from runner.domain.display import counted, listed, visible
from runner.domain.errors import UsageError
from runner.domain.picks import Decision, Pick
from runner.domain.take_names import NamedTake
from runner.system.escapes import command_line, path_word

_DONE = {Decision.PICK: "picked", Decision.REJECT: "rejected", Decision.MAYBE: "maybe", None: "undecided"}
_NOTES = 60
_SHOWN = 20


def command(arguments: argparse.Namespace) -> int:
    """Do what the flags say: list, import, or record a decision on takes."""
    ways = [bool(arguments.takes), arguments.list, arguments.import_file is not None]
    if sum(ways) != 1:
        raise UsageError(
            "which takes?", advice="name a shot and its takes, or one label, or say --list or --import FILE"
        )
    if arguments.maybe and arguments.clear:
        raise UsageError("--maybe and --clear are two decisions", advice="leave out one of them")
    if arguments.list:
        found = choices_of(arguments.target, simulated=arguments.simulate or None)
        show_result(arguments, as_json(found), list_lines(found, arguments))
        return 0
    if arguments.import_file is not None:
        _import(arguments)
        return 0
    said = Decision.MAYBE if arguments.maybe else Decision.PICK
    record(arguments, None if arguments.clear else said)
    return 0


def record(arguments: argparse.Namespace, decision: Decision | None) -> None:
    """Record a decision on the named takes, and show what counts now."""
    done = decide(
        arguments.target,
        arguments.takes,
        decision,
        who=arguments.who or user_name(),
        note=arguments.note,
        settle=arguments.settle,
        dry_run=arguments.dry_run,
        simulated=arguments.simulate or None,
    )
    show_result(arguments, as_json(done.choices, done), _decided_lines(done, decision))
    _remark(done, arguments)


def _decided_lines(done: Decided, decision: Decision | None) -> Iterator[str]:
    found = done.choices
    if not done.changed:
        yield "nothing changed: this was decided already"
    for take in dict.fromkeys(row.take for row in done.changed):
        before, now = done.before.get(take), counting(found, take)
        was = f" (was {_DONE[before]})" if before is not None and before is not decision else ""
        yield f"{visible(found.label(take))}: {_DONE[decision]}{was}"
        if now is not None and now.decision is not decision:
            yield f"  what counts is the decision of {_name(now)}: {_DONE[now.decision]}"


def _import(arguments: argparse.Namespace) -> None:
    done = import_picks(
        arguments.target,
        arguments.import_file,
        who=arguments.who or user_name(),
        dry_run=arguments.dry_run,
        simulated=arguments.simulate or None,
    )
    after = done.choices.picks.decisions
    moved = sum(after.get(take) is not done.before.get(take) for take in {*after, *done.before})
    line = f"{counted(len(done.changed), 'row')} of {done.rows:,} new or changed; {counted(moved, 'decision')} changed"
    lines = [line, *_conflict_lines(done.choices, arguments), *_odd_lines(done.choices)]
    show_result(arguments, as_json(done.choices, done), lines)
    words = (done.read_as or {}).items()
    note(f"{word!r} was read as {decision} in {counted(count, 'cell')}" for (word, decision), count in words)
    _remark(done, arguments)


def _remark(done: Decided, arguments: argparse.Namespace) -> None:
    """Say what a cut plays of a shot with several picks, and that nothing was written."""
    touched = {row.shot for row in done.changed if row.decision is Decision.PICK}
    for shot in done.choices.shots:
        if shot.shot in touched and len(shot.picked) > 1:
            first = visible(shot.picked[0].label)
            picked = counted(len(shot.picked), "picked take")
            warn([f"{visible(shot.shot)} has {picked}; {first} plays in a cut"])
    warn(map(visible, done.remarks))
    if arguments.dry_run:
        warn(["nothing was written"])


def list_lines(found: Choices, arguments: argparse.Namespace) -> Iterator[str]:
    """Yield a table of all shots with what was decided, then conflicts, and rows that count no more."""
    shots, notes = found.shots, _notes_of(found)
    rows: list[tuple[str, ...]] = [("shot", "picked", "rejected", "maybe", "undecided", "notes")]
    for each in shots:
        takes = sorted(
            (*each.picked, *each.rejected, *each.maybe, *each.undecided), key=lambda take: take.number
        )
        counts = (each.picked, each.rejected, each.maybe, each.undecided)
        rows.append((visible(each.shot), *map(_numbers, counts), _notes(notes, takes)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
    picked = sum(bool(each.picked) for each in shots)
    rejected = sum(len(each.rejected) for each in shots)
    yield f"picked {picked:,} of {counted(len(shots), 'shot')} · {rejected:,} rejected"
    yield from _conflict_lines(found, arguments)
    yield from _odd_lines(found)


def _numbers(takes: tuple[NamedTake, ...]) -> str:
    return " ".join(str(take.number) for take in takes) or "-"


def _notes_of(found: Choices) -> Mapping[str, list[str]]:
    """Return all notes by the take's id."""
    notes: dict[str, list[str]] = {}
    for row in found.picks.rows:
        if row.note:
            notes.setdefault(row.take, []).append(row.note)
    return notes


def _notes(notes: Mapping[str, list[str]], takes: Sequence[NamedTake]) -> str:
    said = [f"{take.number}: {note}" for take in takes for note in notes.get(take.take_id, ())]
    return visible("; ".join(said), _NOTES)


def _conflict_lines(found: Choices, arguments: argparse.Namespace) -> Iterator[str]:
    conflicts = found.picks.conflicts
    if not conflicts:
        return
    yield f"{counted(len(conflicts), 'take')} on which people differ; the newest decision counts until you settle it:"
    for take, rows in list(conflicts.items())[:_SHOWN]:
        now = counting(found, take)
        said = ", ".join(f"{_name(row)}: {_DONE[row.decision]}" for row in rows)
        counts = f"; {_DONE[now.decision]} counts" if now else ""
        verb = "reject" if now and now.decision is Decision.REJECT else "pick"
        words = [verb, path_word(arguments.target), *(["--simulate"] if arguments.simulate else [])]
        yield f"  {visible(found.label(take))}  {said}{counts}"
        yield f"    → {command_line(*words, found.word(take), '--settle')}"
    if len(conflicts) > _SHOWN:
        yield f"  and {len(conflicts) - _SHOWN:,} more"


def _odd_lines(found: Choices) -> Iterator[str]:
    for row in found.picks.older[:_SHOWN]:
        label = visible(found.label(row.take))
        yield f"{label}: {_DONE[row.decision]} by {_name(row)} is of an older render, and does not count"
    if unknown := found.picks.unknown:
        yield f"not on record here, and kept: {listed(unknown)}"


def _name(row: Pick) -> str:
    return visible(row.who, _NOTES) or "someone without a name"


def as_json(found: Choices, done: Decided | None = None) -> dict[str, object]:
    """Return all choices as a value for programs, with what was changed if something was asked for."""
    shots = [
        {
            "shot": each.shot,
            **{
                name: [{"take": take.take_id, "label": take.label} for take in takes]
                for name, takes in (
                    ("picked", each.picked),
                    ("rejected", each.rejected),
                    ("maybe", each.maybe),
                    ("undecided", each.undecided),
                )
            },
        }
        for each in found.shots
    ]
    value = {
        "run_dir": str(found.place.path),
        "shots": shots,
        "conflicts": [
            {"take": take, "label": found.label(take), "decisions": [*map(_row_as_json, rows)]}
            for take, rows in found.picks.conflicts.items()
        ],
        "comments": [_row_as_json(row) for row in found.picks.rows if row.note],
        "of_older_renders": [*map(_row_as_json, found.picks.older)],
        "unknown": list(found.picks.unknown),
        "changed": [] if done is None else [*map(_row_as_json, done.changed)],
    }
    return envelope("picks", value)


def _row_as_json(row: Pick) -> dict[str, object]:
    return {
        "shot": row.shot,
        "take": row.take,
        "decision": None if row.decision is None else row.decision.value,
        "note": row.note,
        "who": row.who,
        "when": row.when,
        "at": row.at,
    }
