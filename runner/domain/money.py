"""What a take is expected to cost, and exact sums of money.

It is an estimate and not a quote: what was really billed is the `cost` on a job's result.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.domain.shots import Price, PriceUnit

_MICROS = 1_000_000
_MOST = 1e12
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?(?:s|secs?|seconds?)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Charge:
    """One submission that was or may have been paid for: what it should cost, and what it did cost, if known.

    `latest` says that it is its take's newest submission, whose cost may still come. `times` counts the submissions
    that it stands for, where only sums matter. Amounts are US dollars.
    """

    take_id: str
    estimate: float | None = None
    cost: float | None = None
    latest: bool = True
    times: int = 1

    @property
    def usd(self) -> float:
        """The real cost if it is known, else the estimate, else 0; it is never negative."""
        return max(0.0, next((amount for amount in (self.cost, self.estimate) if amount is not None), 0.0))


@dataclass(frozen=True, slots=True)
class Spending:
    """All that a run directory has or may have spent: every submission that is not proved to be free."""

    charges: tuple[Charge, ...] = ()

    @property
    def committed(self) -> float:
        """The sum that a cap is compared with: real costs where they are known, and estimates for the rest."""
        return usd(sum(micros(charge.usd) * charge.times for charge in self.charges))

    @property
    def billed(self) -> float:
        """The sum of the costs that are known."""
        known = ((charge.cost, charge.times) for charge in self.charges if charge.cost is not None)
        return usd(sum(micros(cost) * times for cost, times in known))

    @property
    def reserved(self) -> float:
        """The estimates of the submissions whose cost is not known yet."""
        return usd(micros(self.committed) - micros(self.billed))

    @property
    def estimated(self) -> float:
        """What all submissions should cost, as far as there are prices."""
        known = ((charge.estimate, charge.times) for charge in self.charges if charge.estimate is not None)
        return usd(sum(micros(price) * times for price, times in known))

    @property
    def earlier(self) -> Mapping[str, Spending]:
        """What each take cost before its latest submission; takes with only one submission are left out."""
        found: dict[str, list[Charge]] = defaultdict(list)
        for charge in self.charges:
            if not charge.latest:
                found[charge.take_id].append(charge)
        return {take_id: Spending(tuple(charges)) for take_id, charges in found.items()}

    @property
    def without_cost(self) -> int:
        """How many submissions have no known cost yet."""
        return sum(charge.times for charge in self.charges if charge.cost is None)

    @property
    def unpriced(self) -> int:
        """How many submissions have neither a cost nor an estimate, and so count for nothing."""
        return sum(charge.times for charge in self.charges if charge.cost is None and charge.estimate is None)


NOTHING_SPENT = Spending()


def estimate(price: Price | None, body: str) -> float | None:
    """Return what one submission of `body`, canonical JSON text, should cost in US dollars; None if unknown.

    A price by the second needs the body to say its `duration` in seconds, such as 8, "8" or "8s".
    """
    if price is None:
        return None
    if price.per is PriceUnit.OUTPUT:
        return price.usd
    seconds = seconds_of(json.loads(body).get("duration"))
    return None if seconds is None else usd(micros(price.usd * seconds))


def micros(amount: float) -> int:
    """Return US dollars as whole millionths, which add up exactly: three times 0.1 is 0.3."""
    # A server may send any number; an absurd one must not become infinity here.
    return round(max(-_MOST, min(amount, _MOST)) * _MICROS)


def usd(amount: int) -> float:
    """Return millionths as US dollars."""
    return amount / _MICROS


def dollars(amount: int) -> str:
    """Return millionths of a dollar in words, to the last digit and at least to the cent."""
    whole, rest = divmod(amount, _MICROS)
    return f"${whole:,}.{f'{rest:06}'.rstrip('0').ljust(2, '0')}"


def total(amounts: Iterable[float]) -> float:
    """Return the exact sum of US dollars."""
    return usd(sum(map(micros, amounts)))


def seconds_of(duration: object) -> float | None:
    """Return the seconds that an input such as 8, "8" or "8s" means, None if it means none."""
    if isinstance(duration, str) and (found := _SECONDS.fullmatch(duration)):
        duration = float(found[1])
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        return None
    # A whole number that is too large for a float is not a duration either.
    return float(duration) if 0 < duration <= _MOST else None
