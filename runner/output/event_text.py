"""One safe sentence for each fact, and the word for the state in which the fact leaves its take.

In: a fact. Out: short English text without a line break, for the progress lines and the run's log. It knows a take only
from the fact, and no terminal, file or clock. A kind of fact without a sentence here fails the type check.
"""

from __future__ import annotations

from typing import assert_never

from runner.domain.display import REASON_LIMIT, duration, money, size, trouble, visible, when
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    Adopted,
    AdoptionUndone,
    CancelRequested,
    ClipMoved,
    CostSeen,
    DeclaredNotSent,
    Delivered,
    Dropped,
    Ended,
    Fact,
    FailureClass,
    FetchStarted,
    FileGone,
    FoundAfterAll,
    KeptAsIs,
    LateAnswer,
    LostContact,
    NotSent,
    PayAgain,
    Refused,
    RefusedForNow,
    Renamed,
    Requeued,
    RetryRequested,
    Started,
    SubmissionStarted,
    TakeState,
    Undeliverable,
    Vanished,
)


def standing_after(fact: Fact) -> str | None:
    """Return the word for the state in which `fact` leaves a take, as `standing` has it; None if nothing changes."""
    match fact:
        case SubmissionStarted():
            return "submitting"
        case Accepted() | Adopted() | Requeued():
            return "queued"
        case (
            NotSent()
            | RefusedForNow()
            | AccountTurnedAway()
            | DeclaredNotSent()
            | PayAgain()
            | RetryRequested()
        ):
            return "pending"
        case Refused() | Vanished():
            return "failed"
        case LostContact() | AdoptionUndone():
            return "held"
        case Dropped():
            return "dropped"
        case Started():
            return "running"
        case Ended():
            return fact.outcome.value
        case FetchStarted():
            return "fetching"
        case Delivered():
            return "delivered"
        case Undeliverable():
            return "undeliverable"
        case FileGone() | FoundAfterAll():
            return "succeeded"
        case CancelRequested() | CostSeen() | LateAnswer() | Renamed() | ClipMoved() | KeptAsIs():
            return None
        case _:
            assert_never(fact)


def sentence(fact: Fact) -> str:
    """Return what happened in a few safe words; empty for a fact that only precedes another."""
    match fact:
        case SubmissionStarted() | FetchStarted():
            return ""
        case Accepted() | Adopted() | AdoptionUndone() | Started() | Requeued() | LateAnswer():
            return _active(fact)
        case Ended() | FoundAfterAll() | Vanished() | Refused():
            return _ended(fact)
        case NotSent() | RefusedForNow() | AccountTurnedAway() | LostContact():
            return _not_accepted(fact)
        case DeclaredNotSent() | PayAgain() | Dropped() | RetryRequested() | CancelRequested():
            return _decided(fact)
        case Delivered() | Undeliverable() | FileGone() | CostSeen():
            return _downloaded(fact)
        case Renamed() | ClipMoved() | KeptAsIs():
            return _renamed(fact)
        case _:
            assert_never(fact)


def _active(fact: Accepted | Adopted | AdoptionUndone | Started | Requeued | LateAnswer) -> str:
    match fact:
        case Accepted():
            return f"submitted  req {_short(fact.request_id, 80)}"
        case Adopted():
            return f"adopted  req {_short(fact.request_id, 80)} by {_short(fact.by)}"
        case AdoptionUndone():
            why = f": {_short(fact.reason)}" if fact.reason else ""
            return (
                f"held again  req {_short(fact.request_id, 80)} is not its job, says {_short(fact.by)}{why}"
            )
        case Started():
            return "running"
        case Requeued():
            return "queued again"
        case LateAnswer():
            return f"late answer  req {_short(fact.request_id, 80)}; the take had been decided on"


def _ended(fact: Ended | FoundAfterAll | Vanished | Refused) -> str:
    if isinstance(fact, Vanished | Refused):
        return f"failed  {trouble(fact.failure, fact.reason, REASON_LIMIT)}"
    parts = [fact.outcome.value if isinstance(fact, Ended) else "succeeded after all"]
    if isinstance(fact, Ended) and fact.outcome is not TakeState.SUCCEEDED:
        parts.append(trouble(fact.failure, fact.reason, REASON_LIMIT))
    if fact.seconds is not None:
        parts.append(duration(fact.seconds))
    if fact.cost is not None:
        parts.append(money(fact.cost))
    return "  ".join(part for part in parts if part)


def _not_accepted(fact: NotSent | RefusedForNow | AccountTurnedAway | LostContact) -> str:
    reason = _short(fact.reason)
    match fact:
        case NotSent():
            return f"not sent  {reason}"
        case RefusedForNow():
            return f"refused for now  {reason}, again after {when(fact.not_before)}"
        case AccountTurnedAway(failure=FailureClass.REFUSED):
            return f"turned away  {reason}"
        case AccountTurnedAway():
            return f"account refused  {trouble(fact.failure, fact.reason, REASON_LIMIT)}"
        case LostContact():
            return f"held  {reason} ({_short(fact.milestone)}); it may have been charged"


def _decided(fact: DeclaredNotSent | PayAgain | Dropped | RetryRequested | CancelRequested) -> str:
    by = _short(fact.by)
    match fact:
        case DeclaredNotSent():
            return _joined(f"declared not sent by {by}", _short(fact.reason))
        case PayAgain():
            return f"will be submitted again, may be paid twice, accepted by {by}"
        case Dropped():
            return _joined(f"dropped by {by}", _short(fact.reason))
        case RetryRequested():
            return _joined(f"will be submitted again, asked by {by}", _short(fact.reason))
        case CancelRequested():
            return _joined(f"cancel asked by {by}", _short(fact.outcome))


def _downloaded(fact: Delivered | Undeliverable | FileGone | CostSeen) -> str:
    match fact:
        case Delivered():
            return _joined(f"delivered  {visible(fact.file)}  {size(fact.bytes)}", _short(fact.remark))
        case Undeliverable():
            return f"undeliverable  {_short(fact.reason)}"
        case FileGone():
            return f"clip missing  {_short(fact.reason)}"
        case CostSeen():
            return f"cost  {money(fact.cost)}"


def _renamed(fact: Renamed | ClipMoved | KeptAsIs) -> str:
    match fact:
        case Renamed():
            return _joined(f"renamed  was {_short(fact.old)}", _short(fact.reason))
        case ClipMoved():
            return f"clip renamed  {visible(fact.file)}"
        case KeptAsIs():
            return f"kept as it is by {_short(fact.by)}, though its row changed"


def _short(text: str, limit: int = REASON_LIMIT) -> str:
    return visible(text, limit)


def _joined(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text
