"""The notebook in which reading a manifest writes down everything it finds wrong, and goes on.

In: places, subjects, messages. Out: problems in the order of the file, each said once.
It knows neither YAML nor CSV.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.domain.errors import Position, Problem, Severity
from runner.system.nearest_name import Speller

_SHOWN = 80
_MOST = 10_000


class Stop(Exception):
    """Reading cannot go on; what stands in its way is already among the findings."""


class Findings:
    """Problems of one file, collected.

    Raises:
        Stop: from `error` and `warn`, when there are more than anybody could want to see.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._problems: dict[tuple[Position, str], Problem] = {}
        self._speller = Speller()

    def at(self, line: int | None = None, column: int | None = None) -> Position:
        """Return a place in the file; lines and columns count from 1."""
        return Position(self.file, line, column)

    def error(
        self,
        at: Position,
        subject: str,
        message: str,
        *,
        allowed: Iterable[str] = (),
        nearest: str | None = None,
    ) -> None:
        """Write down something that stops the run."""
        # One mistake in `defaults` or behind an alias meets every shot: its place and words are said once.
        self._add(Problem(at, subject, message, tuple(filter(str.isprintable, allowed)), nearest))

    def warn(self, at: Position, subject: str, message: str) -> None:
        """Write down something that is only said."""
        self._add(Problem(at, subject, message, severity=Severity.WARNING))

    def nearest(self, name: str, known: Iterable[str]) -> str | None:
        """Return the known name that was probably meant, if one is close."""
        return self._speller.nearest(name, known)

    def _add(self, problem: Problem) -> None:
        self._problems.setdefault((problem.at, problem.message), problem)
        if len(self._problems) >= _MOST:
            message = f"reading stopped here after {_MOST:,} problems"
            self._problems[problem.at, message] = Problem(problem.at, "", message)
            raise Stop

    def in_order(self) -> tuple[Problem, ...]:
        """Return all findings by line and column, those in other files after those in this one."""
        return tuple(sorted(self._problems.values(), key=lambda problem: place_in(problem.at, self.file)))


def place_in(at: Position, file: str) -> tuple[bool, str, int, int]:
    """Return a key that sorts places: first `file`, and all that is about a whole file, by line and column."""
    foreign = at.file != file and at.line is not None
    return foreign, at.file if foreign else "", at.line or 0, at.column or 0


def shown(text: str) -> str:
    """Return what the user wrote in quotes: cut, on one line, nothing in it that could steer a terminal."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return f"'{safe}'"
