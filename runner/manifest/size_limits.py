"""Limits the size of a manifest, and counts how much of the limits it has used.

A file of a few lines can ask for millions of takes, so counts are checked before anything is built. It knows no field.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from runner.domain.errors import Position
from runner.manifest.problems import Findings

MORE_TAKES = "split the manifest, or raise --max-takes"
MORE_BYTES = "split the manifest, or raise --max-manifest-bytes"
LONGER_TEXT = "shorten it, or raise --max-text-bytes"
"""Advice for each limit that has a flag."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes that a manifest may not exceed; `text_bytes` counts the UTF-8 bytes of one value, such as a prompt.

    `swept` counts takes without a row of their own: with sweeps and repeats, a few characters make thousands.
    """

    file_bytes: int = 16 * 2**20
    takes: int = 100_000
    swept: int = 10_000
    text_bytes: int = 100_000
    depth: int = 64
    nodes: int = 500_000
    aliased_nodes: int = 100_000
    variables: int = 1_000
    columns: int = 1_000
    cells: int = 1_000_000
    tags: int = 100
    expanded_values: int = 2_000_000
    expanded_characters: int = 64 * 2**20
    expanded_text: int = 256 * 2**20

    @property
    def points(self) -> int:
        """How many values one axis, and how many points one sweep, may have."""
        return min(self.takes, self.swept)

    def raised(
        self, *, takes: int | None = None, file_bytes: int | None = None, text_bytes: int | None = None
    ) -> Limits:
        """Return the limits with the given ones, and with others raised as a manifest of that size needs."""
        takes, swept = takes or self.takes, takes or self.swept
        bytes_, text = file_bytes or self.file_bytes, text_bytes or self.text_bytes
        return replace(
            self,
            takes=takes,
            swept=swept,
            expanded_values=max(self.expanded_values, 20 * takes),
            file_bytes=bytes_,
            nodes=max(self.nodes, bytes_ // 32),
            cells=max(self.cells, bytes_ // 16),
            text_bytes=text,
            expanded_characters=max(self.expanded_characters, text, bytes_),
        )

    def too_long(self, text: str) -> bool:
        """Return whether one value is larger than `text_bytes`."""
        # UTF-8 needs at most four bytes a character, so nearly every value passes without being encoded.
        return len(text) * 4 > self.text_bytes and len(text.encode("utf-8", "replace")) > self.text_bytes


LIMITS = Limits()
"""The limits without any flags."""

MOST_TAKES, MOST_FILE_BYTES, MOST_TEXT_BYTES = 1_000_000, 256 * 2**20, 16 * 2**20
"""How far a person may raise the three limits that have a flag."""

CEILING = LIMITS.raised(takes=MOST_TAKES, file_bytes=MOST_FILE_BYTES, text_bytes=MOST_TEXT_BYTES)
"""The limits for a manifest that was accepted before."""


class SizeBudget:
    """What a manifest has used so far of its limits.

    Raises:
        Stop: from every method, if a limit is exceeded; the problem has been reported.
    """

    def __init__(self, limits: Limits, findings: Findings) -> None:
        self.limits = limits
        self._findings = findings
        self._spent = Counter[str]()

    def spend_takes(self, count: int, *, values: int, characters: int, at: Position, subject: str) -> None:
        """Count `count` takes before they are built, each with `values` input values and `characters` in them."""
        most = self.limits
        self._spend(count, most.takes, "more than {:,} takes; " + MORE_TAKES, at, subject)
        if count > 1:
            more = "sweeps and repeats make more than {:,} takes; " + MORE_TAKES
            self._spend(count - 1, most.swept, more, at, subject)
        more = "more than {:,} input values in all takes; split the manifest"
        self._spend(count * values, most.expanded_values, more, at, subject)
        # A text that the manifest has once is in the body of every take.
        more = "more than {:,} characters in all takes; split the manifest"
        self._spend(count * characters, most.expanded_text, more, at, subject)

    def spend_values(self, count: int, *, characters: int = 0, at: Position, subject: str) -> None:
        """Count `count` values with `characters` that are about to be added to rows."""
        more = "more than {:,} input values in all rows; split the manifest"
        self._spend(count, self.limits.expanded_values, more, at, subject)
        self.spend_characters(characters, at=at, subject=subject)

    def spend_characters(self, count: int, *, at: Position, subject: str) -> None:
        """Count `count` characters that a template is about to write."""
        more = "templates write more than {:,} characters; split the manifest"
        self._spend(count, self.limits.expanded_characters, more, at, subject)

    def _spend(self, count: int, most: int, message: str, at: Position, subject: str) -> None:
        # Each limit has a message of its own, under which its amount is counted.
        spent = self._spent[message] = self._spent[message] + count
        if spent > most:
            self._findings.stop(at, subject, message.format(most))
