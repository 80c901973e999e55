"""Whether takes on record were sent by other model schemas than those at hand now.

In: a plan, and the state file of its run. Out: one warning a model. Nothing else changes: what was sent stays as it is,
and a body that comes out otherwise by a new schema is shown by the plan like any other change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from runner.domain.display import counted
from runner.domain.errors import Position, Problem, Severity
from runner.domain.records import SchemaRecord, TakeRecord, schema_of
from runner.domain.shots import Plan
from runner.store.reader import open_reader

_PRINT = 12


def schema_warnings(plan: Plan, state_file: Path) -> tuple[Problem, ...]:
    """Return a warning for each model of which takes were sent by another schema than the plan was checked with.

    Raises:
        StateFileUnusable: the state file cannot be read.
    """
    with open_reader(state_file) as reader:
        return drift(plan, reader.takes(), reader.schemas())


def drift(plan: Plan, takes: Iterable[TakeRecord], schemas: Iterable[SchemaRecord]) -> tuple[Problem, ...]:
    """Return the warnings for recorded takes and schemas."""
    known = tuple(schemas)
    others: Counter[tuple[str, str]] = Counter()
    for take in takes:
        sha256 = schema_of(take, known) if take.attempts else None
        if sha256 is not None and sha256 != plan.schemas.get(take.model, sha256):
            others[take.model, sha256] += 1
    return tuple(
        Problem(
            Position(plan.manifest.file),
            f"model {model}",
            f"its schema is {plan.schemas[model][:_PRINT]} now, and {counted(count, 'take')} on record"
            f" {'was' if count == 1 else 'were'} sent by {sha256[:_PRINT]}",
            severity=Severity.WARNING,
        )
        for (model, sha256), count in others.items()
    )
