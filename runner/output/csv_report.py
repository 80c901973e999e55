"""The CSV report: the manifest's own columns, then what became of each take. It can be read as a manifest again.

It knows no file and no HTML.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from runner.domain import display
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import TakeState
from runner.system import csv_cells
from runner.system.canonical_json import JsonValue

if TYPE_CHECKING:
    import pandas as pd

Cell: TypeAlias = "str | int | float | None"

_RESULTS = (
    "take point state class stale_fields request_id seed outputs file sha256 bytes submitted_at finished_at seconds"
    " cost estimate error fingerprint"
)
RESULT_COLUMNS = tuple(_RESULTS.split())
"""Columns that the report adds, in this order; a manifest reader ignores all but `take`, `point` and `seed`."""

YAML_COLUMNS = ("id", "model", "tags", "notes")
SEEDS = "seeds"
SWEEP = "sweep"
LINK_LIMIT = 8192
_OWN = frozenset({*YAML_COLUMNS, *RESULT_COLUMNS, SEEDS, SWEEP, "price"}) - {"seed"}


def in_order(takes: Iterable[TakeRecord]) -> list[TakeRecord]:
    """Return the takes in the manifest's order.

    Takes that are no longer in the manifest come last, and only if they were ever sent, since they may have cost money.
    """
    kept = [
        take
        for take in takes
        if take.position is not None or take.attempts or take.state is not TakeState.PENDING
    ]
    return sorted(kept, key=lambda take: (take.position is None, take.position or 0))


def frame(header: RunHeader, takes: Sequence[TakeRecord]) -> pd.DataFrame:
    """Return one row per take: the manifest's columns first, then those of `RESULT_COLUMNS` that it lacks.

    All columns have dtype object, so that a seed stays an integer. A missing value is None.
    """
    import pandas as pd

    columns, rows = _table(header, takes)
    return pd.DataFrame(rows, columns=columns, dtype=object)


def csv_text(header: RunHeader, takes: Sequence[TakeRecord]) -> str:
    """Return the table as CSV: a BOM for spreadsheets, CRLF, empty for None, cells guarded against formulas."""
    columns, rows = _table(header, takes)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    table: list[Sequence[Cell]] = [columns, *rows]
    for row in table:
        writer.writerow(csv_cells.guard(cell) if isinstance(cell, str) else cell for cell in row)
    return "\ufeff" + text.getvalue()


def _table(header: RunHeader, takes: Sequence[TakeRecord]) -> tuple[list[str], list[list[Cell]]]:
    rows = [_row(header, take) for take in in_order(takes)]
    lacked = (name for _, names in rows for name in names)
    columns = list(dict.fromkeys((*(header.columns or YAML_COLUMNS), *lacked, *RESULT_COLUMNS)))
    return columns, [[cells.get(column) for column in columns] for cells, _ in rows]


def _row(header: RunHeader, take: TakeRecord) -> tuple[Mapping[str, Cell], Sequence[str]]:
    """Return one take's cells by column, and the columns of inputs that the manifest itself lacks."""
    inputs = {_column(name): cell for name, cell in _flat(json.loads(take.body)).items()}
    result = _result(take) | {"seed": inputs.get("seed", "")}
    if header.columns and not take.point and _is_as_written(take):
        return {**take.cells, SWEEP: "", **result}, ()
    own = {"id": take.shot_id, "model": take.model, "tags": ", ".join(take.tags), "notes": take.notes}
    if header.columns:
        # Read as a manifest, this row must give this one take as it was sent, not its sweep or its present row.
        kept = {name: cell for name, cell in take.cells.items() if name in _OWN}
        own = {**own, **kept, "id": take.shot_id, "model": take.model, SEEDS: "", SWEEP: ""}
    # The result columns already hold the seed.
    lacked = [name for name in inputs if name != "seed"]
    if header.columns and _is_as_written(take):
        lacked = [name for name in lacked if name in {_column(axis) for axis in take.point}]
        inputs = {name: cell for name, cell in inputs.items() if name in {*header.columns, *lacked}}
    return {**inputs, **own, **result}, lacked


def _is_as_written(take: TakeRecord) -> bool:
    """Return whether the recorded cells are of the row that the take was made from, not of a later one."""
    return take.position is not None and take.wanted is None and bool(take.cells)


def _column(name: str) -> str:
    return csv_cells.SHADOWED + name if name.casefold() in _OWN else name


def _result(take: TakeRecord) -> dict[str, Cell]:
    # Only the missing row keeps such a take from being sent, and the report must not serve as that row.
    is_removed = take.position is None and take.state is TakeState.PENDING
    point = json.dumps(dict(take.point), ensure_ascii=False, separators=(",", ":"))
    return {
        "take": take.take_id,
        "point": point if take.point else None,
        "state": csv_cells.REMOVED if is_removed else display.standing(take.state, take.delivery),
        "class": take.failure.value if take.failure else None,
        "stale_fields": "; ".join(field.field for field in take.stale_fields()) if take.is_stale else None,
        "request_id": display.visible(take.request_id or "") or None,
        "outputs": " ".join(display.visible(url.replace(" ", "%20"), LINK_LIMIT) for url in take.outputs),
        "file": take.file,
        "sha256": take.sha256,
        "bytes": take.bytes,
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
