"""Short names of takes for people: `s010_t02` is the second take of shot s010.

A take gets its number when it is first recorded, and keeps it. In a new run the numbers are in board order.
"""

from __future__ import annotations


def take_label(shot_id: str, number: int, take_id: str) -> str:
    """Return a take's short name; an older render of a take, `TAKE~1`, has the take's own number and its mark."""
    _, mark, render = take_id.rpartition("~")
    return f"{shot_id}_t{number:02}{mark}{render if mark else ''}"
