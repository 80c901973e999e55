"""One sentence for all failures that share a cause: what happened, to how many takes, and to which.

In: take records. Out: sentences, the most common cause first. Two reasons are the same cause if their words are the
same without numbers, ids and links.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.domain.api_answers import folded
from runner.domain.display import REASON_LIMIT, counted, listed, standing, trouble
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState, TakeState


def causes(takes: Sequence[TakeRecord], *, least: int = 1) -> tuple[str, ...]:
    """Return a sentence for each cause of failure that at least `least` of `takes` share."""
    groups: dict[tuple[str, str, str], list[TakeRecord]] = {}
    for take in takes:
        if take.state is TakeState.FAILED or take.delivery is DeliveryState.UNDELIVERABLE:
            groups.setdefault((_standing(take), take.failure or "", folded(take.reason)), []).append(take)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return tuple(_sentence(group) for group in ordered if len(group) >= least)


def _standing(take: TakeRecord) -> str:
    return standing(take.state, take.delivery)


def _sentence(group: Sequence[TakeRecord]) -> str:
    first = group[0]
    why = trouble(first.failure, first.reason, REASON_LIMIT)
    names = listed([take.take_id for take in group])
    return f"{counted(len(group), 'take')} {_standing(first)}{f': {why}' if why else ''} ({names})"
