"""The last lines of `run`, `retry` and `fetch`: where the clips are, counts, money, what needs a person, what is next.

On a terminal they are few, so that a long run leaves them all on the screen. A pipe gets every clip's path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.cli.money_text import limit_lines
from runner.cli.next_command import as_retry, is_past, raised, repeated, repeated_words
from runner.cli.terminal import wrapped
from runner.commands.steps.summary import RunSummary
from runner.domain.display import (
    PATH_LIMIT,
    counted,
    short_path,
    spent_words,
    tally,
    visible,
    with_label,
)
from runner.domain.limits import Limits
from runner.domain.run_ending import EndingKind
from runner.domain.states import UNFINISHED
from runner.output.failure_kinds import failure_kinds
from runner.output.status_text import flag_words, standings
from runner.system.escapes import command_line, path_word

CLASSES_SHOWN = 5
FLAGGED_NAMED = 1
_RESUMABLE = frozenset({3, 69, 74, 77})
_CUT = frozenset({EndingKind.LIMIT, EndingKind.INTERRUPTED})


def count_lines(summary: RunSummary) -> list[str]:
    """Return what became of the takes, and what they cost."""
    total = sum(summary.counts.values())
    said = tally(standings(summary.counts, summary.deliveries))
    first = f"{counted(total, 'take')}: {said}" if total else "no takes"
    if summary.ending.kind is EndingKind.FINISHED and summary.submitted == 0 and summary.exit_code == 0:
        first += "; nothing was submitted"
        first += "" if summary.stale or summary.dropped else ", everything is complete"
    if summary.dropped:
        first += f"; {summary.dropped:,} dropped: given up, and not sent again"
    if summary.stale:
        first += f"; {summary.stale:,} stale: made from rows that changed since"
    spent = spent_words(summary.spending, simulated=summary.simulated)
    return [first, spent] if spent else [first]


def report_lines(summary: RunSummary) -> list[str]:
    """Return the paths of the reports, if they could be written."""
    if summary.reports is None:
        return []
    stored = [f"        {_in_store(summary, summary.reports.html)}"] if summary.out else []
    return [f"report  {_path(summary.reports.html)}", f"        {_path(summary.reports.csv)}", *stored]


def page_lines(summary: RunSummary) -> list[str]:
    """Return the shortest path of the page, for a terminal."""
    return [f"report  {_short(summary.reports.html)}"] if summary.reports is not None else []


def clip_lines(summary: RunSummary) -> list[str]:
    """Return every clip's path or address, with its take's label where its name does not say it."""
    return [f"{_in_store(summary, clip)}  {_label(summary, clip)}".rstrip() for clip in summary.clips]


def headed(lines: Sequence[str]) -> list[str]:
    """Return the paths of clips under their heading."""
    return [f"{'' if at else 'clips':<8}{line}" for at, line in enumerate(lines)]


def folder_lines(summary: RunSummary) -> list[str]:
    """Return where the clips are in one line, for a terminal; nothing if there are none."""
    if len(summary.clips) == 1:
        return [f"clip    {_place(summary, summary.clips[0])}"]
    folder = summary.clips[0].parent if summary.clips else None
    return [f"clips   {_place(summary, folder)} ({counted(len(summary.clips), 'file')})"] if folder else []


def _place(summary: RunSummary, path: Path) -> str:
    return _in_store(summary, path) if summary.out else _short(path)


def _in_store(summary: RunSummary, path: Path) -> str:
    return visible(summary.address_of(path), PATH_LIMIT)


def _label(summary: RunSummary, clip: Path) -> str:
    return with_label(clip.stem, summary.labels.get(clip, "")).partition("  ")[2]


def _path(path: Path) -> str:
    return visible(str(path), PATH_LIMIT)


def _short(path: Path) -> str:
    return visible(short_path(path), PATH_LIMIT)


def remark_lines(summary: RunSummary) -> list[str]:
    """Return what a person may like to know, and need not act on."""
    return [*map(visible, summary.remarks), *_flagged_lines(summary)]


def need_lines(summary: RunSummary, words: Sequence[str], limits: Limits, *, now: float) -> list[str]:
    """Return why the run stopped, and what needs a person, with the commands; `words` continue the run."""
    lines = [f"stopped: {visible(summary.ending.reason)}"] if summary.ending.reason else []
    lines += limit_lines(summary)
    return lines + trouble_lines(summary, raised(words, summary, limits, now=now))


def trouble_lines(summary: RunSummary, words: Sequence[str]) -> list[str]:
    """Return each class of failure with its takes, and the command for it once; `words` continue the run."""
    found = failure_kinds((*summary.failed, *summary.held))
    commands = trouble_commands(summary, words)
    shown = found[:CLASSES_SHOWN]
    lines = []
    for verb in dict.fromkeys(kind.verb for kind in shown):
        lines += [part for each in shown if each.verb == verb for part in wrapped(each.sentence)]
        if command := commands.get(verb):
            lines.append(f"  → {command_line(*command)}")
    if (more := len(found) - len(shown)) > 0:
        lines.append(f"and {counted(more, 'other kind')} of failure; see the report")
    return lines


def trouble_commands(summary: RunSummary, words: Sequence[str]) -> dict[str, list[str]]:
    """Return the words of each command that helps with failures, by its verb; none where another line has them."""
    run_dir = path_word(Path(short_path(summary.run_dir)))
    return {
        "retry": repeated_words(as_retry(words, "failed")),
        "fetch": ["fetch", run_dir],
        "reconcile": ["reconcile", run_dir],
        "run": [] if is_resumable(summary) else repeated_words(words),
    }


def _flagged_lines(summary: RunSummary) -> list[str]:
    """Return a line that names the flagged clips, and the command that shows them all."""
    if not (flagged := summary.flagged):
        return []
    named = "; ".join(map(flag_words, flagged[:FLAGGED_NAMED]))
    more = f"; and {len(flagged) - FLAGGED_NAMED:,} more" if len(flagged) > FLAGGED_NAMED else ""
    return [
        *wrapped(f"{counted(len(flagged), 'clip')} flagged: {named}{more}"),
        f"  → {command_line('status', Path(short_path(summary.run_dir)))}",
    ]


def is_resumable(summary: RunSummary) -> bool:
    """Return whether the same command again goes on with the run."""
    return summary.signal is not None or summary.exit_code in _RESUMABLE


def next_lines(summary: RunSummary, words: Sequence[str], limits: Limits, *, now: float) -> list[str]:
    """Return the commands that finish the storyboard, the next one last; cancelled takes need `retry`."""
    words = raised(words, summary, limits, now=now)
    retried = repeated(as_retry(words, "cancelled")) if summary.cancelled else ""
    said = f"{counted(len(summary.cancelled), 'take')} cancelled, which a run does not send again"
    if not is_resumable(summary):
        return [f"{said}; for new attempts:", f"  → {retried}"] if retried else []
    lines = (
        ["the moment of --until has passed, so it is left out here; give a later one"]
        if is_past(limits, now)
        else []
    )
    if retried and summary.ending.kind in _CUT and not any(summary.counts.get(state) for state in UNFINISHED):
        return [*lines, f"go on with: {retried}"]
    if retried:
        lines += [f"{said}; for new attempts, once the rest is done:", f"  → {retried}"]
    return [*lines, f"go on with: {repeated(words)}"]
