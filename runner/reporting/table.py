"""The CSV report: the manifest's own columns, then what became of each take; itself a manifest that can be read.

In: the run's header and take records. Out: a pandas frame of plain values, and its CSV text. It knows nothing of files
and of HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from runner import cells, wording
from runner.shots import JsonValue
from runner.states import TakeState
from runner.store.records import RunHeader, TakeRecord

if TYPE_CHECKING:
    import pandas as pd

Cell: TypeAlias = "str | int | float | None"

RESULT_COLUMNS = (
    "take",
    "state",
    "class",
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
    "error",
    "fingerprint",
)
"""Columns the report adds, in this order; a manifest reader knows and ignores all but `take` and `seed`."""

YAML_COLUMNS = ("id", "model", "tags", "notes")
SEEDS = "seeds"
LINK_LIMIT = 8192


def in_order(takes: Iterable[TakeRecord]) -> list[TakeRecord]:
    """Return the takes in the manifest's order.

    Takes that are no longer in the manifest come last, and only if they were ever sent: they may have
    cost money, while the others were only a thought.
    """
    kept = [take for take in takes if take.position is not None or _was_sent(take)]
    return sorted(kept, key=lambda take: (take.position is None, take.position or 0))


def _was_sent(take: TakeRecord) -> bool:
    return take.attempts > 0 or take.state is not TakeState.PENDING


def frame(header: RunHeader, takes: Sequence[TakeRecord]) -> pd.DataFrame:
    """Return one row a take: the manifest's columns first, then those of `RESULT_COLUMNS` it does not have.

    All columns are of dtype object, so that a seed stays the integer it is; a missing value is None.
    """
    import pandas as pd

    ordered = in_order(takes)
    inputs = [_flat(json.loads(take.body)) for take in ordered]
    columns = list(dict.fromkeys((*(header.columns or _yaml_columns(inputs)), *RESULT_COLUMNS)))
    rows = [
        [row.get(column) for column in columns]
        for row in (_row(header, take, given) for take, given in zip(ordered, inputs, strict=True))
    ]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def csv_text(header: RunHeader, takes: Sequence[TakeRecord]) -> str:
    """Return the frame as CSV: a BOM for spreadsheets, CRLF, empty for None, cells guarded against formulas."""
    import pandas as pd

    table = frame(header, takes)
    # Not `DataFrame.map`: it guesses types again, and 31200 bytes would become 31200.0.
    rows = [[_guarded(cell) for cell in row] for row in table.itertuples(index=False, name=None)]
    guarded = pd.DataFrame(rows, columns=[cells.guard(column) for column in table.columns], dtype=object)
    return "\ufeff" + guarded.to_csv(index=False, lineterminator="\r\n")


def _guarded(cell: Cell) -> Cell:
    return cells.guard(cell) if isinstance(cell, str) else cell


def _yaml_columns(inputs: Iterable[Mapping[str, Cell]]) -> Iterator[str]:
    yield from YAML_COLUMNS
    for given in inputs:
        # Result columns keep their place in the result block; `seed` is the one that is also an input.
        yield from (name for name in given if name not in RESULT_COLUMNS)


def _row(header: RunHeader, take: TakeRecord, inputs: Mapping[str, Cell]) -> dict[str, Cell]:
    row: dict[str, Cell]
    if not header.columns:
        row = {
            **inputs,
            "id": take.shot_id,
            "model": take.model,
            "tags": ", ".join(take.tags),
            "notes": take.notes,
        }
    elif not take.point:
        row = dict(take.cells)
    else:
        # A sweep's row says many takes at once. Read again, this row must say this one.
        row = {**take.cells, **{name: inputs[name] for name in header.columns if name in inputs}, SEEDS: ""}
    return {**row, **_result(take)}


def _result(take: TakeRecord) -> dict[str, Cell]:
    return {
        "take": take.take_id,
        "state": wording.standing(take.state, take.delivery),
        "class": take.failure.value if take.failure else None,
        "request_id": _safe(take.request_id),
        "seed": take.seed,
        "outputs": " ".join(wording.visible(url.replace(" ", "%20"), LINK_LIMIT) for url in take.outputs),
        "file": take.file,
        "sha256": take.sha256,
        "bytes": take.bytes,
        "submitted_at": wording.iso(take.submitted_at),
        "finished_at": wording.iso(take.finished_at),
        "seconds": None if take.seconds is None else round(take.seconds, 3),
        "cost": take.cost,
        "error": _safe(take.reason),
        "fingerprint": take.fingerprint,
    }


def _safe(text: str | None) -> str | None:
    return wording.visible(text) if text else None


def _flat(body: Mapping[str, JsonValue], prefix: str = "") -> dict[str, Cell]:
    """Return the inputs by dotted name, as a CSV manifest writes them: lists as JSON, literal braces doubled."""
    flat: dict[str, Cell] = {}
    for name, given in body.items():
        if isinstance(given, dict) and given:
            flat |= _flat(given, f"{prefix}{name}.")
        elif isinstance(given, str):
            # A body has its templates behind it; read again, `{{` would open one.
            flat[prefix + name] = given.replace("{{", "{{{{")
        elif given is None or (isinstance(given, int | float) and not isinstance(given, bool)):
            flat[prefix + name] = given
        else:
            flat[prefix + name] = json.dumps(given, ensure_ascii=False)
    return flat
