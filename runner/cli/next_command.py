"""The command that continues: a command line with other flags, made from the words of the one that ended.

In: words of a command line, and what the run left to do. Out: words. A lone `--` ends the flags; what follows stays.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from runner.cli.arguments import COMMANDS
from runner.cli.parser import Parser, add_command
from runner.commands.steps.summary import RunSummary
from runner.domain.errors import MOVED, NEW_RUN
from runner.domain.limits import Limits
from runner.domain.money import micros, total
from runner.system.escapes import command_line

MOST_NAMED = 100
"""A command to copy names at most this many takes."""

_CENT = 10_000
# A retry's flags that its next command has not: the run's own words choose takes and folder, and the others concern
# the retry alone.
_ANSWERED = frozenset(
    {"only", "exclude", "tag", "status", "limit", "stale", "run_dir", "simulate", "shard", "moved"}
    | {"reason", "even_moderated", "yes"}
)


def repeated(words: Sequence[str]) -> str:
    """Return the command line of `repeated_words` to copy."""
    return command_line(*repeated_words(words))


def repeated_words(words: Sequence[str]) -> list[str]:
    """Return the command line in `words` that continues; what was agreed to once, such as a move, is left out."""
    flags, rest = _apart(words)
    return [*(word for word in flags if word not in {MOVED, NEW_RUN}), *rest]


def with_flags(words: Sequence[str], *flags: str, without: Collection[str] = ()) -> list[str]:
    """Return a command line with more flags, and without those flags of `without` and their values."""
    read, rest = _apart(words)
    kept: list[str] = []
    given = iter(read)
    for word in given:
        if word in without:
            next(given, None)
        elif word.partition("=")[0] not in without:
            kept.append(word)
    return [*kept, *flags, *rest]


def _apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that may be flags, and the lone `--` with all words after it, which cannot be."""
    end = list(words).index("--") if "--" in words else len(words)
    return list(words[:end]), list(words[end:])


def raised(words: Sequence[str], summary: RunSummary, limits: Limits, *, now: float) -> list[str]:
    """Return the command line in `words` with limits high enough to submit everything that is left.

    A moment that has passed by wall time `now` is left out. What was cancelled counts too, because a retry of it has
    the same limits.
    """
    enough = list(words)
    left = [take.estimate or 0.0 for take in (*summary.left, *summary.cancelled)]
    needed = micros(total([summary.spending.committed, *left]))
    if limits.max_cost is not None and needed > micros(limits.max_cost):
        dollars = f"{math.ceil(needed / _CENT) / 100:.2f}"
        enough = with_flags(enough, "--max-cost", dollars, without=["--max-cost"])
    submits = len(summary.spending.charges) + len(left)
    if limits.max_submits is not None and submits > limits.max_submits:
        enough = with_flags(enough, "--max-submits", str(submits), without=["--max-submits"])
    return with_flags(enough, without=["--until"]) if is_past(limits, now) else enough


def is_past(limits: Limits, now: float) -> bool:
    """Return whether the run should end at a moment that has passed."""
    return isinstance(limits.until, int | float) and limits.until <= now


def as_retry(words: Sequence[str], state: str) -> list[str]:
    """Return the `run` command line in `words` as the `retry` of takes in `state`, with the same flags."""
    verb = words.index("run")
    # The choice may become narrower, never wider. So the patterns of the run stay.
    retried = [*words[:verb], "retry", *words[verb + 1 :]]
    return with_flags(retried, "--status", state, without=["--status"])


def onward_words(words: Sequence[str], *, base: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """Return the `run` command in `base` with all flags of the retry in `words` that still matter.

    It is for the `chosen` takes alone, as the retry was, and has `--yes` if the retry had. If there are too many to
    name, it is for the whole manifest, and the person who continues is asked.
    """
    given = list(_flags(words[words.index("retry") + 1 :]))
    if any(dest == "api_base" for dest, _ in given):
        base = with_flags(base, without=["--api-base"])
    onward = [*base, *(word for dest, said in given if dest not in _ANSWERED for word in said)]
    if len(chosen) > MOST_NAMED:
        return onward
    onward += (f"--only={take}" for take in chosen)
    return [*onward, "--yes"] if any(dest == "yes" for dest, _ in given) else onward


def _flags(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each flag of a valid `retry` command line: its name in the namespace, and its words in long form."""
    command = next(each for each in COMMANDS if each.name == "retry")
    parser = add_command(Parser().add_subparsers(), command)
    actions = parser._option_string_actions  # noqa: SLF001 - no public way
    left, _ = _apart(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            continue
        if word.startswith("--"):
            name, equals, value = word.partition("=")
        else:
            name, equals, value = word[:2], word[2:], word[2:].removeprefix("=")
        action = actions[name]
        long = action.option_strings[-1]
        if action.nargs != 0:
            yield action.dest, [long, value if equals else left.pop(0)]
            continue
        yield action.dest, [long]
        # Short flags may be joined, as in -yj4.
        if equals:
            left.insert(0, f"-{value}")
