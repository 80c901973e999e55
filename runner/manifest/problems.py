"""Collects everything that is wrong with a manifest, so that reading can continue; it knows neither YAML nor CSV."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from runner.domain.errors import Position, Problem, Severity
from runner.system.escapes import visible
from runner.system.nearest_name import LIKENESS, Speller

FRAME_MEANT = "is not a reference; for the frame write"
"""What a warning says of a value that only names a frame; an input that takes only addresses refuses it too."""
_SHOWN = 80
_MOST = 10_000


class Stop(Exception):
    """Reading cannot continue; the reason is already among the findings."""


class Findings:
    """The problems of one file; `is_cut` is true once reading had to stop.

    Raises:
        Stop: from every method that adds one, if there are more than a person could want to see.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.is_cut = False
        self._problems: dict[tuple[Position, str], Problem] = {}
        self._speller = Speller()

    def at(self, line: int | None = None, column: int | None = None) -> Position:
        """Return a place in the file; lines and columns count from 1."""
        return Position(self.file, line, column)

    def error(self, at: Position, subject: str, message: str, *, nearest: str | None = None) -> None:
        """Add a problem that stops the run."""
        self._add(Problem(at, subject, message, nearest=nearest))

    def unknown(
        self,
        name: str,
        known: Iterable[str],
        at: Position,
        subject: str,
        message: str,
        *,
        likeness: float = LIKENESS,
    ) -> None:
        """Add an error about a name, with the known one that was probably meant, or else with some known ones."""
        known = tuple(known)
        nearest = self.nearest(name, known, likeness=likeness)
        allowed = () if nearest else filter(str.isprintable, known[:20])
        self._add(Problem(at, subject, message, tuple(allowed), nearest))

    def stop(self, at: Position, subject: str, message: str) -> NoReturn:
        """Add an error after which reading cannot continue."""
        self.error(at, subject, message)
        self.cut()

    def warn(self, at: Position, subject: str, message: str) -> None:
        """Add a warning, which stops nothing."""
        self._add(Problem(at, subject, message, severity=Severity.WARNING))

    def include(self, other: Findings) -> None:
        """Add what was found in another file, which this one needs.

        Raises:
            Stop: there is an error, so this file cannot be read on.
        """
        for problem in other.in_order():
            self._add(problem)
        if any(problem.severity is Severity.ERROR for problem in other.in_order()):
            self.is_cut = True
            raise Stop

    def nearest(self, name: str, known: Iterable[str], *, likeness: float = LIKENESS) -> str | None:
        """Return the known name that was probably meant, if one is close."""
        return self._speller.nearest(name, known, likeness=likeness)

    def _add(self, problem: Problem) -> None:
        # One mistake in `defaults` or behind an alias affects every shot, but is reported once.
        self._problems.setdefault((problem.at, problem.message), problem)
        if len(self._problems) >= _MOST:
            message = f"reading stopped here after {_MOST:,} problems"
            self._problems[problem.at, message] = Problem(problem.at, "", message)
            self.cut()

    def cut(self) -> NoReturn:
        """Stop reading because of problems that were added before."""
        self.is_cut = True
        raise Stop

    def in_order(self) -> tuple[Problem, ...]:
        """Return all findings by line and column; those in other files come after those in this one."""
        return tuple(sorted(self._problems.values(), key=lambda problem: place_in(problem.at, self.file)))


def place_in(at: Position, file: str) -> tuple[bool, str, int, int]:
    """Return a key that sorts places by line and column; `file`, and what is about a whole file, comes first."""
    foreign = at.file != file and at.line is not None
    return foreign, at.file if foreign else "", at.line or 0, at.column or 0


def shown(text: str) -> str:
    """Return the user's text in quotes, cut, on one line, and without anything that could control a terminal."""
    return f"'{bare(text)}'"


def bare(text: str) -> str:
    """Return the user's text as `shown` does, without the quotes."""
    return visible(text, _SHOWN)
