"""Reads a sweep in one cell of a spreadsheet, `seed=1000-1003 resolution=720p|1080p`, into what YAML gives.

Blanks or ';' separate axes. An axis is a name, '=', and values, which '|' separates. Names and values that move
together are joined by '+' (`seed+duration=7+5|8+10`). A value is a range, `random:4` (or `random:4:NAME`), a plain
word, or text in double quotes, in which `""` is a quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.domain.shots import Items, Node, Text
from runner.manifest.cell_faults import SHORTENED, is_shortened
from runner.manifest.fields import POINT_KEYS, SEPARATOR, Section, whole_number
from runner.manifest.problems import shown
from runner.manifest.sweep_points import drawn_seeds, range_values

_NAME = r'[^\s=|;,"+]+'
_NAMES = re.compile(rf"({_NAME}(?:\s*\+\s*{_NAME})*)\s*=\s*")
_QUOTED = r'"(?:[^"]|"")*"'
_ALONE = re.compile(rf'{_QUOTED}|[^\s|;,"]+')
_JOINED = re.compile(rf'{_QUOTED}|[^\s|;,"+]+')
_BETWEEN_VALUES = re.compile(r"\s*\|\s*")
_TOGETHER = re.compile(r"\s*\+\s*")
_BETWEEN_AXES = re.compile(r"\s*;\s*|\s+|$")
_RANDOM = re.compile(r"random:(\d{1,18})(?::(.{1,80}))?", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:([,.\s'’])\d{3})(?:\1\d{3})*")
_DRAWN = re.compile(r"rand(?:om)?[ :]*([1-9]\d{0,2})?", re.ASCII | re.IGNORECASE)
_EXAMPLE = "seed=1000-1003 resolution=720p|1080p"
_ENTRIES = re.compile(rf"(?:{'|'.join(POINT_KEYS)})(?=[\s:=]|$)")

NO_ENTRIES = (
    "exclude and include are for YAML; in the cell sweep write out the points that you want, their axes joined by '+': "
    "seed+resolution=7+720p|7+1080p|8+720p"
)
"""What to do in a spreadsheet instead of `exclude` and `include`."""


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the sweep cells of one row; seeds are drawn from `shot`, and a cell may have `limit` values."""

    row: Section
    shot: str
    limit: int

    def seeds(self, cell: Text) -> list[Text]:
        """Return the seeds of a `seeds` cell: numbers, ranges and `random 4`, in any mixture."""
        # Runs of blanks become one blank first, because a search would scan a long run from each of its places.
        compact = re.sub(r"(?i)\brandom[ :]?(?=\d)", "random:", " ".join(cell.text.split()))
        if re.search(r"\d\s+-\s*\d|\d\s*:\s+\d|\d\s+:", compact):
            compact = re.sub(r"\s*([-:])\s*(?=\d)", r"\1", compact)
        if fault := _number_fault(cell.text.strip()):
            self.row.error(cell.at, "seeds", f"{shown(cell.text)} {fault}")
            return []
        seeds, is_sound = list[Text](), True
        if not compact.strip(";, "):
            self.row.error(cell.at, "seeds", "has no seeds")
        for part in filter(None, SEPARATOR.split(compact)):
            # The seeds so far count too: a cell can hold ten thousand ranges, each within the limit.
            found = self._written_short(part, cell, room=self.limit - len(seeds))
            if found is None and whole_number(part) is not None:
                found = [Text(part, cell.at)]
            if isinstance(found, list):
                seeds += found
            else:
                wanted = "is neither a seed nor a range; write 7; 8, 1000-1003, 0-100:10 or random 4"
                drawn = _DRAWN.fullmatch(cell.text.strip())
                nearest = f"random {drawn[1] or 1}" if drawn and not found else None
                message = found or f"{shown(part)} {wanted}"
                self.row.findings.error(cell.at, self.row.where("seeds"), message, nearest=nearest)
                is_sound = False
        # The rest of a wrong list could be the take of another row.
        return seeds if is_sound else []

    def sweep(self, cell: Text) -> dict[str, Items]:
        """Return the axes of a `sweep` cell by name; what cannot be read is reported and ends the reading."""
        axes: dict[str, Items] = {}
        text, place = cell.text.strip(), 0
        while place < len(text):
            if _ENTRIES.match(text, place):
                self.row.error(cell.at, "sweep", NO_ENTRIES)
                break
            head = _NAMES.match(text, place)
            names = _TOGETHER.split(head[1]) if head else []
            steps, end = self._steps(text, head.end(), names, cell) if head else ([], place)
            key = f"[{', '.join(names)}]" if len(names) > 1 else "".join(names)
            after = _BETWEEN_AXES.match(text, end)
            if not steps or not after:
                message = f"cannot be read at {shown(text[end : end + 20])}; write {_EXAMPLE}"
                self.row.error(cell.at, "sweep", message)
                break
            if key in axes:
                self.row.error(cell.at, "sweep", f"{shown(key)} is swept twice")
            axes[key] = Items(tuple(steps), cell.at)
            place = after.end()
        return axes

    def _steps(self, text: str, place: int, names: list[str], cell: Text) -> tuple[list[Node], int]:
        """Return the steps of one axis and where they end; none if a value cannot be read there."""
        steps: list[Node] = []
        while True:
            values: list[Node] = []
            for index in range(len(names)):
                joint = _TOGETHER.match(text, place) if index else None
                place = joint.end() if joint else place
                found = (_JOINED if len(names) > 1 else _ALONE).match(text, place)
                if not found or (index and not joint):
                    return [], place
                place = found.end()
                values += self._values(found[0], cell, alone=len(names) == 1, room=self.limit - len(steps))
            steps += values if len(names) == 1 else [Items(tuple(values), cell.at)]
            more = _BETWEEN_VALUES.match(text, place)
            if not more:
                return steps, place
            place = more.end()

    def _values(self, written: str, cell: Text, *, alone: bool, room: int) -> list[Text]:
        if written.startswith('"'):
            return [Text(written[1:-1].replace('""', '"'), cell.at, quoted=True)]
        found = self._written_short(written, cell, room=room) if alone else None
        if isinstance(found, str):
            self.row.error(cell.at, "sweep", f"{found}; put it in double quotes if it is text")
        return found if isinstance(found, list) else [Text(written, cell.at)]

    def _written_short(self, part: str, cell: Text, *, room: int) -> list[Text] | str | None:
        """Return the values of a range or of `random:4`, why there are none, or None for anything else."""
        drawn = _RANDOM.fullmatch(part)
        if not drawn:
            return range_values(part, cell.at, limit=room)
        count = int(drawn[1])
        if not 1 <= count <= room:
            return f"{shown(part)} must ask for 1 to {room:,} seeds"
        return drawn_seeds(drawn[2] or self.shot, count, at=cell.at)


def _number_fault(text: str) -> str | None:
    """Return why a cell that a spreadsheet wrote may be no list of seeds; a wrong guess would be paid for."""
    if is_shortened(text):
        return SHORTENED
    if not _GROUPED.fullmatch(text):
        return None
    plain = "".join(filter(str.isdecimal, text))
    apart = "; ".join(re.split(r"\D", text))
    return f"may be one number or several seeds; write {plain} for one seed, or {apart} for several"
