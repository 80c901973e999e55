"""Which take a job's record belongs to: a person adopts a job, and its own record may contradict that."""

from __future__ import annotations

from collections.abc import Iterable

from runner.domain.api_answers import FailureKind, RequestFailure, ResultAnswer
from runner.domain.body_diff import contradiction
from runner.domain.shots import Ticket
from runner.domain.states import AdoptionUndone, Ended
from runner.system.canonical_json import parsed_json

ITS_RECORD = "its record"
"""The name on record where a job's own record undoes an adoption."""


def disowned(ticket: Ticket, ended: Ended) -> AdoptionUndone | None:
    """Return the fact that undoes an adoption, if the job's record shows that the job is another take's."""
    if not ticket.adopted or ticket.request_id is None:
        return None
    told = contradiction(ticket.model, ticket.body, ended.result, request_id=ticket.request_id)
    reason = f"request {ticket.request_id} was adopted and is another job: its {told}"
    return AdoptionUndone(ticket.request_id, ITS_RECORD, reason) if told else None


def unless_of_another(answer: ResultAnswer, *, request_id: str, others: Iterable[str | None]) -> ResultAnswer:
    """Return `answer`, or a failure if its record names one of `others`, the request ids of other takes.

    An id in other letter case counts as the same one, unless another job has exactly that id. A service that ignores
    case may answer with one job for two ids.
    """
    record = parsed_json(answer.result) if isinstance(answer, Ended) else None
    told = record.get("request_id") if isinstance(record, dict) else None
    if not isinstance(told, str) or told.strip() == request_id or told.strip() not in others:
        return answer
    reason = f"asked about {request_id}, the API reported another take's job: {told}"
    return RequestFailure(FailureKind.STRANGE, reason)
