"""The CSV report: the manifest's own columns, then what became of each take. It can be read as a manifest again.

It knows no file and no HTML.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from runner.domain import display
from runner.domain.clip_checks import Probe, probe_words
from runner.domain.money import estimate
from runner.domain.picks import NO_PICKS, Decision, Picks
from runner.domain.records import RunHeader, TakeFigures, TakeRecord
from runner.domain.shots import Plan
from runner.domain.states import TakeState
from runner.output.clip_links import BESIDE_THE_PAGE, ClipLinks
from runner.system import csv_cells
from runner.system.canonical_json import JsonValue

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame

Cell: TypeAlias = "str | int | float | None"
Takes: TypeAlias = "Callable[[], Iterable[TakeRecord]]"
"""Gives all takes of a run in the order in which they are listed, from the first one at each call."""

_RESULTS = (
    "take label point state class flags pick stale_fields request_id seed outputs file sha256 bytes clip_seconds"
    " clip_width clip_height clip_fps submitted_at finished_at seconds cost estimate error fingerprint"
)
RESULT_COLUMNS = tuple(_RESULTS.split())
"""Columns that the report adds, in this order; a manifest reader ignores all but `take`, `point` and `seed`."""

YAML_COLUMNS = ("id", "model", "tags", "notes")
SEEDS = "seeds"
SWEEP = "sweep"
LINK_LIMIT = 8192
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_OWN = frozenset({*YAML_COLUMNS, *RESULT_COLUMNS, SEEDS, SWEEP, "price", "takes"}) - {"seed"}


def is_listed(take: TakeRecord | TakeFigures) -> bool:
    """Return whether the reports list a take: one that left the manifest only if it was sent, as it may have cost."""
    return take.position is not None or take.attempts > 0 or take.state is not TakeState.PENDING


def frame(header: RunHeader, takes: Iterable[TakeRecord], *, picks: Picks = NO_PICKS) -> Frame:
    """Return one row per take: the manifest's columns first, then those of `RESULT_COLUMNS` that it lacks.

    All columns have dtype object, so that a seed stays an integer. A missing value is None.
    """
    import pandas as pd

    decisions = picks.decisions
    rows = [_row(header, take, decisions.get(take.take_id)) for take in takes if is_listed(take)]
    columns = _columns(header, (name for _, names in rows for name in names))
    table = [[cells.get(column) for column in columns] for cells, _ in rows]
    return pd.DataFrame(table, columns=columns, dtype=object)


def plan_frame(plan: Plan) -> Frame:
    """Return one row per take of a plan, with its inputs by dotted name and its estimate in US dollars.

    All columns have dtype object; a missing value is None.
    """
    import pandas as pd

    rows = [
        {
            "take": take.id,
            "shot": take.shot_id,
            "model": take.model,
            "tags": ", ".join(take.tags),
            "estimate": estimate(take.price, take.body),
            **{_column(name, ()): cell for name, cell in _flat(json.loads(take.body)).items()},
        }
        for take in plan.takes
    ]
    columns = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame(
        [[row.get(name) for name in columns] for row in rows], columns=[*columns], dtype=object
    )


def write_csv(
    file: BinaryIO,
    header: RunHeader,
    takes: Takes,
    *,
    picks: Picks = NO_PICKS,
    links: ClipLinks = BESIDE_THE_PAGE,
) -> None:
    """Write the table as CSV: a BOM for spreadsheets, CRLF, empty for None, cells guarded against formulas.

    `picks` fill the column `pick`, and `links` the column `file`.

    It is written row by row, and a second time if a later take has an input that the first one lacks: the columns come
    first, and no row is kept. `file` is at its start.
    """
    lacked = [name for take in islice(filter(is_listed, takes()), 1) for name in _row(header, take)[1]]
    columns = _columns(header, lacked)
    decisions = picks.decisions
    while more := _write_table(file, header, takes(), columns, decisions, links):
        columns = _columns(header, more)
        file.seek(0)
        file.truncate()


def _write_table(
    file: BinaryIO,
    header: RunHeader,
    takes: Iterable[TakeRecord],
    columns: Sequence[str],
    decisions: Mapping[str, Decision],
    links: ClipLinks,
) -> Iterable[str]:
    """Write the table, or return the columns of all inputs as soon as it is known that some are missing."""
    text = codecs.getwriter("utf-8")(file, "replace")
    text.write("\ufeff")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(csv_cells.guard, columns))
    known, lacked = frozenset(columns), dict[str, None]()
    for take in filter(is_listed, takes):
        cells, names = _row(header, take, decisions.get(take.take_id))
        cells = {**cells, "file": links.table(take)}
        lacked.update(dict.fromkeys(names))
        if known.issuperset(lacked):
            row = map(cells.get, columns)
            writer.writerow([csv_cells.guard(cell) if isinstance(cell, str) else cell for cell in row])
    return () if known.issuperset(lacked) else lacked


def _columns(header: RunHeader, lacked: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*(header.columns or YAML_COLUMNS), *lacked, *RESULT_COLUMNS)))


def _row(
    header: RunHeader, take: TakeRecord, decision: Decision | None = None
) -> tuple[Mapping[str, Cell], Sequence[str]]:
    """Return one take's cells by column, and the columns of inputs that the manifest itself lacks."""
    body, result = json.loads(take.body), _result(take)
    result["pick"] = None if decision is None else decision.value
    if header.columns and not take.point and _is_as_written(take):
        seed = _flat({name: given for name, given in body.items() if name == "seed"}).get("seed", "")
        return {**take.cells, SWEEP: "", **result, "seed": seed}, ()
    inputs = {_column(name, header.columns): cell for name, cell in _flat(body).items()}
    result["seed"] = inputs.get("seed", "")
    own = {"id": take.shot_id, "model": take.model, "tags": ", ".join(take.tags), "notes": take.notes}
    if header.columns:
        # Read as a manifest, this row must give this one take as it was sent, not its sweep or its present row.
        kept = {name: cell for name, cell in take.cells.items() if name in _OWN}
        own = {**own, **kept, "id": take.shot_id, "model": take.model, SEEDS: "", SWEEP: ""}
    # The result columns already hold the seed.
    lacked = [name for name in inputs if name != "seed"]
    if header.columns and _is_as_written(take):
        swept = {_column(axis, header.columns) for axis in take.point}
        lacked = [name for name in lacked if name in swept]
        inputs = {name: cell for name, cell in inputs.items() if name in {*header.columns, *lacked}}
    return {**inputs, **own, **result}, lacked


@lru_cache(maxsize=4)
def _spelling(columns: tuple[str, ...]) -> Mapping[str, str]:
    """Return the user's spelling of each column by its spelling without case, which does not count in a manifest."""
    return {name.casefold(): name for name in columns}


def _is_as_written(take: TakeRecord) -> bool:
    """Return whether the recorded cells are of the row that the take was made from, not of a later one."""
    return take.position is not None and take.wanted is None and bool(take.cells)


def _column(name: str, columns: tuple[str, ...]) -> str:
    """Return the column of an input, spelt as it is among `columns`, the user's own."""
    column = csv_cells.SHADOWED + name if name.casefold() in _OWN else name
    return _spelling(columns).get(column.casefold(), column)


def _result(take: TakeRecord) -> dict[str, Cell]:
    # Only the missing row keeps such a take from being sent, and the report must not serve as that row.
    is_removed = take.position is None and take.state is TakeState.PENDING
    return {
        "take": take.take_id,
        "label": take.label,
        "point": _compact(dict(take.point)) if take.point else None,
        "state": csv_cells.REMOVED if is_removed else display.standing(take.state, take.delivery),
        "class": take.failure.value if take.failure else None,
        "flags": "; ".join(f"{flag.kind}: {display.visible(flag.text)}" for flag in take.flags) or None,
        "pick": None,
        "stale_fields": "; ".join(field.field for field in take.stale_fields()) if take.is_stale else None,
        "request_id": display.visible(take.request_id or "") or None,
        "outputs": " ".join(display.visible(url.replace(" ", "%20"), LINK_LIMIT) for url in take.outputs),
        "file": take.file,
        "sha256": take.sha256,
        "bytes": take.bytes,
        **probe_words(take.probe or Probe()),
        "submitted_at": display.iso(take.submitted_at),
        "finished_at": display.iso(take.finished_at),
        "seconds": None if take.seconds is None else round(take.seconds, 3),
        "cost": take.cost,
        "estimate": take.estimate,
        "error": display.visible(take.reason) or None,
        "fingerprint": take.fingerprint,
    }


def _flat(body: Mapping[str, JsonValue], prefix: str = "") -> dict[str, Cell]:
    """Return the inputs by dotted name, each as a cell of a CSV manifest: `camera.zoom`, `images.0`."""
    flat: dict[str, Cell] = {}
    for name, given in body.items():
        if isinstance(given, dict) and given:
            flat |= _flat(given, f"{prefix}{name}.")
        elif isinstance(given, list) and given:
            flat |= _flat({str(number): item for number, item in enumerate(given)}, f"{prefix}{name}.")
        elif isinstance(given, str):
            flat[prefix + name] = csv_cells.mark(csv_cells.literal(given))
        elif given is None or isinstance(given, bool | list | dict):
            flat[prefix + name] = json.dumps(given)
        else:
            flat[prefix + name] = given
    return flat
