"""Turns SQL rows into records, and the run's header into cells.

Columns have the names of the records' fields, so only values that SQL cannot hold are decoded. A value that does not
fit raises `ValueError` or `TypeError`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from runner.domain.clip_checks import Probe, flags_from_json
from runner.domain.records import (
    AttemptRecord,
    EventRecord,
    OrderRecord,
    RunHeader,
    SchemaRecord,
    SessionRecord,
    Standing,
    TakeFigures,
    TakeOutcome,
    TakeRecord,
)
from runner.domain.shots import Ticket
from runner.domain.states import DeliveryState, FailureClass, TakeState

R = TypeVar(
    "R",
    TakeRecord,
    Standing,
    TakeFigures,
    TakeOutcome,
    AttemptRecord,
    EventRecord,
    SchemaRecord,
    SessionRecord,
    OrderRecord,
    Ticket,
    RunHeader,
)


# The key is the name, since a name means the same in every record: `outputs` of a take is `outputs` of a ticket.
_DECODERS: Mapping[str, Callable[[Any], object]] = {
    "state": TakeState,
    "delivery": DeliveryState,
    "failure": FailureClass,
    "seed": int,
    # There are few models, and a hundred thousand takes.
    "model": sys.intern,
    "flags": flags_from_json,
    "probe": Probe.from_json,
    **dict.fromkeys(("simulated", "adopted", "is_stale", "changed"), bool),
    **dict.fromkeys(("tags", "outputs", "columns", "says"), lambda text: tuple(json.loads(text))),
    **dict.fromkeys(("point", "cells", "details", "evidence", "settings", "wish"), json.loads),
}

_DECODED: Mapping[type, Sequence[tuple[int, Callable[[Any], object]]]] = {
    record: [
        (place, _DECODERS[field.name])
        for place, field in enumerate(fields(record))
        if field.name in _DECODERS
    ]
    for record in R.__constraints__
}
"""Which columns of a record are decoded, by their places."""

LATEST = "(SELECT {} FROM attempts a WHERE a.take_id = takes.take_id AND a.number = takes.attempts)"
IN_USE = "(SELECT s.sha256 FROM schemas s WHERE s.model = takes.model AND s.in_use)"

# An attempt without a price has an empty text there, and then gets today's estimate.
_KEPT = {
    name: f"coalesce(nullif({LATEST.format(f'a.{name}')}, ''), {name})" for name in ("estimate", "price")
}

NEXT_TERMS = {name: f"CASE WHEN wanted IS NULL THEN {name} ELSE {kept} END" for name, kept in _KEPT.items()}
"""The estimate and the price of a take's next submission: a changed row is sent as it was, at its old price.

A submission without a price has today's. These are expressions over a row of `takes`.
"""

# What was found in an earlier clip of the take says nothing about this one.
_OF_THIS_CLIP = "CASE WHEN checked = sha256 THEN {} ELSE {} END"
_NOW = {"price_now": "price", "flags": _OF_THIS_CLIP.format("flags", "'[]'")}

# A sent take keeps its price and schema of that time; only a take that is still to be sent has today's.
_EXPRESSIONS: Mapping[type, Mapping[str, str]] = {
    Standing: _NOW,
    TakeFigures: {"flags": _NOW["flags"], "is_stale": "wanted IS NOT NULL AND wanted IS NOT kept_for"},
    TakeRecord: {
        **{
            name: f"CASE state WHEN 'pending' THEN {NEXT_TERMS[name]} ELSE {kept} END"
            for name, kept in _KEPT.items()
        },
        "schema": f"CASE attempts WHEN 0 THEN {IN_USE} ELSE {LATEST.format('a.schema')} END",
        "estimate_now": "estimate",
        "probe": _OF_THIS_CLIP.format("probe", "NULL"),
        **_NOW,
    },
    Ticket: {
        "estimate": NEXT_TERMS["estimate"],
        "adopted": f"coalesce({LATEST.format('a.outcome')}, '') = 'Adopted' AND NOT EXISTS (SELECT 1 FROM events e"  # noqa: S608 - our own names
        " WHERE e.take_id = takes.take_id AND e.fact = 'AdoptionUndone'"
        " AND json_extract(e.details, '$.request_id') = takes.request_id)",
    },
}

BY_PLACE = "ORDER BY position IS NULL, position, rowid"
"""Manifest order, then the takes that left the manifest, in the order of their creation."""


def columns_of(record: type[R]) -> str:
    """Return the columns to select, in the order of the record's fields."""
    expressions = _EXPRESSIONS.get(record, {})
    return ", ".join(expressions.get(field.name, field.name) for field in fields(record))


def decode(record: type[R], row: Sequence[object]) -> R:
    """Return the record for a row that was selected with `columns_of`."""
    values: list[Any] = list(row)
    for place, decoded in _DECODED[record]:
        if values[place] is not None:
            values[place] = decoded(values[place])
    return record(*values)


def read_header(connection: sqlite3.Connection) -> RunHeader:
    """Return the header of the run that the file belongs to."""
    row = connection.execute(f"SELECT {columns_of(RunHeader)} FROM run").fetchone()  # noqa: S608 - our own names
    return decode(RunHeader, row)


def header_cells(header: RunHeader) -> tuple[str | float | int, ...]:
    """Return the header's values as the columns of `run` hold them, in the order of its fields."""
    values = [getattr(header, field.name) for field in fields(header)]
    return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in values)
