"""What a run is about to pay: what waits by its price of today, what is rendered anew by that of its new row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.engine.options import EngineOptions
from runner.money import Charge, Spending
from runner.plan.against import Comparison
from runner.summary import Prospect, foresee
from tests.unit.reporting_records import delivered, pending

WAITING = replace(pending("w"), estimate=0.5, estimate_now=0.5)
STALE = replace(delivered(pending("s")), estimate=0.3, estimate_now=0.9, wanted="cd" * 32)
UNPRICED = pending("u")


def foreseen(*anew: str, spending: Spending | None = None) -> Prospect:
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
