"""Copies of the product with exact replacements in its source: seeded bugs, or a part switched off.

In: a source tree and replacements. Out: a tree that can be run. A replacement whose text is no longer found exactly
once is refused: a bug that is not there could never be found.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class PatchStale(Exception):
    """The source has moved on, and a replacement no longer says what it meant."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """`old` in `file` (relative to the tree) becomes `new`; `old` must stand there exactly once."""

    file: str
    old: str
    new: str


def copy_tree(source: Path, target: Path, replacements: Iterable[Replacement]) -> Path:
    """Copy the package and its schemas from `source`, patch them, and return `target`.

    Raises:
        PatchStale: a replacement does not fit.
    """
    for folder in ("runner", "schemas"):
        shutil.copytree(source / folder, target / folder)
    for replacement in replacements:
        apply(target, replacement)
    return target


def apply(tree: Path, replacement: Replacement) -> None:
    """Patch one file.

    Raises:
        PatchStale: the replacement does not fit.
    """
    path = tree / replacement.file
    text = path.read_text("utf-8") if path.exists() else ""
    if (found := text.count(replacement.old)) != 1:
        raise PatchStale(
            f"{replacement.file} has {found} times what should be there once: {replacement.old!r}"
        )
    path.write_text(text.replace(replacement.old, replacement.new), "utf-8")


LOCKLESS = Replacement("runner/store/lock.py", "self._lock.acquire()", "self._lock.is_locked")
"""Switches the run lock off, so that the epoch alone must keep runners apart."""
