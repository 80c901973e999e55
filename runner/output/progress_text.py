"""One safe sentence for each fact, the word for the state in which it leaves its take, and the line above all of them.

The sentences are for the progress lines and the run's log. A kind of fact without one here fails the type check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.domain import states
from runner.domain.display import (
    PATH_LIMIT,
    REASON_LIMIT,
    counted,
    duration,
    money,
    short_path,
    size,
    standing,
    trouble,
    visible,
    when,
)
from runner.domain.orders import VERBS, CancelTakes, Order, Pause, Reload, Resume, Tune
from runner.domain.run_events import RunStarted, Steered
from runner.domain.states import (
    AnswerFact,
    DecisionFact,
    DeliveryFact,
    DeliveryState,
    Fact,
    JobFact,
    NoteFact,
    TakeState,
)

_AFTER: dict[type[Fact], str] = {
    **{kind: target.value for (_, kind), targets in states.TRANSITIONS.items() for target in targets},
    **{
        kind: standing(TakeState.SUCCEEDED, target)
        for (_, kind), target in states.DELIVERIES.items()
        if kind is not states.Dropped
    },
}


def head_line(started: RunStarted, *, width: int | None = None) -> str:
    """Return which run this is: takes, jobs at once, money and folder; parts that do not fit `width` are left out."""
    whole = sum(started.counts.values()) or started.total
    some = f"{started.total:,} of " if started.total < whole else ""
    done = started.deliveries.get(DeliveryState.DELIVERED, 0) or started.counts.get(TakeState.SUCCEEDED, 0)
    spent, cap = started.spending.committed, started.limits.max_cost
    said = f"{money(spent)} of --max-cost {money(cap)}" if cap is not None else f"{money(spent)} so far"
    parts = (
        (5, visible(started.name, 80) + (" (simulated)" if started.simulated else "")),
        (4, f"{some}{counted(whole, 'take')}{f', {done:,} done' if done else ''}"),
        (2, counted(started.jobs, "job")),
        (3, said if spent or cap is not None else ""),
        (1, visible(short_path(started.run_dir), PATH_LIMIT)),
    )
    return fitted(parts, width=width)


def fitted(parts: Sequence[tuple[int, str]], *, width: int | None) -> str:
    """Return the texts of `parts` in one line, without the least important ones if they do not fit `width` columns.

    A part has its importance first. The most important one always stays; empty ones have no place.
    """
    kept = [part for part in parts if part[1]]
    while True:
        line = " · ".join(text for _, text in kept)
        if width is None or len(line) <= width or len(kept) == 1:
            return line
        kept.remove(min(kept))


def standing_after(fact: Fact) -> str | None:
    """Return the word for the state in which `fact` leaves a take, as `standing` has it; None if nothing changes."""
    return fact.outcome.value if isinstance(fact, states.Ended) else _AFTER.get(type(fact))


_DONE: Mapping[type[Order], str] = {
    Pause: "paused",
    Resume: "resumed",
    Tune: "tuned",
    CancelTakes: "cancel asked",
    Reload: "reloaded",
}


def steered_line(event: Steered) -> str:
    """Return what a person did to the session from outside, or tried to do."""
    done = _DONE[type(event.order)] if event.changed else f"{VERBS[type(event.order)]} changed nothing, asked"
    return _joined(f"{done} by {_short(event.by)}", "; ".join(event.says))


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
            return f"held  {_short(fact.reason)}; it may have been charged"


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
