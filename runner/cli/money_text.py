"""What the commands that pay say and ask about money and limits: flags into limits, sums into sentences, the way on.

In: the flags, a prospect or a summary. Out: `Limits`, and lines. Every amount is in US dollars.
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


def price_words(prospect: RunEstimate) -> str:
    """Return what the jobs of a run should cost, and what was spent before, to go on a sentence with."""
    said = _estimate(prospect.estimate, prospect.unpriced)
    return f"{said}; {money(prospect.spent)} is spent or reserved already" if prospect.spent else said


def agreed_to_pay(
    jobs: str,
    question: str,
    *,
    duplicates: Sequence[str],
    assume_yes: bool,
    capped: bool,
    twice: bool,
) -> bool:
    """Return whether somebody agrees to pay: -y, a person, or where nobody is there the cap.

    `jobs` says it without a question. `duplicates` are takes whose request another take sends: only a person who is
    asked, or `twice`, agrees to those.

    Raises:
        UsageError: nobody is there to ask, or agrees to duplicates.
    """
    is_alone = not sys.stdin.isatty()
    if (assume_yes or is_alone) and duplicates and not twice:
        raise UsageError(
            f"{listed(duplicates)} would pay once more for a request that another take sends or has sent",
            advice="change or remove the rows, or add --allow-duplicates",
        )
    if not assume_yes and not (capped and is_alone):
        return agreed(question, instead="-y to agree beforehand, or --max-cost to say how much at most")
    print(jobs, file=sys.stderr, flush=True)
    return True


def duplicate_words(duplicates: Sequence[str]) -> str:
    """Return how many of the jobs pay for a request that another take sends, to go on a sentence with."""
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
    """Return the warning of a run that has passed what it should warn of."""
    committed = micros(summary.spending.committed)
    mark = limits.warn_cost
    return [cost_warning(committed, mark)] if mark is not None and committed > micros(mark) else []


def _billed(summary: RunSummary) -> Iterator[float]:
    return (charge.usd for charge in summary.spending.charges if charge.cost is not None)


def raised(words: Sequence[str], summary: RunSummary, limits: Limits, *, now: float) -> list[str]:
    """Return the command line in `words` with such limits that all that is left can be submitted.

    A moment that has passed by wall time `now` is left out. What was cancelled counts too: a retry of it comes under
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
    """Return whether the run was to end at a moment that no later run can come before."""
    return isinstance(limits.until, int | float) and limits.until <= now


def as_retry(words: Sequence[str]) -> list[str]:
    """Return the `run` command line in `words` as the `retry` of what was cancelled, with the same flags."""
    verb = words.index("run")
    flags: Iterable[str] = (word for word in words[verb + 1 :] if word not in _OF_A_PLAN)
    for asked_otherwise in ("--status", "--output"):
        flags = _without(flags, asked_otherwise)
    # Narrower than what was given, never wider: the patterns of a run still hold.
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
