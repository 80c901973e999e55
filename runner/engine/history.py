"""What a run inherits from earlier runs in its directory, as one value.

The caller of the engine fills it from the record. It knows no file and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.shots import Ticket


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What earlier runs did and learnt; for a first run it is empty.

    `extra_paid` counts unknown submits that were paid again, and `spending` is all that may have been paid. `ended`
    are more takes whose costs may be asked for. `durations` are the seconds that jobs of each model took, oldest first.
    `largest_clip`, in bytes, is a guess at the size of the next one.
    """

    extra_paid: int = 0
    spending: Spending = NOTHING_SPENT
    ended: Sequence[Ticket] = ()
    durations: Mapping[str, Sequence[float]] = field(default_factory=dict)
    largest_clip: int = 0


NO_PAST = RunHistory()
"""The past of a first run."""
