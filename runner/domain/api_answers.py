"""The API's answers as values, whatever form they had on the wire.

The adapter in `api/` makes these values and the engine matches on them; neither sees the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from runner.domain.states import AnswerFact, Delivered, Ended


class JobStatus(StrEnum):
    """What a look found; `ENDED` does not mean success, and `UNKNOWN` means to keep looking and to say so."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """Why a read was not answered.

    `MISSING` means that the API says it does not know what was asked about. `STRANGE` is an answer that cannot be about
    it; `TOO_LARGE` is one that was not read to its end, so its content is unknown. `NO_HOST` says that there is no API
    at that address: its host does not exist, and was never reached. `UNTRUSTED` and `PROXY` say that it was never
    reached because its certificate is not accepted, or because a proxy lets nothing through.
    """

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    ACCOUNT = "account"
    MISSING = "missing"
    STRANGE = "strange"
    TOO_LARGE = "too-large"
    NO_HOST = "no-host"
    UNTRUSTED = "untrusted"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class StatusReply:
    """A look that was answered; `word` is the status as the API spelled it, `model` the job's if it is known."""

    status: JobStatus
    word: str
    queue_position: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """A read that was not answered; `retry_after` is the wait in seconds that the server asked for, if any.

    `evidence` is what came back, cut and cleaned. `advice` is what a person can do, where that is known.
    """

    kind: FailureKind
    reason: str
    retry_after: float | None = None
    evidence: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class NotReady:
    """The result record exists but does not say that the job has ended; `is_known` says whether its word is known."""

    word: str
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """The API's own word on a cancel: `cancelled`, `not_cancellable` or something new."""

    outcome: str


@dataclass(frozen=True, slots=True)
class FetchTrouble:
    """A clip that did not arrive.

    `link_refused` asks for the result to be read again for a fresh link. `permanent` means that another try of the same
    link cannot help, and `unreachable` that the host is away, as in an outage. `at_hand` is how many bytes of the clip
    are on disk by now; a try that fetched some counts as progress.
    """

    reason: str
    link_refused: bool = False
    permanent: bool = False
    unreachable: bool = False
    at_hand: int = 0


SubmitAnswer: TypeAlias = AnswerFact
LookAnswer: TypeAlias = StatusReply | RequestFailure
ResultAnswer: TypeAlias = Ended | NotReady | RequestFailure
FetchAnswer: TypeAlias = Delivered | FetchTrouble


def folded(reason: str) -> str:
    """Return the words of an answer without the parts that differ between takes: numbers, ids and links."""
    words = reason.lower().split()
    return " ".join("#" if "://" in word or any(map(str.isdigit, word)) else word for word in words)
