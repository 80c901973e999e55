"""A figure, what it should reach, and the table that says whether it does.

In: plain numbers. Out: text. It starts nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEADERS = ("figure", "reach", "median", "from … to", "beside", "reached")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with the value of each run; it is reached if the median is within `most` or `least`.

    Without a bound it only informs. `beside` says what the peers had. A figure without values says there why.
    """

    name: str
    values: tuple[float, ...]
    unit: str = ""
    most: float | None = None
    least: float | None = None
    beside: str = ""

    @property
    def median(self) -> float:
        """The median of all runs."""
        return statistics.median(self.values)

    @property
    def is_reached(self) -> bool | None:
        """Whether the median is within the bound; None without a bound or a value."""
        if not self.values or self.most is self.least is None:
            return None
        return (self.most is None or self.median <= self.most) and (
            self.least is None or self.median >= self.least
        )

    def cells(self) -> tuple[str, ...]:
        """Return one row of the table."""
        bounds = [
            f"{sign} {_number(bound)}{self._unit}"
            for sign, bound in (("≤", self.most), ("≥", self.least))
            if bound is not None
        ]
        reached = {None: "", True: "yes", False: "NOT REACHED"}[self.is_reached]
        if not self.values:
            return (self.name, " ".join(bounds), "–", "", self.beside, "not measured" if bounds else "")
        spread = f"{_number(min(self.values))} … {_number(max(self.values))}" if len(self.values) > 1 else ""
        return (
            self.name,
            " ".join(bounds),
            f"{_number(self.median)}{self._unit}",
            spread,
            self.beside,
            reached,
        )

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(figures: Sequence[Figure]) -> str:
    """Return a table that a person can read and a document can keep."""
    rows = [HEADERS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADERS))]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])
