"""A sheet read through its column map: an artist's own table as the manifest's own.

In: the text of a table and its map. Out: its records with the manifest's names in the header, each cell still at its
place in the sheet; heading rows are tags of the rows below them. It knows no model and no map's syntax.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Final

from runner.domain.display import counted
from runner.domain.errors import Position
from runner.domain.ids import id_like, looks_mangled, why_no_id
from runner.manifest.cell_faults import is_sum
from runner.manifest.column_map import IGNORE, JOINED, REST, ColumnMap, column_of, heading_key
from runner.manifest.csv_reader import Record, records_of, shape_of
from runner.manifest.problems import Findings, bare, shown
from runner.manifest.size_limits import Limits
from runner.system.escapes import command_line

LEFT_OUT: Final = "\0"
"""The name in the header of a column that the map leaves out; no file can hold this character."""

_SPLIT = re.compile(r"[,;\n]")
_NUMBER = re.compile(r"(?<=[^\W\d_])(\d+)\Z")
_NO_TAG = re.compile(r"[^\w.+-]+")
_TAG_LENGTH: Final = 80
_PART: Final = 2


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
        # The quotes of a workbook's text are written by this program.
        checks_quotes=not is_workbook,
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
    _check_fit(chosen, header, findings)
    chosen = _checked(chosen, header, findings)
    _check_nameless(header, records, findings)
    layout = _layout(chosen, header)
    shots = _tagged(chosen, layout, header, records, findings)
    names, added = [LEFT_OUT] * len(header.cells), dict[str, Position]()
    for name, source in layout.items():
        if source.places:
            names[source.places[0]] = name
        else:
            names.append(name)
            added[name] = chosen.fixed[name].at if name in chosen.fixed else Position(chosen.file)
    return chain([replace(header, cells=tuple(names))], shots), added


def _check_fit(chosen: ColumnMap, header: Record, findings: Findings) -> None:
    """Stop at a map that was made for other headings: of those that matter most are missing, that of the ids too."""
    keys = {heading_key(each) for each in header.cells}
    wanted = {key: target.text for key, target in chosen.columns.items() if target.text != IGNORE}
    fitting = wanted.keys() & keys
    if 2 * len(fitting) < len(wanted) and "id" not in {wanted[key] for key in fitting}:
        again = command_line("import", findings.file, "--force")
        message = (
            f"{bare(chosen.file)} is not for these headings, which have {len(fitting)} of its {len(wanted)} columns;"
            f" correct its header row, remove it, or write a new one: {again}"
        )
        findings.stop(header.at(findings.file, 1), "header", message)


def _checked(chosen: ColumnMap, header: Record, findings: Findings) -> ColumnMap:
    """Report headings that only the sheet or only the map has: a renamed column must not be lost without a word.

    The map that is returned has such a column by its new heading, so that its one problem brings no others.
    """
    first: dict[str, str] = {}
    new = {heading_key(each): each for each in header.cells if each}
    lost = {key: new.pop(key, None) is None for key in chosen.columns}
    renamed = dict(chosen.columns)
    for key, written in ((key, target) for key, target in chosen.columns.items() if lost[key]):
        message = f"the sheet has no column {shown(chosen.written[key])}; correct its heading here, or remove the line"
        if written.text in {IGNORE, *JOINED}:
            findings.warn(written.at, "columns", message)
        else:
            near = findings.nearest(key, new)
            findings.error(written.at, "columns", message, nearest=near and new.pop(near))
            renamed |= {near: written} if near else {}
    chosen = replace(chosen, columns=renamed)
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
    return chosen


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
    chosen: ColumnMap,
    layout: Mapping[str, _Source],
    header: Record,
    records: Sequence[Record],
    findings: Findings,
) -> Iterator[Record]:
    """Yield the records of shots, each with the tag of the heading row above it."""
    ids = layout["id"].places[:1] if "id" in layout else ()
    first, tag = ids[0] if ids else 0, ""

    @cache
    def shapes() -> frozenset[str]:
        return _shapes_of_ids(records, ids)

    for record in records:
        filled = [place for place, cell in enumerate(record.cells) if cell and not cell.isspace()]
        # A sheet made for printing repeats its headings on each page.
        if record.cells == header.cells or (chosen.sums_are_left_out and is_sum(record.cells, id_at=first)):
            continue
        text = record.cells[first].strip()
        if chosen.headings_are_tags and len(filled) == 1 and filled[0] in {0, first}:
            heading = record.cells[filled[0]].strip()
            # A shot that is not described yet is not a heading: it is named as the others are.
            if not _is_like(heading, shapes()):
                tag = _slug(heading)
                continue
        if text and why_no_id(text) and shapes():
            if _is_like(text, shapes()):
                # The ids of a sheet may have blanks, which those of files may not.
                cells = [id_like(text) or text if n == first else cell for n, cell in enumerate(record.cells)]
                record = replace(record, cells=tuple(cells))
            elif chosen.headings_are_tags and len(filled) <= len(header.cells) // 2:
                message = (
                    f"{shown(text)} is not an id like the others; if this is a heading, empty its other cells"
                )
                at = record.at(findings.file, first + 1)
                findings.error(at, f"row {record.number}", message)
                continue
        yield replace(record, cells=_cells(layout, record, tag, width=len(header.cells)))


def _shapes_of_ids(records: Sequence[Record], places: Sequence[int]) -> frozenset[str]:
    """Return the shapes of ids that can be used as they are, and the one that most rows have.

    Where no shape is that of most, the ids are names, and those of well filled rows count: a heading has few cells.
    """
    filled = [
        (record.cells[place].strip(), sum(map(bool, record.cells)), len(record.cells))
        for place in places
        for record in records
    ]
    texts = [text for text, count, _ in filled if count > 1]
    shapes = Counter(map(_shape, filter(None, texts)))
    usual = {shape for shape, count in shapes.items() if 2 * count > len(texts)}
    if not usual:
        usual = {
            _shape(text) for text, count, width in filled if 2 * count > width and not looks_mangled(text)
        }
    usable = [text for text in texts if why_no_id(text) is None]
    # Beside s010 and s020, 's 60' is a shot too.
    spaced = {_shape(_NUMBER.sub(r" \1", text)) for text in usable if _NUMBER.search(text)}
    return frozenset(usual | spaced | {*map(_shape, usable)})


def _is_like(text: str, shapes: Collection[str]) -> bool:
    """Return whether a text is an id as the others are: of one shape with them, or with a part such as A behind it."""
    shape = _shape(text)
    begins = (shape[:-length] for length in range(1, _PART + 1))
    return shape in shapes or any("9" in each and each in shapes for each in begins)


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


def _shape(text: str) -> str:
    """Return the shape of an id; with a blank in it the words count too: `Shot 1` and `Scene 1` are not alike."""
    text = " ".join(text.split())
    return re.sub(r"\d+", "9", text.casefold()) if " " in text else shape_of(text)
