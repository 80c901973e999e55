"""The faults of links, each reported once for all takes that use the link.

In: faults of takes, as they are noticed. Out: `Finding`s in the order of the plan, each printable as one problem. It
contains no query of a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.domain.errors import Position, Problem, Severity
from runner.media.http.response import shown
from runner.media.preflight.media_links import Place, TakeMedia


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what it is, and what to do about it."""

    message: str
    advice: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at one input, and all takes that have it; `url` has no query, and `at` is the first take's row."""

    severity: Severity
    takes: tuple[str, ...]
    input: str
    url: str
    message: str
    advice: str
    at: Position

    @property
    def problem(self) -> Problem:
        """The finding as a problem of the manifest."""
        more = f" and {len(self.takes) - 1:,} more" if len(self.takes) > 1 else ""
        return Problem(
            self.at,
            f"{self.takes[0]}{more}, inputs.{self.input}",
            f"{self.url} {self.message}; {self.advice}",
            severity=self.severity,
        )


@dataclass(slots=True)
class Findings:
    """The faults so far; the same fault at the same link and input counts once for any number of takes."""

    _takes: dict[tuple[Fault, str, str], list[str]] = field(default_factory=dict)
    _first: dict[tuple[Fault, str, str], Position] = field(default_factory=dict)

    def add(self, take: TakeMedia, place: Place, fault: Fault) -> None:
        """Note a fault."""
        key = (fault, place.url, place.input)
        self._takes.setdefault(key, []).append(take.take_id)
        self._first.setdefault(key, take.at)

    def __iter__(self) -> Iterator[Finding]:
        for (fault, url, where), takes in self._takes.items():
            yield Finding(
                severity=fault.severity,
                takes=tuple(dict.fromkeys(takes)),
                input=where,
                url=shown(url),
                message=fault.message,
                advice=fault.advice,
                at=self._first[fault, url, where],
            )
