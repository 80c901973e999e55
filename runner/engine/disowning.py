"""Whose job a record is of: an adoption is a person's word, which the job's own record may contradict.

In: the ticket of an adopted take and how its job ended. Out: the fact that takes the adoption back, where the record
tells of another job. It asks nothing and records nothing.
"""

from __future__ import annotations

from runner.differences import contradiction
from runner.shots import Ticket
from runner.states import AdoptionUndone, Ended

ITS_RECORD = "its record"
"""Who takes an adoption back where no person does."""


def disowned(ticket: Ticket, ended: Ended) -> AdoptionUndone | None:
    """Return the fact that the job adopted for a take is another's, if its record says so."""
    if not ticket.adopted or ticket.request_id is None:
        return None
    told = contradiction(ticket.model, ticket.body, ended.result, request_id=ticket.request_id)
    reason = f"request {ticket.request_id} was adopted and is another job: its {told}"
    return AdoptionUndone(ticket.request_id, ITS_RECORD, reason) if told else None
