"""Records as values for programs, in the words that `docs/machines.md` explains.

In: what readers of a state file get. Out: values for `json.dumps`. Money is in US dollars, times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.domain.money import Spending
from runner.domain.records import Standing


def money_as_json(spending: Spending) -> dict[str, object]:
    """Return what a run cost and should cost; `without_cost` counts jobs of unknown cost."""
    return {
        "spent_usd": spending.billed,
        "reserved_usd": spending.reserved,
        "estimated_usd": spending.estimated,
        "without_cost": spending.without_cost,
    }


def states_as_json(counts: Mapping[str, int]) -> dict[str, int]:
    """Return takes by the word that people read, without the zeros."""
    return {str(word): count for word, count in counts.items() if count}


def flagged_as_json(take: Standing) -> dict[str, object]:
    """Return a take with what is odd about its clip."""
    return {"take": take.take_id, "label": take.label, "flags": flags_of(take)}


def flags_of(take: Standing) -> list[dict[str, str]]:
    """Return what is odd about a take's clip, each with its kind."""
    return [{"kind": flag.kind.value, "message": flag.text} for flag in take.flags]
