"""How a run ends, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Stop(StrEnum):
    """How to stop: `DRAIN` submits no more and sees the rest through, `DETACH` leaves it to the next run.

    `CANCEL_QUEUED` drains too, after it has asked the API to cancel what has not started yet.
    """

    DRAIN = "drain"
    DETACH = "detach"
    CANCEL_QUEUED = "cancel-queued"


class EndingKind(StrEnum):
    """Why the engine came to its end."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    ACCOUNT = "account"
    OUTAGE = "outage"
    UNKNOWNS = "unknowns"
    DECLINED = "declined"
    HALTED = "halted"
    LIMIT = "limit"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run ended, with the words for it."""

    kind: EndingKind
    reason: str = ""


End: TypeAlias = Callable[[EndingKind, str, Stop], None]
"""How a part of the engine brings the run to an end: why, in what words, and what becomes of what is out there."""
