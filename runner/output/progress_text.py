"""One safe sentence for each fact, and the word for the state in which the fact leaves its take.

The sentences are for the progress lines and the run's log. A kind of fact without one here fails the type check.
"""

from __future__ import annotations

from runner.domain import states
from runner.domain.display import REASON_LIMIT, duration, money, size, standing, trouble, visible, when
from runner.domain.states import AnswerFact, DecisionFact, DeliveryFact, Fact, JobFact, NoteFact, TakeState

_AFTER: dict[type[Fact], str] = {
    **{kind: target.value for (_, kind), targets in states.TRANSITIONS.items() for target in targets},
    **{
        kind: standing(TakeState.SUCCEEDED, target)
        for (_, kind), target in states.DELIVERIES.items()
        if kind is not states.Dropped
    },
}


def standing_after(fact: Fact) -> str | None:
    """Return the word for the state in which `fact` leaves a take, as `standing` has it; None if nothing changes."""
    return fact.outcome.value if isinstance(fact, states.Ended) else _AFTER.get(type(fact))


def sentence(fact: Fact) -> str:
    """Return what happened in a few safe words; empty for a fact that only precedes another."""
    if isinstance(fact, states.SubmissionStarted | states.FetchStarted):
        return ""
    if isinstance(fact, AnswerFact):
        return _answered(fact)
    if isinstance(fact, DecisionFact):
        return _decided(fact)
    if isinstance(fact, JobFact):
        return _reported(fact)
    return _delivered(fact) if isinstance(fact, DeliveryFact) else _noted(fact)


def _answered(fact: AnswerFact) -> str:
    match fact:
        case states.Accepted():
            return f"submitted  {_request(fact.request_id)}"
        case states.NotSent():
            return f"not sent  {_short(fact.reason)}"
        case states.RefusedForNow():
            return f"refused for now  {_short(fact.reason)}, again after {when(fact.not_before)}"
        case states.Refused():
            return f"failed  {trouble(fact.failure, fact.reason, REASON_LIMIT)}"
        case states.AccountTurnedAway(failure=states.FailureClass.REFUSED):
            return f"turned away  {_short(fact.reason)}"
        case states.AccountTurnedAway():
            return f"account refused  {trouble(fact.failure, fact.reason, REASON_LIMIT)}"
        case states.LostContact():
            return f"held  {_short(fact.reason)} ({_short(fact.milestone)}); it may have been charged"


def _decided(fact: DecisionFact) -> str:
    by = _short(fact.by)
    match fact:
        case states.Adopted():
            return f"adopted  {_request(fact.request_id)} by {by}"
        case states.AdoptionUndone():
            text = f"held again  {_request(fact.request_id)} is not its job, says {by}"
            return _joined(text, fact.reason)
        case states.DeclaredNotSent():
            return _joined(f"declared not sent by {by}", fact.reason)
        case states.PayAgain():
            return f"will be submitted again, may be paid twice, accepted by {by}"
        case states.Dropped():
            return _joined(f"dropped by {by}", fact.reason)
        case states.RetryRequested():
            return _joined(f"will be submitted again, asked by {by}", fact.reason)


def _reported(fact: JobFact) -> str:
    match fact:
        case states.Started():
            return "running"
        case states.Requeued():
            return "queued again"
        case states.Vanished():
            return f"failed  {trouble(fact.failure, fact.reason, REASON_LIMIT)}"
    parts = [fact.outcome.value if isinstance(fact, states.Ended) else "succeeded after all"]
    if isinstance(fact, states.Ended) and fact.outcome is not TakeState.SUCCEEDED:
        parts.append(trouble(fact.failure, fact.reason, REASON_LIMIT))
    if fact.seconds is not None:
        parts.append(duration(fact.seconds))
    if fact.cost is not None:
        parts.append(money(fact.cost))
    return "  ".join(part for part in parts if part)


def _delivered(fact: states.Delivered | states.Undeliverable | states.FileGone) -> str:
    match fact:
        case states.Delivered():
            return _joined(f"delivered  {visible(fact.file)}  {size(fact.bytes)}", fact.remark)
        case states.Undeliverable():
            return f"undeliverable  {_short(fact.reason)}"
        case states.FileGone():
            return f"clip missing  {_short(fact.reason)}"


def _noted(fact: NoteFact) -> str:
    match fact:
        case states.CancelRequested():
            return _joined(f"cancel asked by {_short(fact.by)}", fact.outcome)
        case states.CostSeen():
            return f"cost  {money(fact.cost)}"
        case states.LateAnswer():
            return f"late answer  {_request(fact.request_id)}; the take had been decided on"
        case states.Renamed():
            return _joined(f"renamed  was {_short(fact.old)}", fact.reason)
        case states.ClipMoved():
            return f"clip renamed  {visible(fact.file)}"
        case states.Checked():
            said = "; ".join(_short(text) for _, text in fact.flags)
            return f"flagged  {said}" if said else "looked into"
        case states.KeptAsIs():
            return f"kept as it is by {_short(fact.by)}, though its row changed"


def _short(text: str) -> str:
    return visible(text, REASON_LIMIT)


def _request(request_id: str) -> str:
    return f"req {visible(request_id, 80)}"


def _joined(text: str, reason: str) -> str:
    return f"{text}: {_short(reason)}" if reason else text
