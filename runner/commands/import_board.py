"""Proposes what the columns of an artist's sheet are, and writes it down once, as a column map beside the sheet.

In: a sheet as it is, and the model that its shots use. Out: a `Proposal` with the map and what comes of it. The sheet
itself is never written, and only `write_map` writes at all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.display import counted, visible
from runner.domain.errors import (
    CannotCreate,
    FileMissing,
    ManifestInvalid,
    Position,
    Problem,
    SchemaInvalid,
    Severity,
    UsageError,
)
from runner.domain.ids import why_no_id
from runner.domain.shots import Shot, Text
from runner.domain.token_leaks import leaks, tokens_in
from runner.manifest.column_map import (
    COLUMNS,
    IGNORE,
    INPUT,
    JOINED,
    ColumnMap,
    heading_key,
    map_text,
    read_map,
)
from runner.manifest.column_names import meant_column, version_of
from runner.manifest.csv_reader import Record, column_letters
from runner.manifest.problems import Findings, Stop, bare, place_in, shown
from runner.manifest.reader import YAML_SUFFIXES, manifest_bytes, map_path, parse_manifest, read_table
from runner.manifest.size_limits import LIMITS, Limits
from runner.models.input_names import meant_input
from runner.models.inputs import Input
from runner.models.model import Model
from runner.models.registry import Models
from runner.plan.build import make_plan
from runner.system.nearest_name import plain
from runner.system.private_files import read_given, write_whole

SHOTS_SHOWN = 3

_NEARLY_ALL = 0.9
_HALF = 0.5
_SHAPES = {
    "takes": (re.compile(r"[x×]?\s*\d{1,3}(?:[.,]0)?\s*(?:[x×]|takes?)?", re.IGNORECASE), _HALF),
    "price": (re.compile(r"\d+(?:\.\d+)?"), _NEARLY_ALL),
    "model": (re.compile(r"[\w.-]+(?:/[\w.-]+)+"), _NEARLY_ALL),
}
"""What the cells of a column are if it is more than a note, and how many of them: an actor may be called a model."""
_OF_MEDIA = re.compile(r".*[^\W\d_].*", re.DOTALL), _HALF
"""An address or the name of a picture has letters, and a time code has none."""
_OF_NUMBERS = re.compile(r".*\d.*", re.DOTALL), _HALF
"""On a shot list `Size` may be that of the picture in pixels, or of what it shows: WS, CU."""
_ADDRESS = re.compile(r".*https?://.*", re.DOTALL), _NEARLY_ALL
_PROSE = re.compile(r".*[^\W\d_]\s+[^\W\d_].*", re.DOTALL), _HALF
_LABELS = frozenset(["tag", "tags", "label", "labels", "keyword", "keywords", "schlagwort", "etiquetas"])
_MOST_TRIED = 50
_SEVERAL = 3
_MOST_UNSURE = 2


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it is: its headings and rows, and the models that its rows name."""

    path: Path
    data: bytes = field(repr=False)
    header: Record
    records: Sequence[Record] = field(repr=False)
    warnings: tuple[Problem, ...]
    models: tuple[Model, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A column map for a sheet, and what comes of it.

    `meanings` holds what each column means, by its letters and heading. `shots` are the first ones, of `count` in all;
    `takes` counts the valid takes of each shot; `problems` are those of the sheet's content, which the map cannot mend.
    """

    path: Path
    text: str
    meanings: tuple[tuple[str, str, str], ...]
    fixed: Mapping[str, str]
    shots: tuple[Shot, ...]
    count: int
    takes: Counter[str]
    problems: tuple[Problem, ...]

    @property
    def is_needed(self) -> bool:
        """False for a sheet whose headings are the names of a manifest already."""
        named = (target.removeprefix(INPUT) == heading for _, heading, target in self.meanings if heading)
        return bool(self.fixed) or not all(named)


def read_sheet(path: Path, *, models: Models, sheet: str = "", limits: Limits = LIMITS) -> Sheet:
    """Return a sheet as it is.

    Raises:
        FileMissing: there is no such file.
        ExtraMissing: it is a workbook, and the package that reads one is not installed.
        UsageError: it is a YAML manifest, or `sheet` is given for a file that has no sheets.
        ManifestInvalid: it cannot be read as a table.
    """
    if path.suffix.lower() in YAML_SUFFIXES:
        raise UsageError(f"{path} is a manifest already", advice=f"shotrunner check {path}")
    data = manifest_bytes(path, limits)
    table = read_table(data, file=str(path), are_headings=_are_headings, limits=limits, sheet=sheet)
    if any(problem.severity is Severity.ERROR for problem in table.problems):
        # The warnings name the other sheets of a workbook that begins with a cover.
        raise ManifestInvalid(table.problems)
    if sheet and not table.sheet:
        raise UsageError(f"{path} is a table without sheets", advice="leave out --sheet")
    header, *rows = table.records
    named = [place for place, heading in enumerate(header.cells) if meant_column(heading) == "model"]
    ids = dict.fromkeys(row.cells[place].strip() for place in named for row in rows)
    known = tuple(model for each in ids if each and (model := models.find(each)))
    return Sheet(path, data, header, rows, table.problems, known, table.sheet)


def best_models(sheet: Sheet, models: Models) -> list[Model]:
    """Return the models that the headings fit best: what they require has a column, and most columns are inputs."""
    ranks: dict[tuple[int, int], list[Model]] = {}
    for model_id in models.ids():
        with suppress(SchemaInvalid):
            model = models.named(model_id)
            found = {meant_input(heading, model) for heading in sheet.header.cells} - {None}
            lacking = sum(each.required and each.name not in found for each in model.inputs)
            ranks.setdefault((lacking, -len(found)), []).append(model)
    return ranks[min(ranks)] if ranks else []


def propose(
    sheet: Sheet,
    *,
    models: Models,
    model: Model | None = None,
    like: Path | None = None,
    limits: Limits = LIMITS,
    environ: Mapping[str, str] = os.environ,
) -> Proposal:
    """Return what the columns of a sheet probably are; rows without a model get `model`.

    `like` is the column map of another sheet, whose headings count first.

    Raises:
        FileMissing: that map is not there.
        ManifestInvalid: that map is wrong, no column can be the ids, a heading that matters is there twice, or the
            sheet holds a token of `environ`.
    """
    known = _map_in(like, limits) if like else ColumnMap("", {})
    fixed = {name: text.text for name, text in known.fixed.items()}
    fixed |= {"model": model.id} if model else {}
    used = [*sheet.models, *([model] if model else [])]
    targets = _targets(sheet, used, known)
    text = map_text(targets, fixed, file=sheet.path.name, sheet=sheet.name, header_row=sheet.header.number)
    reading = parse_manifest(
        sheet.data, file=str(sheet.path), name=sheet.path.stem, limits=limits, column_map=text.encode()
    )
    shots = list(reading.shots)
    planned = make_plan(reading.manifest, shots, models=models)
    if leaked := list(leaks(reading.manifest.text, str(sheet.path), planned.plan.takes, tokens_in(environ))):
        raise ManifestInvalid(leaked)
    doubts = [*_doubts(sheet, targets, used, known), *_doubts_of_rows(sheet, targets, model)]
    found = dict.fromkeys((*doubts, *reading.problems(), *planned.problems, *planned.plan.warnings))
    letters = (sheet.header.at("", number).cell or "" for number in range(1, len(targets) + 1))
    return Proposal(
        map_path(sheet.path),
        text,
        tuple((place.rstrip("0123456789"), *each) for place, each in zip(letters, targets, strict=True)),
        fixed,
        tuple(shots[:SHOTS_SHOWN]),
        len(shots),
        Counter(take.shot_id for take in planned.plan.takes),
        tuple(sorted(found, key=lambda problem: place_in(problem.at, str(sheet.path)))),
    )


def write_map(proposal: Proposal, *, force: bool = False) -> None:
    """Write a column map, whole or not at all, and over an existing file only with `force`.

    Raises:
        CannotCreate: the file is there already, or cannot be written.
        DiskFailed: the disk is full or failing.
    """
    refuse_existing(proposal.path, force=force)
    try:
        write_whole(proposal.path, proposal.text)
    except OSError as error:
        raise file_error(error, proposal.path, "cannot be written") from error


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to write over a map, which a person may have edited; raises `CannotCreate`."""
    if os.path.lexists(path) and not force:
        raise CannotCreate(
            f"{path} is there already", advice="edit it, or add --force to write the proposal over it"
        )


def _are_headings(cells: Sequence[str]) -> bool:
    """Return whether a row can be that of the headings: a title above it names no column of ids."""
    return len(list(filter(None, cells))) > 1 and "id" in map(meant_column, cells)


def _map_in(path: Path, limits: Limits) -> ColumnMap:
    try:
        data = read_given(path, limit=limits.text_bytes)
    except OSError as error:
        raise FileMissing(f"{path}: the column map cannot be read: {error.strerror}") from error
    findings = Findings(str(path))
    with suppress(Stop):
        return read_map(data, str(path), findings, limits)
    raise ManifestInvalid(findings.in_order())


def _targets(sheet: Sheet, models: Sequence[Model], known: ColumnMap) -> list[tuple[str, str]]:
    """Return each heading with what it means; of several with one meaning the surest has it, and the others are notes.

    Notes are shown in the report and never sent, so nothing of the sheet is lost and nothing is paid by mistake.
    """
    headings = sheet.header.cells
    found = [_meaning(heading, models, known) for heading in headings]
    _refuse_repeated(sheet, [target for _, target in found])
    every = [each for model in models for each in model.inputs]
    media = {INPUT + each.name: _OF_MEDIA for each in every if each.media}
    numbers = {INPUT + each.name: _OF_NUMBERS for each in every if _is_numbered(each)}
    targets, taken = [IGNORE] * len(headings), set[str]()
    for place in _surest_first(sheet, found):
        target = found[place][1]
        shape = _SHAPES.get(target) or media.get(target) or numbers.get(target)
        if target in taken or (shape and not _are(sheet, place, shape)):
            target = "notes"
        targets[place] = target
        taken |= {target} - {IGNORE, *JOINED}
    if "id" not in taken:
        targets[_place_of_ids(sheet, targets)] = "id"
    # A picture that is required is in a column of addresses, whatever its heading is.
    wanted = [target for target in _required(models) if target in media and target not in taken]
    unused = [n for n, target in enumerate(targets) if target == IGNORE and headings[n] and _cells(sheet, n)]
    addresses = [place for place in unused if _are(sheet, place, _ADDRESS)]
    for place, target in zip(addresses, wanted, strict=False):
        targets[place] = target
    return [*zip(headings, targets, strict=True)]


def _is_numbered(wanted: Input) -> bool:
    """Return whether all values of an input have digits."""
    choices = [str(choice) for choice in wanted.allowed]
    has_digits = bool(choices) and all(any(map(str.isdigit, choice)) for choice in choices)
    return has_digits or wanted.type in {"integer", "number"}


def _surest_first(sheet: Sheet, found: Sequence[tuple[int, str]]) -> list[int]:
    """Return the places of the columns: as another map has them, then by their versions, then by how sure they are."""
    filled = [len(_cells(sheet, place)) for place in range(len(found))]
    most = Counter[str]()
    for (_, target), count in zip(found, filled, strict=True):
        most[target] = max(most[target], count)

    def order(place: int) -> tuple[bool, int, int]:
        unsure, target = found[place]
        version = version_of(sheet.header.cells[place])
        # The other rows of a final version that is only begun would be sent without a value.
        is_begun = version > 0 and filled[place] < most[target]
        return unsure > 0, _MOST_UNSURE if is_begun else -version, unsure

    return sorted(range(len(found)), key=order)


def _required(models: Sequence[Model]) -> list[str]:
    return [INPUT + name for model in models[:1] for name in model.required]


def _refuse_repeated(sheet: Sheet, targets: Sequence[str]) -> None:
    """Refuse a heading that is there twice and is more than a note, because a map names columns by their headings."""
    first: dict[str, int] = {}
    for number, (heading, target) in enumerate(zip(sheet.header.cells, targets, strict=True), 1):
        before = first.setdefault(heading_key(heading), number)
        if before < number and target not in {IGNORE, *JOINED}:
            letters = column_letters(before)
            message = (
                f"{shown(heading)} is the heading of column {letters} too; rename one of them in the sheet"
            )
            raise ManifestInvalid([Problem(sheet.header.at(str(sheet.path), number), "header", message)])


def _place_of_ids(sheet: Sheet, targets: Sequence[str]) -> int:
    """Return the first column without a meaning whose cells could be ids: each another one, with a number in it."""
    for place in (place for place, target in enumerate(targets) if target == IGNORE):
        cells = _cells(sheet, place)
        ids = {cell for cell in cells if why_no_id(cell) is None and any(map(str.isdecimal, cell))}
        if cells and len(ids) >= _NEARLY_ALL * len(cells):
            return place
    at = sheet.header.at(str(sheet.path), 1)
    message = (
        "no column looks like the ids of the shots; give it the heading id, or a name such as Shot #, or add a column"
        " id that numbers the rows: s010, s020"
    )
    raise ManifestInvalid([*sheet.warnings, Problem(at, "header", message)])


def _meaning(heading: str, models: Sequence[Model], known: ColumnMap) -> tuple[int, str]:
    """Return what a heading means, after how unsure that is: as a map has it, by its name, or by other words."""
    if mapped := known.columns.get(heading_key(heading)):
        return 0, mapped.text
    word = plain(heading)
    if word in COLUMNS:
        return 1, word
    inputs = [model.by_name[name] for model in models if (name := meant_input(heading, model))]
    exact = [each for each in inputs if word in {plain(each.name), plain(each.title)}]
    if exact:
        return 1, INPUT + exact[0].name
    if column := meant_column(heading):
        return 2, column
    return (3, INPUT + inputs[0].name) if inputs else (4, IGNORE)


def _cells(sheet: Sheet, place: int) -> list[str]:
    return [cell for record in sheet.records if (cell := record.cells[place].strip())]


def _are(sheet: Sheet, place: int, shape: tuple[re.Pattern[str], float]) -> bool:
    """Return whether enough cells of a column have a shape; a row of sums cannot."""
    cells = _cells(sheet, place)
    return sum(bool(shape[0].fullmatch(cell)) for cell in cells) >= shape[1] * len(cells)


def _doubts(
    sheet: Sheet, targets: Sequence[tuple[str, str]], models: Sequence[Model], known: ColumnMap
) -> Iterator[Problem]:
    """Yield a warning for each column that is not sent and may be an input after all."""
    owners = {target: heading for heading, target in targets}
    free = [(model, each) for model in models[:1] for each in model.inputs if INPUT + each.name not in owners]
    prompt = next((meant_input("prompt", model) for model in models), None) or ""
    unsent = {IGNORE, "notes"} if prompt and INPUT + prompt not in owners else set()
    texts = [n for n, (_, target) in enumerate(targets) if target in unsent and not _are(sheet, n, _ADDRESS)]
    wordiest = max(texts, key=lambda place: _letters(sheet, place), default=-1)
    for place, (heading, target) in enumerate(targets):
        meant = _meaning(heading, models, known)[1] if heading else IGNORE
        values = sorted(set(_cells(sheet, place)))[:_MOST_TRIED]
        message = ""
        if meant.startswith(INPUT) and meant in owners and target != meant:
            message = f"may be {bare(meant)} too, which is {shown(owners[meant])} in this map; only that one is sent"
        elif target == IGNORE and (
            fitting := [each for model, each in free if _are_valid(values, model, each)]
        ):
            message = f"is ignored, and its values would fit {bare(fitting[0].name)}, which has no column"
        # Not every script has blanks between words.
        elif place in texts and _letters(sheet, place) and (place == wordiest or _are(sheet, place, _PROSE)):
            message = f"is not sent, and no column is {bare(prompt)}; should it be {bare(INPUT + prompt)}?"
        if message and values:
            yield _doubt(sheet, place, f"{shown(heading)} {message}")


def _letters(sheet: Sheet, place: int) -> int:
    """Return how many letters the texts of a column have; a text that is repeated, such as a state, counts once."""
    return sum(map(str.isalpha, "".join(set(_cells(sheet, place)))))


def _are_valid(values: Sequence[str], model: Model, wanted: Input) -> bool:
    """Return whether all are values of an input that only takes certain values, or numbers that are not seeds."""
    is_narrow = wanted.allowed or (wanted.type in {"integer", "number"} and wanted != model.seed_input)
    at, subject = Position(""), f"inputs.{visible(wanted.name)}"
    bodies = (
        model.bind({wanted.name: Text(value, at)}, subject="", at=at, keys_at={})
        for value in (values if is_narrow else ())
    )
    faults = (problem for bound in bodies for problem in bound.problems if problem.subject.endswith(subject))
    return bool(is_narrow and values) and next(faults, None) is None


def _doubts_of_rows(
    sheet: Sheet, targets: Sequence[tuple[str, str]], model: Model | None
) -> Iterator[Problem]:
    """Yield a warning for each column whose cells say something else about the rows than the map does."""
    for place, (heading, target) in enumerate(targets):
        cells = [record.cells[place].strip() for record in sheet.records if sum(map(bool, record.cells)) > 1]
        doubled = [name for name, count in Counter(filter(None, cells)).items() if count > 1]
        # One or two are mistakes, which `check` reports in their cells.
        if target == "id" and len(doubled) >= _SEVERAL:
            advice = "if they start again in each scene, add a column that joins both, such as Sc1-010"
            yield _doubt(
                sheet, place, f"{shown(heading)} has {len(doubled)} ids that occur several times; {advice}"
            )
        # A merged cell stands once, above the empty ones; a column of labels may be empty wherever it likes.
        elif (
            target == "tags"
            and not (sheet.name or doubled or plain(heading) in _LABELS)
            and all(cells[:1])
            and not all(cells)
        ):
            advice = "merged cells are empty in a CSV, so fill them down if they were merged"
            yield _doubt(
                sheet, place, f"{shown(heading)} is empty in {counted(cells.count(''), 'row')}; {advice}"
            )
        elif model and target == "notes" and meant_column(heading) == "model":
            message = f"{shown(heading)} holds no ids of models, so all rows use {model.id}"
            yield _doubt(sheet, place, f"{message}; write an id in each row if they differ")


def _doubt(sheet: Sheet, place: int, message: str) -> Problem:
    at = sheet.header.at(str(sheet.path), place + 1)
    if sheet.name:
        # The lines of a workbook are its rows.
        at = at._replace(line=sheet.header.number)
    return Problem(at, "header", message, severity=Severity.WARNING)
