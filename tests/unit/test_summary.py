"""What a run is about to pay: what waits by its price of today, what is rendered anew by that of its new row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.commands.steps.summary import RunEstimate, foresee
from runner.domain.money import Charge, Spending
from runner.engine.options import EngineOptions
from runner.plan.compare import Comparison
from tests.unit.reporting_records import delivered, pending

WAITING = replace(pending("w"), estimate=0.5, estimate_now=0.5)
STALE = replace(delivered(pending("s")), estimate=0.3, estimate_now=0.9, wanted="cd" * 32)
UNPRICED = pending("u")


def foreseen(*anew: str, spending: Spending | None = None) -> RunEstimate:
    return foresee(
        [WAITING, STALE, UNPRICED],
        Comparison(),
        options=EngineOptions(),
        host="https://api.example",
        simulated=False,
        anew=anew,
        spending=spending or Spending(),
    )


@pytest.mark.parametrize(
    ("anew", "submits", "estimate"), [((), 2, 0.5), (("s",), 3, 1.4)], ids=["kept", "anew"]
)
def test_a_stale_take_costs_what_its_row_asks_for_now(
    anew: tuple[str, ...], submits: int, estimate: float
) -> None:
    found = foreseen(*anew)
    assert (found.submits, found.estimate, found.unpriced) == (submits, estimate, 1)


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
    prospect = foresee([], told, options=EngineOptions(), host="https://api.example", simulated=False)
    assert prospect.remarks == (
        "renamed in the manifest, so nothing is paid for again: b (was a)",
        "an edit was taken back, so nothing is paid for again: s010 (was kept as s010~1)",
        "no longer in the manifest; what was paid for is kept: paid",
        "no longer in the manifest, so not sent: never",
    )
