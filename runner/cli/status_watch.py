"""Draws lines on a terminal again and again in their place, until nothing more will change.

It knows no run. What it waits with and draws on are parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

_UP, _CLEAR, _ALL, _NO_WRAP, _WRAP = "\x1b[{}F", "\x1b[J", "\x1b[H\x1b[2J", "\x1b[?7l", "\x1b[?7h"


@dataclass(frozen=True, slots=True)
class Frame:
    """Safe lines to draw; `is_last` says that they will not change any more."""

    lines: Sequence[str]
    is_last: bool


class Outlet(Protocol):
    """A terminal that can be steered."""

    def draw(self, text: str) -> None:
        """Write `text` at once."""
        ...


def watch(
    look: Callable[[], Frame],
    outlet: Outlet,
    *,
    size: Callable[[], tuple[int, int]],
    wait: Callable[[float], None],
    seconds: float,
) -> None:
    """Draw what `look` returns at an interval of `seconds` until its last frame; `size` is in columns and lines.

    A frame never has more lines than the screen. The terminal itself cuts lines that are too wide, since it alone knows
    how wide it draws each character.
    """
    drawn, before = 0, size()
    while True:
        frame, now = look(), size()
        lines = _fitting(frame.lines, now[1] - 1)
        # After a change of size the terminal may have moved what was drawn.
        back = _ALL if now != before else (_UP.format(drawn) if drawn else "") + _CLEAR
        outlet.draw("".join((back, _NO_WRAP, *(f"{line}\n" for line in lines), _WRAP)))
        if frame.is_last:
            return
        drawn, before = len(lines), now
        wait(seconds)


def _fitting(lines: Sequence[str], most: int) -> Sequence[str]:
    if len(lines) <= most:
        return lines
    kept = max(most - 1, 0)
    return [*lines[:kept], f"… {len(lines) - kept:,} more lines"]
