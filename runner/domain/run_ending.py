"""How a run ends, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


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


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run ended, with the words for it."""

    kind: EndingKind
    reason: str = ""


End: TypeAlias = Callable[[EndingKind, str, Stop], None]
"""How a part of the engine ends the run: the kind, the words for it, and what becomes of active jobs."""
