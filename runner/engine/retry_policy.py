"""What a run decides by itself about money and failure, as data: unknown submits, paid retries, limits, scouts.

In: facts and counts. Out: yes or no. Each rule is pure, and it knows no clock and no network.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from runner.domain.shots import Ticket
from runner.domain.states import FailureClass

ANY_FAILURE = "fail"

RETRIED_BY_ITSELF = frozenset({FailureClass.PROVIDER_FAILED, FailureClass.TRANSIENT})
"""Classes where the same body may well succeed: the fault was not the take's.

Moderation would judge the same words again, and a refused input stays refused. A missing or expired record may have
been a success, and an empty balance ends the run. A person decides about those. No class is tried with another seed by
itself. That would be another body under the same id, and a take is what its row in the manifest says.
"""

_LONGEST_SETTING = 24


class OnUnknown(StrEnum):
    """What becomes of a submit without an answer: it is held, it is held and the run stops, or it is paid again."""

    HOLD = "hold"
    STOP = "stop"
    PAY_AGAIN = "pay-again"


def may_retry(failure: FailureClass | None, *, attempts: int, retries: int) -> bool:
    """Return whether a failed take with `attempts` submissions may be paid for once more without a person's wish."""
    return retries > 0 and failure in RETRIED_BY_ITSELF and attempts <= retries


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """Stops the submitting after N failures of a class, or of any (`fail`)."""

    limits: Mapping[str, int]

    def tripped(self, failures: Counter[FailureClass]) -> str | None:
        """Return the words for the limit that was reached, or None."""
        counts = {ANY_FAILURE: failures.total()} | {str(name): count for name, count in failures.items()}
        for name, limit in self.limits.items():
            if counts.get(name, 0) >= limit:
                what = "takes failed" if name == ANY_FAILURE else f"takes failed with {name}"
                return f"{counts[name]} {what}"
        return None


def scouts(tickets: Iterable[Ticket], *, each: int) -> frozenset[str]:
    """Return the ids of the first `each` tickets of every model and settings, to be tried before the rest."""
    seen: Counter[str] = Counter()
    chosen = set()
    for ticket in tickets:
        key = settings_of(ticket)
        seen[key] += 1
        if seen[key] <= each:
            chosen.add(ticket.take_id)
    return frozenset(chosen)


def settings_of(ticket: Ticket) -> str:
    """Return what makes two takes alike to a scout: the model and its settings, without seed, words and links."""
    body = json.loads(ticket.body)
    settings = {name: value for name, value in body.items() if name != "seed" and _is_setting(value)}
    return json.dumps([ticket.model, settings], sort_keys=True)


def _is_setting(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_SETTING and "://" not in value and " " not in value
    return isinstance(value, bool | int | float)
