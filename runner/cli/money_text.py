"""What the commands that pay print and ask about money and limits; every amount is in US dollars."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runner.cli.terminal import agreed, warn
from runner.commands.steps.summary import RunEstimate, RunSummary
from runner.domain.display import counted, listed, money
from runner.domain.errors import UsageError
from runner.domain.limits import Limits, cost_warning
from runner.domain.money import micros, total
from runner.domain.run_ending import EndingKind


def price_words(estimate: RunEstimate) -> str:
    """Return what the jobs of a run should cost and what was spent before, as the end of a sentence."""
    said = _estimate(estimate.estimate, estimate.unpriced)
    return f"{said}; {money(estimate.spent)} is spent or reserved already" if estimate.spent else said


def agreed_to_pay(
    jobs: str, question: str, *, duplicates: Sequence[str], assume_yes: bool, capped: bool, twice: bool
) -> bool:
    """Return whether paying is agreed to: by -y, by a person, or without a terminal by the cap.

    `jobs` is printed where no question is asked, if it is not empty. `duplicates` are takes whose request another take
    sends: only a person who is asked, or `twice`, agrees to those.

    Raises:
        UsageError: no person can be asked, or the duplicates are not agreed to.
    """
    is_unattended = not sys.stdin.isatty()
    if (assume_yes or is_unattended) and duplicates and not twice:
        raise UsageError(
            f"{listed(duplicates)} would pay again for a request that another take sends or has sent",
            advice="change or remove the rows, or add --allow-duplicates",
        )
    if not assume_yes and not (capped and is_unattended):
        return agreed(question, instead="-y to agree beforehand, or --max-cost to set a limit")
    warn(filter(None, [jobs]))
    return True


def duplicate_words(duplicates: Sequence[str]) -> str:
    """Return how many of the jobs pay for a request that another take sends, as a part of a sentence."""
    return f", {len(duplicates):,} of them for a request that another take sends" if duplicates else ""


def _estimate(estimate: float | None, unpriced: int) -> str:
    if estimate is None:
        return "price unknown"
    more = f", and {unpriced:,} without a price" if unpriced else ""
    return f"estimated {money(estimate)}{more}"


def limit_lines(summary: RunSummary) -> list[str]:
    """Return, for a run that a limit stopped, what is spent, what is reserved and what is left to do."""
    if summary.ending.kind is not EndingKind.LIMIT:
        return []
    spending = summary.spending
    billed = total(charge.usd for charge in spending.charges if charge.cost is not None)
    reserved = total([spending.committed, -billed])
    lines = [f"{money(spending.billed)} is billed and {money(reserved)} reserved for what has no known cost"]
    if spending.unpriced:
        lines[0] += f"; {counted(spending.unpriced, 'job')} without a price counted as nothing"
    left = (*summary.left, *summary.cancelled)
    if left:
        prices = [take.estimate for take in left if take.estimate is not None]
        said = _estimate(total(prices) if prices else None, len(left) - len(prices))
        of_them = f"; {len(summary.cancelled):,} of them cancelled" if summary.cancelled else ""
        lines.append(f"left to do: {counted(len(left), 'take')}, {said}{of_them}")
    return lines


def cost_lines(summary: RunSummary, limits: Limits) -> list[str]:
    """Return the warning of a run that costs more than `warn_cost`."""
    committed = micros(summary.spending.committed)
    mark = limits.warn_cost
    return [cost_warning(committed, mark)] if mark is not None and committed > micros(mark) else []
