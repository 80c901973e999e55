"""What the commands that pay print and ask about money and limits, and how to continue after a limit.

In: the flags, an estimate or a summary. Out: `Limits`, and lines. Every amount is in US dollars.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence

from runner.cli.prompts import agreed, with_flags
from runner.commands.steps.summary import RunEstimate, RunSummary
from runner.domain.display import counted, listed, money
from runner.domain.errors import UsageError
from runner.domain.limits import Limits, cost_warning
from runner.domain.money import micros, total
from runner.domain.run_ending import EndingKind

_CENT = 10_000
_OF_A_PLAN = frozenset({"--exit-code", "--online"})


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


def price_words(estimate: RunEstimate) -> str:
    """Return what the jobs of a run should cost and what was spent before, as the end of a sentence."""
    said = _estimate(estimate.estimate, estimate.unpriced)
    return f"{said}; {money(estimate.spent)} is spent or reserved already" if estimate.spent else said


def agreed_to_pay(
    jobs: str,
    question: str,
    *,
    duplicates: Sequence[str],
    assume_yes: bool,
    capped: bool,
    twice: bool,
) -> bool:
    """Return whether paying is agreed to: by -y, by a person, or without a terminal by the cap.

    `jobs` is printed where no question is asked. `duplicates` are takes whose request another take sends: only a person
    who is asked, or `twice`, agrees to those.

    Raises:
        UsageError: no person can be asked, or the duplicates are not agreed to.
    """
    is_unattended = not sys.stdin.isatty()
    if (assume_yes or is_unattended) and duplicates and not twice:
        raise UsageError(
            f"{listed(duplicates)} would pay once more for a request that another take sends or has sent",
            advice="change or remove the rows, or add --allow-duplicates",
        )
    if not assume_yes and not (capped and is_unattended):
        return agreed(question, instead="-y to agree beforehand, or --max-cost to set a limit")
    print(jobs, file=sys.stderr, flush=True)
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
    reserved = total([spending.committed, -total(_billed(summary))])
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


def _billed(summary: RunSummary) -> Iterator[float]:
    return (charge.usd for charge in summary.spending.charges if charge.cost is not None)


def raised(words: Sequence[str], summary: RunSummary, limits: Limits, *, now: float) -> list[str]:
    """Return the command line in `words` with limits high enough to submit everything that is left.

    A moment that has passed by wall time `now` is left out. What was cancelled counts too, because a retry of it has
    the same limits.
    """
    enough = list(words)
    left = [take.estimate or 0.0 for take in (*summary.left, *summary.cancelled)]
    needed = micros(total([summary.spending.committed, *left]))
    if limits.max_cost is not None and needed > micros(limits.max_cost):
        enough = with_flags(
            list(_without(enough, "--max-cost")), "--max-cost", f"{math.ceil(needed / _CENT) / 100:.2f}"
        )
    submits = len(summary.spending.charges) + len(left)
    if limits.max_submits is not None and submits > limits.max_submits:
        enough = with_flags(list(_without(enough, "--max-submits")), "--max-submits", str(submits))
    if is_past(limits, now):
        enough = list(_without(enough, "--until"))
    return enough


def is_past(limits: Limits, now: float) -> bool:
    """Return whether the run should end at a moment that has passed."""
    return isinstance(limits.until, int | float) and limits.until <= now


def as_retry(words: Sequence[str]) -> list[str]:
    """Return the `run` command line in `words` as the `retry` of what was cancelled, with the same flags."""
    verb = words.index("run")
    flags: Iterable[str] = (word for word in words[verb + 1 :] if word not in _OF_A_PLAN)
    for replaced in ("--status", "--output"):
        flags = _without(flags, replaced)
    # The choice may become narrower, never wider. So the patterns of the run stay.
    return with_flags([*words[:verb], "retry", *flags], "--status", "cancelled")


def _without(words: Iterable[str], flag: str) -> Iterator[str]:
    given = iter(words)
    for word in given:
        if word == "--":
            yield word
            yield from given
        elif word == flag:
            next(given, None)
        elif not word.startswith(f"{flag}="):
            yield word
