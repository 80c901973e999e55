"""The CSV report: the manifest's own columns, then what became of each take. It can be read as a manifest again.

In: the run's header and take records. Out: CSV text, or the same table as a pandas frame. It knows nothing of files
and of HTML.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from runner.domain import display
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import TakeState
from runner.system import csv_cells
from runner.system.canonical_json import JsonValue

if TYPE_CHECKING:
    import pandas as pd

Cell: TypeAlias = "str | int | float | None"

RESULT_COLUMNS = (
    "take",
    "point",
    "state",
    "class",
    "stale_fields",
    "request_id",
    "seed",
    "outputs",
    "file",
    "sha256",
    "bytes",
    "submitted_at",
    "finished_at",
    "seconds",
    "cost",
    "estimate",
    "error",
    "fingerprint",
)
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
    kept = [take for take in takes if take.position is not None or _was_sent(take)]
    return sorted(kept, key=lambda take: (take.position is None, take.position or 0))


def _was_sent(take: TakeRecord) -> bool:
    return take.attempts > 0 or take.state is not TakeState.PENDING


def _is_removed(take: TakeRecord) -> bool:
    """Return whether only the missing row keeps a take from being sent; the report must not serve as that row."""
    return take.position is None and take.state is TakeState.PENDING


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
    writer.writerow(map(_guarded, columns))
    writer.writerows(map(_guarded, row) for row in rows)
    return "\ufeff" + text.getvalue()


def _table(header: RunHeader, takes: Sequence[TakeRecord]) -> tuple[list[str], list[list[Cell]]]:
    rows = [_row(header, take) for take in in_order(takes)]
    needed = (name for row in rows for name in row.needed)
    columns = list(dict.fromkeys((*(header.columns or YAML_COLUMNS), *needed, *RESULT_COLUMNS)))
    return columns, [[row.cells.get(column) for column in columns] for row in rows]


def _guarded(cell: Cell) -> Cell:
    return csv_cells.guard(cell) if isinstance(cell, str) else cell


@dataclass(frozen=True, slots=True)
class _Row:
    """One take's cells by column; `needed` are columns of inputs that the manifest itself lacks."""

    cells: Mapping[str, Cell]
    needed: tuple[str, ...] = ()


def _row(header: RunHeader, take: TakeRecord) -> _Row:
    inputs = {_column(name): cell for name, cell in _flat(json.loads(take.body)).items()}
    result = _result(take) | {"seed": inputs.get("seed", "")}
    if header.columns and not take.point and _is_as_written(take):
        return _Row({**take.cells, SWEEP: "", **result})
    own = {"id": take.shot_id, "model": take.model, "tags": ", ".join(take.tags), "notes": take.notes}
    if header.columns:
        # Read as a manifest, this row must give this one take as it was sent, not its sweep or its present row.
        kept = {name: cell for name, cell in take.cells.items() if name in _OWN}
        own = {**own, **kept, "id": take.shot_id, "model": take.model, SEEDS: "", SWEEP: ""}
    # The result columns already hold the seed.
    needed = tuple(name for name in inputs if name != "seed")
    if header.columns and _is_as_written(take):
        needed = tuple(name for name in needed if name in {_column(axis) for axis in take.point})
        inputs = {name: cell for name, cell in inputs.items() if name in {*header.columns, *needed}}
    return _Row({**inputs, **own, **result}, needed)


def _is_as_written(take: TakeRecord) -> bool:
    """Return whether the recorded cells are of the row that the take was made from, not of a later one."""
    return take.position is not None and take.wanted is None and bool(take.cells)


def _column(name: str) -> str:
    return csv_cells.SHADOWED + name if name.casefold() in _OWN else name


def _result(take: TakeRecord) -> dict[str, Cell]:
    return {
        "take": take.take_id,
        "point": _compact(dict(take.point)) if take.point else None,
        "state": csv_cells.REMOVED if _is_removed(take) else display.standing(take.state, take.delivery),
        "class": take.failure.value if take.failure else None,
        "stale_fields": "; ".join(field.field for field in take.stale_fields()) if take.is_stale else None,
        "request_id": _safe(take.request_id),
        "outputs": " ".join(display.visible(url.replace(" ", "%20"), LINK_LIMIT) for url in take.outputs),
        "file": take.file,
        "sha256": take.sha256,
        "bytes": take.bytes,
        "submitted_at": display.iso(take.submitted_at),
        "finished_at": display.iso(take.finished_at),
        "seconds": None if take.seconds is None else round(take.seconds, 3),
        "cost": take.cost,
        "estimate": take.estimate,
        "error": _safe(take.reason),
        "fingerprint": take.fingerprint,
    }


def _safe(text: str | None) -> str | None:
    return display.visible(text) if text else None


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


def _compact(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
