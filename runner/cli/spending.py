"""What the commands that pay say and ask about money and limits: flags into limits, sums into sentences, the way on.

In: the flags, a prospect or a summary. Out: `Limits`, and lines. Every amount is in US dollars.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence

from runner.engine.limits import Limits
from runner.engine.options import EndingKind
from runner.money import micros, total
from runner.summary import Prospect, RunSummary
from runner.wording import counted, money

_CENT = 10_000


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Return the limits that the flags set."""
    return Limits(
        max_cost=arguments.max_cost,
        warn_cost=arguments.warn_cost,
        max_submits=arguments.max_submits,
        until=arguments.until,
        lasts=arguments.lasts,
        cancel_queued=arguments.cutoff == "cancel-queued",
        allow_unpriced=arguments.allow_unpriced,
    )


def price_words(prospect: Prospect) -> str:
    """Return what the jobs of a run should cost, and what was spent before, to go on a sentence with."""
    said = _estimate(prospect.estimate, prospect.unpriced)
    return f"{said}; {money(prospect.spent)} is spent or reserved already" if prospect.spent else said


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
    reserved = total([spending.committed, -total(_billed(summary))])
    lines = [f"{money(spending.billed)} is billed and {money(reserved)} reserved for what has no known cost"]
    if spending.unpriced:
        lines[0] += f"; {counted(spending.unpriced, 'job')} without a price counted as nothing"
    if summary.left:
        prices = [take.estimate for take in summary.left if take.estimate is not None]
        said = _estimate(total(prices) if prices else None, len(summary.left) - len(prices))
        lines.append(f"left to do: {counted(len(summary.left), 'take')}, {said}")
    return lines


def _billed(summary: RunSummary) -> Iterator[float]:
    return (charge.usd for charge in summary.spending.charges if charge.cost is not None)


def raised(words: Sequence[str], summary: RunSummary, limits: Limits) -> list[str]:
    """Return the command line in `words` with such limits that all that is left can be submitted."""
    enough = list(words)
    left = [take.estimate or 0.0 for take in summary.left]
    needed = micros(total([summary.spending.committed, *left]))
    if limits.max_cost is not None and needed > micros(limits.max_cost):
        enough = [*_without(enough, "--max-cost"), "--max-cost", f"{math.ceil(needed / _CENT) / 100:.2f}"]
    submits = len(summary.spending.charges) + len(left)
    if limits.max_submits is not None and submits > limits.max_submits:
        enough = [*_without(enough, "--max-submits"), "--max-submits", str(submits)]
    return enough


def _without(words: Iterable[str], flag: str) -> Iterator[str]:
    given = iter(words)
    for word in given:
        if word == flag:
            next(given, None)
        elif not word.startswith(f"{flag}="):
            yield word
