"""How a run ends, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runner.domain.states import IN_DOUBT, RETRYABLE, UNFINISHED, TakeState


class Stop(StrEnum):
    """How to stop: `DRAIN` submits no more and waits for active jobs, `DETACH` leaves them to the next run.

    `CANCEL_QUEUED` drains too, after it has asked the API to cancel what has not started yet.
    """

    DRAIN = "drain"
    DETACH = "detach"
    CANCEL_QUEUED = "cancel-queued"


class EndingKind(StrEnum):
    """Why the engine ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    ACCOUNT = "account"
    OUTAGE = "outage"
    UNKNOWNS = "unknowns"
    DECLINED = "declined"
    HALTED = "halted"
    LIMIT = "limit"
    DISK = "disk"
    RELOAD = "reload"


EXIT_CODES = {
    EndingKind.ACCOUNT: 77,
    EndingKind.OUTAGE: 69,
    EndingKind.DISK: 74,
    EndingKind.DECLINED: 3,
    EndingKind.HALTED: 3,
    EndingKind.UNKNOWNS: 4,
}
"""Exit codes of a run that was ended; after any other ending its takes decide, by `exit_code_by`."""


def exit_code_by(counts: Mapping[TakeState, int]) -> int:
    """Return 4 if a take is in doubt, else 3 if one is unfinished, 2 if one failed or was cancelled, or 0."""
    codes = ((IN_DOUBT, 4), (UNFINISHED, 3), (RETRYABLE, 2))
    return next((code for states, code in codes if any(counts.get(state) for state in states)), 0)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run ended, with the words for it."""

    kind: EndingKind
    reason: str = ""
