"""By which schema a take was sent: as noted, or what can be known where nothing was noted, and never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from runner.commands.check import drift
from runner.domain.errors import Position
from runner.domain.records import SchemaRecord, TakeRecord, schema_of
from runner.domain.shots import Manifest, Plan, Take
from runner.output.status_text import take_lines
from tests.unit.output_records import pending, queued

MODEL = pending().model
SENT = 1000.0
OLD = replace(queued(pending()), submitted_at=SENT)
"""A take that an older program sent, which noted no schema."""


def met(*when: float) -> list[SchemaRecord]:
    """Return schemas `a`, `b`, … of the model, first met at these times, and one of another model."""
    mine = [SchemaRecord(MODEL, name, at) for name, at in zip("abc", when, strict=False)]
    return [*mine, SchemaRecord("other/model", "x", 0.0)]


KNOWN: dict[str, tuple[TakeRecord, Sequence[SchemaRecord], str | None]] = {
    "noted": (replace(OLD, schema="a"), met(1.0, 2.0), "a"),
    "the only one then": (OLD, met(900.0, 1100.0), "a"),
    "one of two: the first may have come back": (OLD, met(900.0, 950.0), None),
    "met only later": (OLD, met(1100.0), None),
    "none of its model": (OLD, met(), None),
    "sent, and nobody knows when": (replace(OLD, submitted_at=None), met(900.0), None),
    "never sent, one known": (pending(), met(900.0), "a"),
    "never sent, two known": (pending(), met(900.0, 950.0), None),
}


@pytest.mark.parametrize(("take", "schemas", "expected"), KNOWN.values(), ids=KNOWN)
def test_a_schema_is_told_only_where_it_is_known(
    take: TakeRecord, schemas: Sequence[SchemaRecord], expected: str | None
) -> None:
    assert schema_of(take, schemas) == expected


def test_a_schema_that_is_not_known_is_said_to_be_unknown() -> None:
    assert any(line.split() == ["schema", "unknown"] for line in take_lines(OLD, (), ()))
    assert any(line.split() == ["schema", "abc"] for line in take_lines(OLD, (), (), schema="abc"))
    assert not any("schema" in line for line in take_lines(pending(), (), ()))


def test_of_takes_sent_by_a_schema_that_came_back_those_between_are_told() -> None:
    takes = [replace(OLD, take_id=str(number), schema=name) for number, name in enumerate("aba")]
    take = Take("s", "s", MODEL, "{}", "f", None, {}, Position("b.yaml"))
    plan = Plan(Manifest("board", "b.yaml", "", ""), (take,), schemas={MODEL: "a"})
    (warning,) = drift(plan, takes, met(900.0, 950.0))
    assert "1 take on record was sent by b" in warning.message
