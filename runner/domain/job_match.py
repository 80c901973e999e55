"""Whose job a record is of: an adoption is a person's word, which the job's own record may contradict.

In: a take and how its job is said to have ended. Out: the fact that takes an adoption back, where the record tells of
another job; or trouble, where it tells of another take's. It asks nothing and records nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from runner.domain.api_answers import FailureKind, RequestFailure, ResultAnswer
from runner.domain.body_diff import contradiction
from runner.domain.shots import Ticket
from runner.domain.states import AdoptionUndone, Ended

ITS_RECORD = "its record"
"""Who takes an adoption back where no person does."""


def disowned(ticket: Ticket, ended: Ended) -> AdoptionUndone | None:
    """Return the fact that the job adopted for a take is another's, if its record says so."""
    if not ticket.adopted or ticket.request_id is None:
        return None
    told = contradiction(ticket.model, ticket.body, ended.result, request_id=ticket.request_id)
    reason = f"request {ticket.request_id} was adopted and is another job: its {told}"
    return AdoptionUndone(ticket.request_id, ITS_RECORD, reason) if told else None


def unless_of_another(answer: ResultAnswer, *, request_id: str, others: Iterable[str | None]) -> ResultAnswer:
    """Return `answer`, or trouble if its record names one of `others`, the request ids of other takes.

    An id in other letters is taken for the same one, but not where another job has just these: a service that looks ids
    up without regard to case tells of one job for two.
    """
    if not isinstance(answer, Ended):
        return answer
    try:
        record = json.loads(answer.result)
    except (ValueError, RecursionError):
        return answer
    told = record.get("request_id") if isinstance(record, dict) else None
    if not isinstance(told, str) or told.strip() == request_id or told.strip() not in others:
        return answer
    return RequestFailure(
        FailureKind.STRANGE, f"asked about {request_id}, the API told of another take's job: {told}"
    )
