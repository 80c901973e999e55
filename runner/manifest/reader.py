"""Reads manifest files with one thin reader and one pure function behind it.

Every structural problem is found at once. Values stay text, because only the model schema says what they must be.
Nothing in a manifest is executed. A function that is passed in opens the text files that it names.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.errors import FileMissing, Problem, UsageError
from runner.domain.ids import folder_name, why_no_id
from runner.domain.shots import Fields, Manifest, Shot
from runner.manifest.decode import decode
from runner.manifest.expand import Source, expand
from runner.manifest.fields import Section
from runner.manifest.problems import Findings, Stop
from runner.manifest.prompt_files import OpenBeside
from runner.manifest.settings import Setting, settings_of
from runner.manifest.size_limits import CEILING, LIMITS, Limits

if TYPE_CHECKING:
    from runner.manifest.column_map import ColumnMap
    from runner.manifest.csv_reader import Record

_CSV_HEADER = re.compile(
    r'(?!#)(?:"?sep=.|(?:[^:\r\n]*[,;\t|])?[ "]*(?:id|model)[ "]*[,;\t|])', re.IGNORECASE
)
_RUN_KEY = re.compile(rb"""^["']?run["']?\s*:|[{,]\s*["']?run["']?\s*:""", re.MULTILINE)
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".numbers"})
_TABLES = frozenset({".csv", ".tsv"})
_ZIP = b"PK\x03\x04"
MOST_ABOVE = 20
"""How many rows of a sheet, such as a title, may stand above its headings and be found by themselves."""

STDIN = "stdin"
"""The name of a manifest from standard input in problems, and of its run if the manifest has no name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A manifest that is being read.

    `shots` makes each shot when it is asked for, and only once: of a hundred thousand shots, memory need not hold the
    rows, the shots and the takes at the same time.
    """

    manifest: Manifest
    shots: Iterator[Shot]
    _findings: Findings

    @property
    def is_cut(self) -> bool:
        """True if reading had to stop, so that the shots are not all that the manifest asks for."""
        return self._findings.is_cut

    def problems(self) -> tuple[Problem, ...]:
        """Read the shots that are left, and return all that was found in the file, in its order.

        Warnings are among the problems.
        """
        deque(self.shots, maxlen=0)
        return self._findings.in_order()


def read_manifest(path: Path, *, limits: Limits = LIMITS, given: bytes | None = None) -> Reading:
    """Read a manifest file; this never waits for a pipe or a device.

    `given` is the content of standard input if the path is `-`, which is read like a file in the current folder; or
    else what the file may become.

    Raises:
        FileMissing: there is no such file, or it or its column map cannot be read or is not a regular file.
        UsageError: the path is `-`, and nothing is given.
    """
    file, name = (STDIN, STDIN) if is_stdin(path) else (str(path), path.stem)
    data = manifest_bytes(path, limits) if given is None else given
    opened, beside = dict[str, str](), opener_beside(path)
    chosen = None if is_stdin(path) else _column_map(path, limits)
    if chosen is not None:
        opened[map_path(path).name] = hashlib.sha256(chosen).hexdigest()

    def open_beside(name: str, most: int) -> bytes:
        found = beside(name, most)
        opened[name] = hashlib.sha256(found).hexdigest()
        return found

    reading = parse_manifest(
        data, file=file, name=name, limits=limits, open_beside=open_beside, column_map=chosen
    )
    return replace(reading, manifest=replace(reading.manifest, files=opened))


def map_path(sheet: Path) -> Path:
    """Return where the column map of a sheet is: `board.columns.yaml` beside `board.csv`."""
    return sheet.with_name(f"{sheet.stem}.columns.yaml")


def map_beside(manifest: Path) -> Path | None:
    """Return the column map that a manifest is read through, or None if there is none; YAML needs none."""
    place = map_path(manifest)
    return None if manifest.suffix.lower() in YAML_SUFFIXES or not os.path.lexists(place) else place


def _column_map(manifest: Path, limits: Limits) -> bytes | None:
    place = map_beside(manifest)
    if place is None:
        return None
    try:
        return opener_beside(manifest)(place.name, limits.text_bytes + 1)
    except FileMissing as error:
        raise FileMissing(
            f"{place}: the column map {error.message}", advice="correct or remove it"
        ) from error


def manifest_name(path: Path) -> str:
    """Return the name of a manifest, which names its run, without reading its shots.

    Raises:
        FileMissing, UsageError: as `read_manifest` raises them.
    """
    # The run may have been made with raised limits, and its folder must be found without those flags.
    return name_in(manifest_bytes(path, CEILING), path)


def name_in(data: bytes, path: Path) -> str:
    """Return the name that the manifest in `data`, the content of `path`, gives to its run."""
    findings, name = Findings(str(path)), None
    with suppress(Stop):
        # A table has only the name of its file.
        if not _is_workbook(data, str(path)) and not _is_csv(
            text := decode(data, findings, CEILING), str(path)
        ):
            from runner.manifest.yaml_manifest import name_of
            from runner.manifest.yaml_reader import parse_yaml, top_text

            name = top_text(text, "name")
            if name is None or why_no_id(name) is not None:
                top = parse_yaml(text, findings, CEILING)
                name = name_of(Section(top, findings)) if isinstance(top, Fields) else None
    return name or folder_name(path.stem)


def settings_in(path: Path) -> tuple[Setting, ...]:
    """Return what the `run:` block of a manifest sets; a table, and a file that cannot be read, set nothing.

    What is wrong with the form of the block is among the problems of `read_manifest`, and is left out here.
    """
    from runner.manifest.yaml_reader import parse_yaml, top_node

    with suppress(Stop, FileMissing, UsageError):
        data = manifest_bytes(path, CEILING)
        # Most manifests have no such block, and need not be read twice.
        if not _RUN_KEY.search(data) or _is_workbook(data, str(path)):
            return ()
        text, mine = decode(data, Findings(str(path)), CEILING), Findings(str(path))
        if _is_csv(text, str(path)):
            return ()
        node = top_node(text, "run", mine, CEILING)
        # An alias inside it names what stands before it, and the block itself may come from an alias.
        if node is None or mine.in_order():
            top = parse_yaml(text, Findings(str(path)), CEILING)
            node = top.items.get("run") if isinstance(top, Fields) else None
        if isinstance(node, Fields):
            return settings_of(Section(node, mine, "run"))
    return ()


def is_stdin(path: Path) -> bool:
    """Return whether a path on the command line means standard input."""
    return str(path) == "-"


def parse_manifest(
    text_or_bytes: bytes,
    *,
    file: str,
    name: str,
    limits: Limits = LIMITS,
    open_beside: OpenBeside | None = None,
    column_map: bytes | None = None,
) -> Reading:
    """Read a manifest from the bytes of a file; what is wrong with them is returned, never raised.

    `file` is its name in problems. The suffix, or else the content, distinguishes YAML from CSV. `name` is used if the
    manifest has no name of its own. `open_beside` opens the prompt files that it names; without it they are
    problems. `column_map` is the content of the file that says what the columns of a sheet are.

    Raises:
        ExtraMissing: it is a workbook, and the package that reads one is not installed.
    """
    findings = Findings(file)
    # Whatever stops the reading, the caller gets what is known of the manifest, and every problem found so far.
    text, source = "", Source(())
    with suppress(Stop):
        chosen = None
        if column_map is not None:
            from runner.manifest.column_map import read_map

            chosen = read_map(column_map, str(map_path(Path(file))), findings, limits)
        sheet, header_row = (chosen.sheet, chosen.header_row) if chosen else ("", 1)
        text, _ = _text_of(text_or_bytes, findings, limits, sheet=sheet, header_row=header_row)
        is_workbook = _is_workbook(text_or_bytes, file)
        source = _source_of(text, findings, limits, open_beside, chosen, is_workbook=is_workbook)
    manifest = Manifest(
        name=source.name or folder_name(name),
        file=file,
        text=text,
        sha256=hashlib.sha256(text_or_bytes).hexdigest(),
        columns=source.columns,
        prices=source.prices,
        misplaced=source.misplaced,
        headings=source.headings,
        header=source.header,
        meant_columns=source.meant_columns,
    )
    return Reading(manifest, _shots_of(source, findings, limits), findings)


@dataclass(frozen=True, slots=True)
class Table:
    """The records of a sheet as they are, its headings first; `sheet` is its name in a workbook."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    sheet: str = ""


def read_table(
    data: bytes,
    *,
    file: str,
    are_headings: Callable[[Sequence[str]], bool],
    limits: Limits = LIMITS,
    sheet: str = "",
) -> Table:
    """Return a sheet as it is, and what is wrong with the file; the first `MOST_ABOVE` rows may be its headings.

    Raises:
        ExtraMissing: it is a workbook, and the package that reads one is not installed.
    """
    from runner.manifest.csv_manifest import KNOWN_COLUMNS
    from runner.manifest.csv_reader import records_of

    findings, name, row, known = Findings(file), "", 1, KNOWN_COLUMNS
    records: list[Record] = []
    with suppress(Stop):
        text, name = _text_of(data, Findings(file), limits, sheet=sheet, header_row=0)
        for number in range(1, MOST_ABOVE + 1):
            first = next(
                records_of(text, Findings(file), limits, known=known, header_row=number, keeps_nameless=True),
                None,
            )
            if first and are_headings(first.cells):
                row = first.number
                break
    with suppress(Stop):
        text, _ = _text_of(data, findings, limits, sheet=sheet, header_row=row)
        records += records_of(text, findings, limits, known=known, header_row=row, keeps_nameless=True)
    return Table(tuple(records), findings.in_order(), name)


def _is_workbook(data: bytes, file: str) -> bool:
    # Other packed documents begin alike. The names of the parts are not packed.
    is_packed = data.startswith(_ZIP) and b"xl/workbook" in data
    return is_packed or Path(file).suffix.lower() in _WORKBOOKS


def _text_of(
    data: bytes, findings: Findings, limits: Limits, *, sheet: str = "", header_row: int = 1
) -> tuple[str, str]:
    """Return the text of a manifest, which for a workbook is one of its sheets as CSV, and the name of that sheet."""
    name = ""
    if _is_workbook(data, findings.file):
        from runner.manifest.xlsx import csv_of

        data, name = csv_of(data, findings, limits, sheet=sheet, header_row=header_row)
    return decode(data, findings, limits), name


def _shots_of(source: Source, findings: Findings, limits: Limits) -> Iterator[Shot]:
    with suppress(Stop):
        yield from expand(source, findings, limits)


def opener_beside(manifest: Path) -> OpenBeside:
    """Return the function that opens files in the folder of `manifest`, and in no other."""

    def open_beside(name: str, most: int) -> bytes:
        try:
            folder = manifest.parent.resolve(strict=True)
            path = (folder / name).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            # A loop of links is a RuntimeError in older Pythons.
            raise FileMissing(f"cannot be opened: {_reason(error)}") from error
        # This is checked after links are followed, because a name without '..' may still lead anywhere.
        if not path.is_relative_to(folder):
            raise FileMissing("lies outside the manifest's folder: a link leads there")
        try:
            return _regular_bytes(path, most=most)
        except (OSError, ValueError) as error:
            raise FileMissing(f"cannot be read: {_reason(error)}") from error

    return open_beside


def manifest_bytes(path: Path, limits: Limits) -> bytes:
    """Return the content of a manifest's file, and at most one byte more than `limits` allow.

    Raises:
        FileMissing, UsageError: as `read_manifest` raises them.
    """
    if is_stdin(path):
        raise UsageError(
            "a run keeps the path of its manifest, so it cannot be read from standard input here",
            advice="save it to a file and give its path; check, plan and export lock take -",
        )
    try:
        # One byte past the limit is enough to know; a file that grows while it is read cannot fill memory.
        return _regular_bytes(path, most=limits.file_bytes + 1)
    except (OSError, ValueError) as error:
        message = f"{path}: the manifest cannot be opened: {_reason(error)}"
        raise FileMissing(message, advice="give the path of a .yaml or .csv file") from error


def _regular_bytes(path: Path, *, most: int) -> bytes:
    # Without O_NONBLOCK the open itself would wait for the other end of a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "not a usable path").lower()


def _source_of(
    text: str,
    findings: Findings,
    limits: Limits,
    open_beside: OpenBeside | None,
    chosen: ColumnMap | None,
    *,
    is_workbook: bool,
) -> Source:
    # The two parsers are imported only when they are needed, so that the program starts quickly.
    if is_workbook or chosen or _is_csv(text, findings.file):
        from runner.manifest.csv_manifest import source_of as source_of_csv

        return source_of_csv(text, findings, limits, chosen, is_workbook=is_workbook)
    from runner.manifest.yaml_manifest import source_of
    from runner.manifest.yaml_reader import parse_yaml

    top = parse_yaml(text, findings, limits)
    return Source(()) if top is None else source_of(top, findings, limits, open_beside)


def _is_csv(text: str, file: str) -> bool:
    suffix = Path(file).suffix.lower()
    if suffix in YAML_SUFFIXES | _TABLES:
        return suffix in _TABLES
    return _CSV_HEADER.match(text.lstrip()) is not None
