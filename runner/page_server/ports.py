"""What the server shows, as a Protocol: it knows neither a run's record nor how a page is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

Row: TypeAlias = tuple[str, str, str, str, str, str]
"""A decision: shot, take, word, note, who and when, as the page sent it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an open page has to show differently: the `head` of the run, and `takes`, as JSON objects.

    `is_reload` says that the page must be loaded again, since its set of takes is another one.
    """

    head: Mapping[str, object]
    takes: Sequence[Mapping[str, object]] = ()
    is_reload: bool = False


class PageSource(Protocol):
    """A run as the server shows it. `look` is called from one thread, the other methods from any."""

    @property
    def goes_on(self) -> bool:
        """Whether the run went on at the last look."""
        ...

    def look(self) -> Change | None:
        """Return what has changed since the last look, None for nothing."""
        ...

    def page(self, *, after: int) -> bytes:
        """Return the page as HTML; it will ask for the changes after the one with this number.

        Raises:
            ShotrunnerError: the record cannot be read.
        """
        ...

    def data(self, name: str) -> bytes | None:
        """Return a script file with data that the page loads by this name, None for any other name.

        Raises:
            ShotrunnerError: the record cannot be read.
        """
        ...

    def file(self, name: str) -> Path | None:
        """Return a file that the page links to by this name, None for any other name."""
        ...

    def save(self, rows: Sequence[Row]) -> int:
        """Keep decisions, and return how many of them were news.

        Raises:
            ShotrunnerError: one cannot be kept; then none is.
        """
        ...
