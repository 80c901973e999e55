"""What a run is about to pay: what waits by its price of today, what is rendered anew by that of its new row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.commands.steps.summary import RunEstimate, foresee
from runner.domain.money import Charge, Spending
from runner.domain.records import RunRecord, TakeRecord
from runner.domain.shots import Plan, Price, Take
from runner.plan.compare import Comparison
from runner.plan.scope import Decision, Scope, decide, scope_of
from runner.plan.selection import ALL
from tests.integration.store_samples import make_plan, make_take
from tests.unit.output_records import delivered, pending


def priced_take(name: str, usd: float | None) -> Take:
    return replace(make_take(name), price=None if usd is None else Price(usd))


def record_of(take: Take) -> TakeRecord:
    return replace(pending(take.id), model=take.model, body=take.body, fingerprint=take.fingerprint)


WAITING, STALE, UNPRICED = priced_take("w", 0.5), priced_take("s", 0.9), priced_take("u", None)
SENT = replace(delivered(record_of(make_take("s", prompt="before"))), estimate=0.3)


def decided(plan: Plan, record: RunRecord, *, stale: bool) -> Decision:
    scope = scope_of(plan, record.takes, ALL, stale=stale)
    return decide(plan, record, scope, files_missing=(), download=True)


def foreseen(*, stale: bool = False, spending: Spending | None = None) -> RunEstimate:
    record = RunRecord([record_of(WAITING), SENT, record_of(UNPRICED)], spending or Spending())
    decision = decided(make_plan([WAITING, STALE, UNPRICED]), record, stale=stale)
    return foresee(decision, record, host="https://api.example", simulated=False)


@pytest.mark.parametrize(("stale", "submits", "estimate"), [(False, 2, 0.5), (True, 3, 1.4)])
def test_a_stale_take_costs_what_its_row_asks_for_now(*, stale: bool, submits: int, estimate: float) -> None:
    found = foreseen(stale=stale)
    assert (found.submits, found.estimate, found.unpriced) == (submits, estimate, 1)
    assert bool(found.remarks) is not stale


def test_what_was_spent_before_counts_by_the_price_of_its_day() -> None:
    spent = Spending((Charge("s", 0.3, latest=False), Charge("s", 0.3, 0.2), Charge("x")))
    found = foreseen(spending=spent)
    assert (found.spent, found.unknown) == (0.5, 1)


def test_a_person_is_told_what_was_renamed_what_was_taken_back_and_what_was_never_paid() -> None:
    told = Comparison(
        renamed=("b", "s010"),
        renames={"a": "b", "s010~1": "s010", "s010": "s010~2"},
        removed=("paid",),
        withdrawn=("never",),
    )
    scope = Scope(told, frozenset(), frozenset(), ())
    decision = Decision(scope, told, (), 0, ())
    prospect = foresee(decision, RunRecord(), host="https://api.example", simulated=False)
    assert prospect.remarks == (
        "renamed in the manifest, so nothing is paid for again: b (was a)",
        "an edit was taken back, so nothing is paid for again: s010 (was kept as s010~1)",
        "no longer in the manifest; what was paid for is kept: paid",
        "no longer in the manifest, so not sent: never",
    )
