"""The takes that wait for a person, by what went wrong, each kind with what helps and the command for it.

It knows no terminal and no state file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runner.domain import display
from runner.domain.records import TakeRecord
from runner.domain.states import TakeState
from runner.output.take_advice import NextStep, next_step
from runner.system.escapes import command_line

MOST_NAMED = 40
"""A command names one take, or several within this many characters; it chooses more of them by their state."""

_INDENT = "  "
_NAMED = 3


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Takes with one kind of trouble: its `name`, what helps, and the command for all of them.

    The name is a class of failure, `held`, `undeliverable` or, where nothing says why, `failed`. `labels` are the
    short names of the `takes`, for people. `verb` is that of the `command`. `standing` is where the takes are, and
    `trouble` their class with its most common reason; it may be empty.
    """

    name: str
    takes: tuple[str, ...]
    labels: tuple[str, ...]
    advice: str
    command: str
    verb: str = ""
    standing: str = ""
    trouble: str = ""

    @property
    def sentence(self) -> str:
        """How many takes ended how, the first of them, and what helps."""
        said = f", {self.trouble}" if self.trouble else ""
        names = display.listed(self.takes, most=_NAMED)
        return f"{len(self.takes):,} {self.standing}{said} ({names}). {self.advice}"


def failure_kinds(
    takes: Iterable[TakeRecord], command: Callable[..., str] = command_line
) -> tuple[FailureKind, ...]:
    """Return the kinds of trouble among `takes`, the most frequent first.

    `command` makes the command of this run from a verb and the words behind it. Takes for which nothing is left to do
    are passed over.
    """
    found: dict[tuple[str, str, str, str], list[tuple[TakeRecord, NextStep]]] = {}
    for take in takes:
        if (helps := next_step(take)).verb:
            standing = display.standing(take.state, take.delivery)
            name = take.failure.value if take.failure else standing
            found.setdefault((name, standing, helps.sentence, helps.verb), []).append((take, helps))
    return tuple(
        FailureKind(
            name,
            tuple(take.take_id for take, _ in each),
            tuple(take.label for take, _ in each),
            sentence if len(each) == 1 else each[0][1].of_several,
            command(verb, *_chosen([take for take, _ in each], ["".join(helps.words) for _, helps in each])),
            verb,
            standing,
            _trouble([take for take, _ in each]),
        )
        for (name, standing, sentence, verb), each in sorted(found.items(), key=lambda pair: -len(pair[1]))
    )


def _trouble(takes: Sequence[TakeRecord]) -> str:
    ((reason, _),) = Counter(take.reason for take in takes).most_common(1)
    return display.trouble(takes[0].failure, reason, display.REASON_LIMIT)


def _chosen(takes: Sequence[TakeRecord], names: Sequence[str]) -> Sequence[str]:
    """Return the words that choose these takes; none for a command about the whole run."""
    if not all(names):
        return ()
    first = takes[0]
    word = first.state.value if first.state is TakeState.FAILED else first.delivery.value
    is_short = len(names) == 1 or len(" ".join(names)) <= MOST_NAMED
    return names if is_short else ("--only", f"status:{word}")


def failure_lines(kinds: Sequence[FailureKind], *, in_use: bool = False) -> list[str]:
    """Return each kind of trouble with its takes, what helps, and the command, which a run that is `in_use` refuses."""
    when, lines = "when it has ended: " if in_use else "", []
    for each in kinds:
        lines += [
            f"{len(each.takes):,} {each.name}: {display.listed(each.labels)}",
            f"{_INDENT}{each.advice}",
            f"{_INDENT}→ {when}{each.command}",
        ]
    return lines
