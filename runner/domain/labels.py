"""Short names of takes for people: `s010_t02` is the second take of shot s010.

A take gets its number when it is first recorded, and keeps it. In a new run the numbers are in board order. An older
render of a take, `TAKE~1`, has the take's own number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

_OLDER = "~"


class Numbered(NamedTuple):
    """A take with its number within its shot, 0 if it has none yet."""

    take_id: str
    shot_id: str
    number: int


def take_label(shot_id: str, number: int, take_id: str) -> str:
    """Return a take's short name; an older render of a take, `TAKE~1`, has the take's own number and its mark."""
    _, mark, render = take_id.rpartition(_OLDER)
    return f"{shot_id}_t{number:02}{mark}{render if mark else ''}"


def shot_of(label: str) -> str:
    """Return the shot's id in a take's short name; empty for no name."""
    return label.rpartition("_t")[0]


def new_numbers(takes: Iterable[Numbered], *, moved: Collection[str] = ()) -> dict[str, int]:
    """Return the numbers that change, by take id: of takes without one, and of takes that clash in a new shot.

    `takes` are all takes, those of the board first and in its order. `moved` are the ids of those that were renamed: of
    two takes of a shot with one number, the one that was there before keeps it.
    """
    every = list(takes)
    kept: dict[str, int] = {}
    taken: set[tuple[str, int]] = set()
    last: dict[str, int] = {}
    for take_id, shot_id, number in sorted(every, key=lambda take: take.take_id in moved):
        name = take_id.partition(_OLDER)[0]
        if number and name not in kept and (shot_id, number) not in taken:
            kept[name] = number
            taken.add((shot_id, number))
        last[shot_id] = max(last.get(shot_id, 0), number)
    changed: dict[str, int] = {}
    for take_id, shot_id, number in every:
        name = take_id.partition(_OLDER)[0]
        if name not in kept:
            kept[name] = last[shot_id] = last[shot_id] + 1
        if kept[name] != number:
            changed[take_id] = kept[name]
    return changed
