"""The column map of a sheet: which of an artist's columns is which, in a YAML file beside the sheet.

In: the text of a map, and the records of a sheet as they were read. Out: the same records with the manifest's own
names in the header, each cell still at its place in the sheet. It knows no model and opens no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from runner.domain.display import counted
from runner.domain.errors import Position
from runner.domain.ids import why_no_id
from runner.domain.shots import Fields, Text
from runner.manifest.csv_reader import Record, records_of
from runner.manifest.decode import decode
from runner.manifest.fields import Section, whole_number
from runner.manifest.problems import Findings, Stop, bare, shown
from runner.manifest.size_limits import Limits
from runner.system.csv_cells import SHADOWED

FORMAT: Final = "shotrunner-columns/1"
COLUMNS: Final = ("id", "model", "tags", "notes", "takes", "seeds", "price", "sweep")
JOINED: Final = ("tags", "notes")
IGNORE: Final = "ignore"
INPUT: Final = "input "
LEFT_OUT: Final = "\0"
"""The name in the header of a column that the map leaves out; no file can hold this character."""

_REST: Final = "*"
_KEYS: Final = ("format", "sheet", "header row", "columns", "fixed", "headings", "sum rows")
_TARGETS: Final = f"{', '.join(COLUMNS)}, {INPUT}NAME or {IGNORE}"
_SPLIT = re.compile(r"[,;\n]")
_NO_TAG = re.compile(r"[^\w.+-]+")
_TAG_LENGTH: Final = 80
# A workbook may hold a formula whose value no program has stored.
_AMOUNT = re.compile(r"[-+$€£]?\s*\d[\d.,:'\s]*(?:s|sec|[€$£%])?|=[A-Z.]+\(.*\)", re.IGNORECASE)
_TOTAL = re.compile(r"(?:(?:sub|grand) ?-?)?(?:totals?|sum|summe|gesamt)\s*:?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which heading of a sheet means what; headings are compared without case and with one blank between words.

    `columns` holds what each heading means: one of `COLUMNS`, `input NAME`, or `ignore`. `fixed` are values by column
    or input for rows that have none, each with its place in the map. With `rest_is_ignored` a heading that is not in
    the map is left out. `sheet` is that of a workbook, empty for the first.
    """

    file: str
    columns: Mapping[str, Text]
    fixed: Mapping[str, Text] = field(default_factory=dict)
    rest_is_ignored: bool = False
    headings_are_tags: bool = False
    sums_are_left_out: bool = False
    sheet: str = ""
    header_row: int = 1

    def means(self, heading: str) -> str | None:
        """Return what a heading of the sheet means, or None if the map does not say."""
        found = self.columns.get(heading_key(heading))
        return found.text if found else IGNORE if self.rest_is_ignored or not heading else None


def read_map(data: bytes, file: str, findings: Findings, limits: Limits) -> ColumnMap:
    """Return the map in a file; `findings` are those of its sheet.

    Raises:
        Stop: the map is wrong, so the sheet cannot be read; the problems have been reported.
    """
    # A board without a map needs no YAML, and starts sooner.
    from runner.manifest.yaml_reader import parse_yaml

    own, found = Findings(file), ColumnMap(file, {})
    with suppress(Stop):
        if len(data) > limits.text_bytes:
            own.stop(own.at(), "", f"a column map has at most {limits.text_bytes:,} bytes")
        top = parse_yaml(decode(data, own, limits), own, limits)
        if isinstance(top, Fields):
            found = _map_of(Section(top, own), file)
        elif top is not None:
            own.error(top.at, "", f"a column map is a mapping that begins with 'format: {FORMAT}'")
    findings.include(own)
    return found


def _map_of(top: Section, file: str) -> ColumnMap:
    top.check_keys(_KEYS)
    version, sheet = top.text("format"), top.text("sheet")
    if "format" not in top:
        top.error(top.fields.at, "format", f"is missing; write 'format: {FORMAT}' at the top")
    elif version and version.text != FORMAT:
        top.findings.unknown(
            version.text, (FORMAT,), version.at, "format", f"{shown(version.text)} is not known"
        )
    columns = _targets(top.section("columns"))
    rest = columns.pop(_REST, None)
    if rest and rest.text != IGNORE:
        top.error(rest.at, "columns.*", f"must be {IGNORE}, not {shown(rest.text)}")
    fixed = _fixed(top.section("fixed"))
    for needed in ("id", "model"):
        if needed not in {target.text for target in columns.values()} | fixed.keys():
            where = " or give it under fixed" if needed == "model" else ""
            top.error(
                top.section("columns").fields.at,
                "columns",
                f"no column is the {needed}; write {needed} behind its heading{where}",
            )
    return ColumnMap(
        file,
        columns,
        fixed,
        rest is not None,
        _is_chosen(top, "headings", "tags"),
        _is_chosen(top, "sum rows", "leave out"),
        sheet.text if sheet else "",
        _header_row(top),
    )


def _targets(section: Section) -> dict[str, Text]:
    targets: dict[str, Text] = {}
    for heading in section.fields.items:
        target = section.text(heading)
        if target is None:
            continue
        word = " ".join(target.text.split())
        if word not in (*COLUMNS, IGNORE) and not word.removeprefix(INPUT.strip()).startswith(" "):
            section.error(target.at, heading, f"{shown(target.text)} is not a column; write {_TARGETS}")
        elif heading_key(heading) in targets:
            section.error(section.fields.key_at(heading), heading, "is given twice: case does not matter")
        targets.setdefault(heading_key(heading), replace(target, text=word))
    return targets


def _fixed(section: Section) -> dict[str, Text]:
    fixed: dict[str, Text] = {}
    for name in section.fields.items:
        if name == "id":
            section.error(section.fields.key_at(name), name, "cannot be fixed: each shot has its own")
        elif value := section.text(name):
            fixed[_name_of(name)] = value
    return fixed


def _is_chosen(top: Section, key: str, word: str) -> bool:
    text = top.text(key)
    if text and text.text != word:
        top.error(text.at, key, f"must be {word}, or the line is left out")
    return text is not None


def _header_row(top: Section) -> int:
    text = top.text("header row")
    number = whole_number(text.text) if text else 1
    if text and (number is None or number < 1):
        top.error(text.at, "header row", f"must be the number of a row, not {shown(text.text)}")
    return number or 1


def _name_of(target: str) -> str:
    """Return the name of a column in a header; an input with the name of one of the other columns is marked."""
    name = target.removeprefix(INPUT)
    return SHADOWED + name if name != target and name.casefold() in COLUMNS else name


def heading_key(heading: str) -> str:
    """Return a heading without case, line breaks, doubled blanks and characters that cannot be seen."""
    seen = "".join(char for char in heading if char.isprintable() or char.isspace())
    return " ".join(seen.casefold().split())


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
            advice = f'add it, or "{_REST}": {IGNORE}'
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
        name = _name_of(target)
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
        if record.cells == header.cells or (chosen.sums_are_left_out and _is_sum(record, filled, first)):
            continue
        if chosen.headings_are_tags and len(filled) == 1 and filled[0] in {0, first}:
            text = record.cells[filled[0]]
            # A shot that is not described yet is not a heading: it is named as the others are.
            shapes = shapes or {
                _shape(each.cells[first]) for each in records if sum(map(bool, each.cells)) > 1
            }
            if why_no_id(text.strip()) or _shape(text) not in shapes:
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


def _is_sum(record: Record, filled: Sequence[int], first: int) -> bool:
    """Return whether a row only adds up the others: numbers without an id, perhaps beside a word such as Total."""
    texts = {place: record.cells[place].strip() for place in filled}
    if not _TOTAL.fullmatch(texts.pop(first, "total")):
        return False
    return all(_AMOUNT.fullmatch(text) or _TOTAL.fullmatch(text) for text in texts.values())


def _shape(text: str) -> str:
    """Return which kinds of characters an id has: `s010` and `s20` are of one shape."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text.strip()))


def map_text(
    targets: Sequence[tuple[str, str]],
    fixed: Mapping[str, str],
    *,
    file: str,
    sheet: str = "",
    header_row: int = 1,
) -> str:
    """Return the text of a map for the sheet in `file`, from each heading with its meaning, and the fixed values."""
    known: dict[str, tuple[str, str]] = {}
    for heading, target in targets:
        if heading and heading != _REST:
            known.setdefault(heading_key(heading), (heading, target))
    lines = [
        f"# What the columns of {bare(file)} are. check, plan and run read this file by themselves.",
        f"# A column is {_TARGETS}.",
        f"format: {FORMAT}",
        *([f"sheet: {_quoted(sheet)}"] if sheet else []),
        *([f"header row: {header_row}"] if header_row > 1 else []),
        "columns:",
        *(f"  {_quoted(heading)}: {_word(target)}" for heading, target in known.values()),
        f'  "{_REST}": {IGNORE}',
    ]
    if fixed:
        lines += ["# Values for rows that have none of their own.", "fixed:"]
        lines += (f"  {_word(name)}: {_quoted(value)}" for name, value in fixed.items())
    lines += [
        "# A row with only its first cell is a tag of the rows below it.",
        "headings: tags",
        "sum rows: leave out",
        "",
    ]
    return "\n".join(lines)


def _word(text: str) -> str:
    return text if re.fullmatch(r"[\w./ -]+", text) else _quoted(text)


def _quoted(text: str) -> str:
    # A text in JSON is a text in YAML, and all that cannot be seen is escaped in it.
    return json.dumps(" ".join(text.split()), ensure_ascii=not text.isprintable())
