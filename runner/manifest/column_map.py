"""The column map of a sheet: which of an artist's columns is which, in a YAML file beside the sheet.

In: the text of a map. Out: a `ColumnMap`, or all that is wrong with it; and back, the text of a map from the meaning of
each heading. It knows no model and opens no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from runner.domain.shots import Fields, Text
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
REST: Final = "*"
_KEYS: Final = ("format", "sheet", "header row", "columns", "fixed", "headings", "sum rows")
_TARGETS: Final = f"{', '.join(COLUMNS)}, {INPUT}NAME or {IGNORE}"


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which heading of a sheet means what; headings are compared without case and with one blank between words.

    `columns` holds what each heading means: one of `COLUMNS`, `input NAME`, or `ignore`, and `written` the headings as
    they stand in the map. `fixed` are values by column
    or input for rows that have none, each with its place in the map. With `rest_is_ignored` a heading that is not in
    the map is left out. `sheet` is that of a workbook, empty for the first. Rows above `header_row` are passed over.
    """

    file: str
    columns: Mapping[str, Text]
    fixed: Mapping[str, Text] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
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
    section = top.section("columns")
    columns = _targets(section)
    rest = columns.pop(REST, None)
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
        {heading_key(heading): heading for heading in section.fields.items},
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
            near = section.findings.nearest(word, (*COLUMNS, IGNORE)) or (
                INPUT + word if _is_name(word) else None
            )
            message = f"{shown(target.text)} is not a column; write {_TARGETS}"
            section.findings.error(target.at, section.where(heading), message, nearest=near)
        elif heading_key(heading) in targets:
            section.error(section.fields.key_at(heading), heading, "is given twice: case does not matter")
        targets.setdefault(heading_key(heading), replace(target, text=word))
    return targets


def _is_name(word: str) -> bool:
    return re.fullmatch(r"[\w.-]{1,60}", word) is not None


def _fixed(section: Section) -> dict[str, Text]:
    fixed: dict[str, Text] = {}
    for name in section.fields.items:
        if name == "id":
            section.error(section.fields.key_at(name), name, "cannot be fixed: each shot has its own")
        elif value := section.text(name):
            fixed[column_of(name)] = value
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


def column_of(target: str) -> str:
    """Return the name of a column in a header; an input with the name of one of the other columns is marked."""
    name = target.removeprefix(INPUT)
    return SHADOWED + name if name != target and name.casefold() in COLUMNS else name


def heading_key(heading: str) -> str:
    """Return a heading without case, line breaks, doubled blanks and characters that cannot be seen."""
    seen = "".join(char for char in heading if char.isprintable() or char.isspace())
    return " ".join(seen.casefold().split())


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
        if heading and heading != REST:
            known.setdefault(heading_key(heading), (heading, target))
    lines = [
        f"# What the columns of {bare(file)} are. check, plan and run read this file by themselves.",
        f"# A column is {_TARGETS}.",
        f"format: {FORMAT}",
        *([f"sheet: {_quoted(sheet)}"] if sheet else []),
        *([f"header row: {header_row}"] if header_row > 1 else []),
        "columns:",
        *(f"  {_quoted(heading)}: {_word(target)}" for heading, target in known.values()),
        f'  "{REST}": {IGNORE}',
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
