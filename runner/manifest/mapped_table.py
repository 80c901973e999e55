"""A sheet read through its column map: an artist's own table as the manifest's own.

In: the text of a table and its map. Out: its records with the manifest's names in the header, each cell still at its
place in the sheet; heading rows are tags of the rows below them. It knows no model and no map's syntax.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from runner.domain.display import counted
from runner.domain.errors import Position
from runner.domain.ids import why_no_id
from runner.manifest.cell_faults import is_sum
from runner.manifest.column_map import IGNORE, JOINED, REST, ColumnMap, column_of, heading_key
from runner.manifest.csv_reader import Record, records_of, shape_of
from runner.manifest.problems import Findings, bare, shown
from runner.manifest.size_limits import Limits

LEFT_OUT: Final = "\0"
"""The name in the header of a column that the map leaves out; no file can hold this character."""

_SPLIT = re.compile(r"[,;\n]")
_NO_TAG = re.compile(r"[^\w.+-]+")
_TAG_LENGTH: Final = 80


def table_of(
    text: str,
    findings: Findings,
    limits: Limits,
    chosen: ColumnMap | None,
    *,
    known: Collection[str],
    is_workbook: bool,
) -> tuple[Iterator[Record], Mapping[str, Position]]:
    """Return the header and the records of a sheet as the map has them, and where the columns it adds are given.

    Columns keep their places. What is left out is empty, and called `LEFT_OUT`. Columns that the sheet does not have
    follow at the end: fixed values, and the tags of heading rows. Without a map the records are as they are. The lines
    of a workbook are its rows; `known` are names that a header may have.

    Raises:
        Stop: the rest cannot be trusted, or is more than the limits allow; the problem has been reported.
    """
    records = records_of(
        text,
        findings,
        limits,
        known=known,
        header_row=chosen.header_row if chosen else 1,
        keeps_nameless=chosen is not None,
    )
    if is_workbook:
        records = (replace(record, line=record.number) for record in records)
    header = next(records, None) if chosen else None
    if not chosen or not header:
        return records, {}
    return _mapped(chosen, header, list(records), findings)


def _mapped(
    chosen: ColumnMap, header: Record, records: Sequence[Record], findings: Findings
) -> tuple[Iterator[Record], Mapping[str, Position]]:
    _check_headings(chosen, header, findings)
    _check_nameless(header, records, findings)
    layout = _layout(chosen, header)
    shots = _tagged(chosen, layout, header, records)
    names, added = [LEFT_OUT] * len(header.cells), dict[str, Position]()
    for name, source in layout.items():
        if source.places:
            names[source.places[0]] = name
        else:
            names.append(name)
            added[name] = chosen.fixed[name].at if name in chosen.fixed else Position(chosen.file)
    return chain([replace(header, cells=tuple(names))], shots), added


def _check_headings(chosen: ColumnMap, header: Record, findings: Findings) -> None:
    """Report headings that only the sheet or only the map has: a renamed column must not be lost without a word."""
    first: dict[str, str] = {}
    for number, heading in enumerate(header.cells, 1):
        at, target = header.at(findings.file, number), chosen.means(heading)
        if target is None:
            advice = f'add it, or "{REST}": {IGNORE}'
            message = f"the column {shown(heading)} is not in {bare(chosen.file)}; {advice}"
            findings.error(at, "header", message)
        elif heading and heading_key(heading) not in chosen.columns:
            message = f"the column {shown(heading)} is not in {bare(chosen.file)}, and is left out"
            findings.warn(at, "header", message)
        elif target in first and target not in {IGNORE, *JOINED}:
            message = f"{shown(heading)} and {shown(first[target])} are both {bare(target)}; keep one"
            findings.error(at, "header", message)
        first.setdefault(target or "", heading)
    present = set(map(heading_key, header.cells))
    for heading, written in chosen.columns.items():
        if heading not in present:
            message = (
                f"the sheet has no column {shown(heading)}; correct its heading here, or remove the line"
            )
            report = findings.warn if written.text in {IGNORE, *JOINED} else findings.error
            report(written.at, "columns", message)


def _check_nameless(header: Record, records: Sequence[Record], findings: Findings) -> None:
    nameless = [place for place, heading in enumerate(header.cells) if not heading]
    filled = [(record, place) for record in records for place in nameless if record.cells[place].strip()]
    if filled:
        record, place = filled[0]
        message = f"cells without a heading above them are left out: {counted(len(filled), 'cell')}"
        findings.warn(record.at(findings.file, place + 1), "", message)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the cells of one column come from: places in the sheet from 0, their headings, and a fixed value."""

    places: tuple[int, ...] = ()
    headings: tuple[str, ...] = ()
    fixed: str = ""


def _layout(chosen: ColumnMap, header: Record) -> dict[str, _Source]:
    """Return the columns by name; only tags and notes may be several columns of the sheet."""
    layout: dict[str, _Source] = {}
    for place, heading in enumerate(header.cells):
        target = chosen.means(heading)
        if target is None or target == IGNORE:
            continue
        name = column_of(target)
        known = layout.get(name, _Source())
        layout[name] = _Source((*known.places, place), (*known.headings, heading))
    for name, text in chosen.fixed.items():
        layout[name] = replace(layout.get(name, _Source()), fixed=text.text)
    if chosen.headings_are_tags and "tags" not in layout:
        layout["tags"] = _Source()
    return layout


def _tagged(
    chosen: ColumnMap, layout: Mapping[str, _Source], header: Record, records: Sequence[Record]
) -> Iterator[Record]:
    """Yield the records of shots, each with the tag of the heading row above it."""
    ids = layout["id"].places[:1] if "id" in layout else ()
    first, shapes, tag = ids[0] if ids else 0, set[str](), ""
    for record in records:
        filled = [place for place, cell in enumerate(record.cells) if cell and not cell.isspace()]
        # A sheet made for printing repeats its headings on each page.
        if record.cells == header.cells or (chosen.sums_are_left_out and is_sum(record.cells, id_at=first)):
            continue
        if chosen.headings_are_tags and len(filled) == 1 and filled[0] in {0, first}:
            text = record.cells[filled[0]]
            # A shot that is not described yet is not a heading: it is named as the others are.
            shapes = shapes or {
                shape_of(each.cells[first]) for each in records if sum(map(bool, each.cells)) > 1
            }
            if why_no_id(text.strip()) or shape_of(text) not in shapes:
                tag = _slug(text)
                continue
        yield replace(record, cells=_cells(layout, record, tag, width=len(header.cells)))


def _cells(layout: Mapping[str, _Source], record: Record, tag: str, *, width: int) -> tuple[str, ...]:
    cells = [""] * width
    for name, source in layout.items():
        if name == "tags":
            text = _joined_tags(source, record, tag)
        elif name == "notes" and len(source.places) > 1:
            text = _joined_notes(source, record)
        else:
            text = record.cells[source.places[0]] if source.places else ""
        if source.fixed and not text.strip():
            text = source.fixed
        if source.places:
            cells[source.places[0]] = text
        else:
            cells.append(text)
    return tuple(cells)


def _joined_tags(source: _Source, record: Record, tag: str) -> str:
    words = [tag, *(word for place in source.places for word in _SPLIT.split(record.cells[place]))]
    return ", ".join(dict.fromkeys(filter(None, map(_slug, [*words, *_SPLIT.split(source.fixed)]))))


def _joined_notes(source: _Source, record: Record) -> str:
    found = zip(source.headings, (record.cells[place].strip() for place in source.places), strict=True)
    return "; ".join(f"{heading}: {text}" for heading, text in found if text)


def _slug(text: str) -> str:
    """Return a text as one tag: `SCENE 1` is `SCENE-1`."""
    return _NO_TAG.sub("-", text).strip("-")[:_TAG_LENGTH]
