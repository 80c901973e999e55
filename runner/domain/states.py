"""The states of a take, the facts that move it, and the one table that says which fact may move what.

`TRANSITIONS` and `DELIVERIES` alone decide what may follow what. The state file's triggers and the tables of
`docs/architecture.md` derive from them. In all facts `attempt` names the submission. `evidence` is what came back with
it, cut and cleaned for a person to read. `remarks` say what in an answer could not be taken literally. `by` names who
decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from runner.domain.errors import IllegalTransition


class TakeState(StrEnum):
    """The state of a take at the API; `HELD` waits for a person and is never sent again by itself."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"
    DROPPED = "dropped"


class DeliveryState(StrEnum):
    """The state of a finished clip on this machine, apart from the take's: a lost download is not a lost render."""

    NONE = "none"
    FETCHING = "fetching"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"


class FailureClass(StrEnum):
    """Why a take failed, so that each kind can be handled in its own way."""

    INVALID_INPUT = "invalid-input"
    MODERATION = "moderation"
    PROVIDER_FAILED = "provider-failed"
    NO_BALANCE = "no-balance"
    AUTH = "auth"
    RATE_LIMIT = "rate-limit"
    TRANSIENT = "transient"
    MISSING = "missing"
    EXPIRED = "expired"
    NO_OUTPUT = "no-output"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SubmissionStarted:
    """The POST is about to leave; this fact is durable before its first byte."""

    attempt: str
    fingerprint: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The API took the job and gave it an id: the receipt for money, durable before anything uses it."""

    attempt: str
    request_id: str
    http_status: int = 200
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotSent:
    """It is proved that nothing of this attempt reached the API; `hopeless` says that no other try would.

    `error` is the failure in the words of a library.
    """

    attempt: str
    reason: str
    hopeless: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class RefusedForNow:
    """The API asked to try later; `not_before` is wall time in unix seconds."""

    attempt: str
    reason: str
    not_before: float
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The API refused this take before it was charged; `hopeless` says that it would refuse every other too."""

    attempt: str
    failure: FailureClass
    reason: str
    hopeless: bool = False
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class AccountTurnedAway:
    """The API refused the account, not the take: the take goes back to pending, and the account is checked."""

    attempt: str
    failure: FailureClass
    reason: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class LostContact:
    """The POST began and its outcome is unknown: it may have been charged.

    `milestone` says how far it got, and `hopeless` that every other submit would end alike. `candidates` are ids in the
    answer that may be the job's. `error` is the failure in the words of a library, where nothing came back.
    """

    attempt: str
    milestone: str
    reason: str
    evidence: str = ""
    hopeless: bool = False
    candidates: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A person found the request id of a held take."""

    request_id: str
    by: str


@dataclass(frozen=True, slots=True)
class AdoptionUndone:
    """The job that was adopted for a take is another's: a person takes the id back, or the job's record shows it."""

    request_id: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredNotSent:
    """A person says that a held take never reached the API."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PayAgain:
    """A person, or the flag `pay-again`, accepts that a held take may be paid twice."""

    by: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A person gives a take up, whatever the API does with its job; its id and possible cost stay on record."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The API says that the job runs."""


@dataclass(frozen=True, slots=True)
class Requeued:
    """The API says that a running job waits again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The job's result record, which alone decides how it ended.

    `outcome` is succeeded, failed or cancelled. `result` is the answer's text; above 1 MiB only the fields that matter.
    `outputs` are the links in its `output`, in order, each once. `cost` is in USD and `seconds` from the API's own
    `created_at` to its `finished_at`; each is None if the record does not say.
    """

    outcome: TakeState
    result: str
    outputs: tuple[str, ...] = ()
    failure: FailureClass | None = None
    reason: str = ""
    cost: float | None = None
    seconds: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundAfterAll:
    """A look at a job that had been given up found that it succeeded, with links; nothing was sent or paid for it.

    `request_id` is the job's; the rest is as in `Ended`.
    """

    request_id: str
    result: str
    outputs: tuple[str, ...]
    cost: float | None = None
    seconds: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vanished:
    """The API no longer knows the id (`missing`), or the record has expired (`expired`)."""

    failure: FailureClass
    reason: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """A person or a stated policy asks to pay for a new attempt."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FetchStarted:
    """A download of the clip began."""

    url: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The clip is on disk, whole, under its final name; `remark` says what is unusual, if anything is.

    `file` is relative to the run directory.
    """

    file: str
    sha256: str
    bytes: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """The clip could not be downloaded; its link is kept."""

    reason: str


@dataclass(frozen=True, slots=True)
class FileGone:
    """A delivered clip is no longer on disk and is to be fetched again."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A run or a person asked the API to cancel; this is a column, not a state, since the API may refuse."""

    by: str
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """An id that came for an attempt that no longer waits: it moves nothing, and is never discarded."""

    attempt: str
    request_id: str


@dataclass(frozen=True, slots=True)
class CostSeen:
    """The API reported the take's cost, in USD, only after its end."""

    cost: float


@dataclass(frozen=True, slots=True)
class Renamed:
    """The take had the id `old`; it is the same job, the same clip and the same money, and nothing was sent."""

    old: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClipMoved:
    """A delivered clip got another name on disk, after its take; `file` is relative to the run directory."""

    file: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A delivered clip was looked into; `probe` is JSON, `flags` are pairs of kind and phrase (`domain.clip_checks`).

    `sha256` is the clip's, so that nothing is said of a later one.
    """

    sha256: str
    probe: str
    flags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KeptAsIs:
    """A person keeps a take's clip for a row that has changed; `wanted` is the fingerprint of the row's new body."""

    by: str
    wanted: str


AnswerFact: TypeAlias = Accepted | NotSent | RefusedForNow | Refused | AccountTurnedAway | LostContact
"""The possible answers to a submission."""

DecisionFact: TypeAlias = Adopted | AdoptionUndone | DeclaredNotSent | PayAgain | Dropped | RetryRequested
JobFact: TypeAlias = Started | Requeued | Ended | FoundAfterAll | Vanished
StateFact: TypeAlias = SubmissionStarted | AnswerFact | DecisionFact | JobFact
DeliveryFact: TypeAlias = FetchStarted | Delivered | Undeliverable | FileGone
NoteFact: TypeAlias = CancelRequested | CostSeen | LateAnswer | Renamed | ClipMoved | KeptAsIs | Checked
Fact: TypeAlias = StateFact | DeliveryFact | NoteFact

S = TakeState
# The API has the job and may bill it.
ACTIVE = frozenset({S.QUEUED, S.RUNNING})
# A run works on it.
UNFINISHED = ACTIVE | {S.PENDING}
# A job may exist, but nothing is known about it: a person decides.
IN_DOUBT = frozenset({S.HELD, S.SUBMITTING})
# The job was accepted, and did not fail.
PAID = ACTIVE | {S.SUCCEEDED}
# A person may ask for a new attempt.
RETRYABLE = frozenset({S.FAILED, S.CANCELLED})
# It ended without a clip.
OVER = RETRYABLE | {S.DROPPED}
# The API has ended the job.
ENDED = RETRYABLE | {S.SUCCEEDED}

TRANSITIONS: Mapping[tuple[TakeState, type[StateFact]], frozenset[TakeState]] = {
    (S.PENDING, SubmissionStarted): frozenset({S.SUBMITTING}),
    (S.SUBMITTING, Accepted): frozenset({S.QUEUED}),
    **{(S.SUBMITTING, back): frozenset({S.PENDING}) for back in (NotSent, RefusedForNow, AccountTurnedAway)},
    (S.SUBMITTING, Refused): frozenset({S.FAILED}),
    (S.SUBMITTING, LostContact): frozenset({S.HELD}),
    # This is the late answer to the same attempt: an id is never discarded.
    (S.HELD, Accepted): frozenset({S.QUEUED}),
    (S.HELD, Adopted): frozenset({S.QUEUED}),
    (S.HELD, DeclaredNotSent): frozenset({S.PENDING}),
    (S.HELD, PayAgain): frozenset({S.PENDING}),
    # A person may drop any take that keeps a run from being complete, unless it is pending or being sent.
    **{(state, Dropped): frozenset({S.DROPPED}) for state in (S.HELD, *sorted(ACTIVE | ENDED))},
    # What was adopted by mistake is as doubtful as before, however that job ended.
    **{(state, AdoptionUndone): frozenset({S.HELD}) for state in (S.QUEUED, S.RUNNING, *sorted(ENDED))},
    (S.QUEUED, Started): frozenset({S.RUNNING}),
    (S.RUNNING, Requeued): frozenset({S.QUEUED}),
    **{(state, Ended): ENDED for state in (S.QUEUED, S.RUNNING)},
    **{(state, Vanished): frozenset({S.FAILED}) for state in (S.QUEUED, S.RUNNING)},
    **{(state, RetryRequested): frozenset({S.PENDING}) for state in (S.FAILED, S.CANCELLED)},
    # A record that names a clip outweighs every claim that there is none, whether the API, a run or a person made it.
    **{(state, FoundAfterAll): frozenset({S.SUCCEEDED}) for state in (S.FAILED, S.CANCELLED, S.DROPPED)},
}
"""Every legal move of a take: (state, kind of fact) to the states it may lead to."""

D = DeliveryState
DELIVERIES: Mapping[tuple[DeliveryState, type[DeliveryFact | Dropped]], DeliveryState] = {
    (D.NONE, FetchStarted): D.FETCHING,
    # A killed run leaves `fetching` behind; a second start is always safe.
    (D.FETCHING, FetchStarted): D.FETCHING,
    (D.UNDELIVERABLE, FetchStarted): D.FETCHING,
    (D.FETCHING, Delivered): D.DELIVERED,
    (D.FETCHING, Undeliverable): D.UNDELIVERABLE,
    (D.DELIVERED, FileGone): D.NONE,
    # The clip of a dropped take is not fetched; a take whose clip is here cannot be dropped.
    **{(state, Dropped): D.NONE for state in (D.NONE, D.FETCHING, D.UNDELIVERABLE)},
}
"""Every legal move of a clip's delivery; only a succeeded take has a clip."""

NEVER_CHARGED = frozenset({FailureClass.REFUSED, FailureClass.INVALID_INPUT})
"""Classes of a failed take that the API refused before a charge: its body may be corrected and sent again."""

GIVEN_UP = frozenset({FailureClass.MISSING, FailureClass.EXPIRED, FailureClass.NO_OUTPUT})
"""Classes of a failed take whose clip may still exist: a look is free, so the run looks again."""

FREE = frozenset(
    fact.__name__ for fact in (NotSent, Refused, RefusedForNow, AccountTurnedAway, DeclaredNotSent)
)
"""Facts, by name, that close an attempt as not charged."""


def is_given_up(state: TakeState, failure: FailureClass | None) -> bool:
    """Return whether a failed take's clip may still exist."""
    return state is S.FAILED and failure in GIVEN_UP


def was_refused(state: TakeState, failure: FailureClass | None) -> bool:
    """Return whether the API refused a take before a charge."""
    return state is S.FAILED and failure in NEVER_CHARGED


def advance(state: TakeState, fact: StateFact) -> TakeState:
    """Return the state that `fact` leads to, or raise `IllegalTransition`."""
    allowed = TRANSITIONS.get((state, type(fact)), frozenset())
    target = fact.outcome if isinstance(fact, Ended) else next(iter(allowed), None)
    if target is None or target not in allowed:
        raise IllegalTransition(f"a take that is {state} cannot take {type(fact).__name__}")
    return target


def advance_delivery(state: DeliveryState, fact: DeliveryFact | Dropped) -> DeliveryState:
    """Return the delivery state that `fact` leads to, or raise `IllegalTransition`."""
    target = DELIVERIES.get((state, type(fact)))
    if target is None:
        raise IllegalTransition(f"a clip that is {state} cannot take {type(fact).__name__}")
    return target
