"""Sorts the outcome of an exchange: accepted, refused, not sent or lost; a status or a failure.

It is pure. A submit that is not listed here counts as `LostContact`, because a job that may have been charged must
never be sent again by itself. `error_codes` holds what is known about the provider, with sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from runner.api import error_codes, json_fields
from runner.api.error_text import error_text, page_text
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.json_fields import JsonObject
from runner.api.submit_answer import Receipt, read_receipt, usable_id
from runner.domain.api_answers import (
    CancelAnswer,
    FailureKind,
    JobStatus,
    LookAnswer,
    RequestFailure,
    StatusReply,
    SubmitAnswer,
)
from runner.domain.body_diff import other_job
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    FailureClass,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
)
from runner.system.backoff import retry_after

LONGEST_RECORD = 1 << 20
"""A result record of at most this many bytes is kept word for word; of a larger one only what a reader may need."""

_BARRIERS: Mapping[SilenceKind, FailureKind] = {
    SilenceKind.CERTIFICATE: FailureKind.UNTRUSTED,
    SilenceKind.PROXY: FailureKind.PROXY,
}
_LONGEST_WORD = 100
_REPEATED_EVIDENCE = 4096

_JOB_PAGE = re.compile(r"/v1/requests/([^/?#]+)")

_HOPELESS = frozenset({SilenceKind.CERTIFICATE, SilenceKind.PROXY, SilenceKind.MISUSE})
"""Failures before the first byte that a second try cannot cure."""


def sort_submit(exchange: HttpOutcome, *, attempt: str, now: float, origin: str = "") -> SubmitAnswer:
    """Return what became of a paid POST to `origin`; without proof of anything else it is `LostContact`."""
    if isinstance(exchange, NoResponse):
        if exchange.milestone is SendStage.NOTHING_SENT:
            hopeless = exchange.kind in _HOPELESS
            return NotSent(attempt, exchange.reason, hopeless=hopeless, error=exchange.error)
        return LostContact(attempt, exchange.milestone.name.lower(), exchange.reason, error=exchange.error)
    if 200 <= exchange.status < 300:
        return _answered_submit(exchange, attempt, origin)
    said = f"the API answered {exchange.status}"
    if exchange.status in error_codes.REDIRECTS:
        # Following it would send the job a second time, or the token to another server.
        said += ", a redirect, which is not followed: the API base is almost surely wrong"
        return replace(_lost(exchange, attempt, said), hopeless=True)
    record = _record_of_refusal(exchange)
    words = page_text(exchange.body) if record is None else error_text(record)
    return _refused_submit(exchange, attempt, now) or _lost(exchange, attempt, _with_words(said, words))


def _answered_submit(answer: Answer, attempt: str, origin: str) -> SubmitAnswer:
    """Sort a 2xx: only a certain id is a receipt, and no id in a damaged body is certain."""
    receipt = read_receipt(answer.body, complete=answer.complete)
    record = receipt.record
    if receipt.request_id and not answer.packed:
        return Accepted(attempt, receipt.request_id, answer.status, _foreign_links(record, origin))
    code = json_fields.error_code(record)
    is_sure = answer.complete and not answer.packed and "request_id" not in (record or {})
    if is_sure and code in error_codes.BEFORE_ACCEPTANCE:
        reason = _reason(record, f"error {code}")
        if code in error_codes.ACCOUNT_CODES:
            return AccountTurnedAway(attempt, error_codes.ACCOUNT_CODES[code], reason, _short(answer))
        return Refused(attempt, FailureClass.INVALID_INPUT, reason, evidence=json_fields.excerpt(answer.body))
    how = f", packed as {answer.packed}," if answer.packed else ""
    return _lost(
        answer, attempt, f"the API answered {answer.status}{how} without a usable request id", receipt
    )


def _foreign_links(record: JsonObject | None, origin: str) -> tuple[str, ...]:
    """Return the remark about links that lead elsewhere: a request there would send the token there."""
    at_home = re.compile(rf"{re.escape(origin)}/|/(?![/\\])")
    links = {name: (record or {}).get(name) for name in error_codes.LINKS}
    foreign = [
        name for name, link in links.items() if isinstance(link, str) and not at_home.match(link or "/")
    ]
    if not foreign or not origin:
        return ()
    return (f"its answer names a {' and a '.join(foreign)} at another address, which is not followed",)


def _refused_submit(answer: Answer, attempt: str, now: float) -> SubmitAnswer | None:
    """Sort a non-2xx status that proves the job was not taken; return None if it proves nothing."""
    if answer.status not in error_codes.PROVES_NO_CHARGE:
        return None
    record = _record_of_refusal(answer)
    reason = _refusal(answer, record)
    # An id in the body changes nothing: many gateways give each refusal one for their log. If throttled takes were
    # held for it, an overnight run would stop.
    if account := _account_failure(answer, record):
        return AccountTurnedAway(attempt, account, reason, _short(answer))
    if answer.status in error_codes.LATER_STATUSES:
        wait = _wish(answer, now)
        later = now + (error_codes.PAUSE_WITHOUT_A_WISH if wait is None else wait)
        return RefusedForNow(attempt, reason, later, _short(answer))
    is_bad = answer.status in error_codes.BAD_INPUT_STATUSES
    return Refused(
        attempt,
        FailureClass.INVALID_INPUT if is_bad else FailureClass.REFUSED,
        reason,
        hopeless=answer.status in error_codes.CANNOT_STATUSES,
        evidence=json_fields.excerpt(answer.body),
    )


def _record_of_refusal(answer: Answer) -> JsonObject | None:
    """Return the record of a refusal; one larger than any refusal is not parsed."""
    return json_fields.parse_object(answer.body) if len(answer.body) <= LONGEST_RECORD else None


def _short(answer: Answer) -> str:
    """Return shorter evidence of an answer that may repeat for hours."""
    return json_fields.excerpt(answer.body, _REPEATED_EVIDENCE)


def _account_failure(answer: Answer, record: JsonObject | None) -> FailureClass | None:
    by_code = error_codes.ACCOUNT_CODES.get(json_fields.error_code(record))
    return by_code or error_codes.ACCOUNT_STATUSES.get(answer.status)


def _lost(answer: Answer, attempt: str, reason: str, receipt: Receipt | None = None) -> LostContact:
    """Return `LostContact`, since the job may have been taken, with what came back and the ids in it."""
    told = receipt or read_receipt(answer.body, complete=answer.complete)
    # RFC 9110, 10.2.2: `Location` names what was made.
    page = _JOB_PAGE.search(answer.headers.get("location", ""))
    located = unquote(page[1]) if page else ""
    ids = (told.request_id, *told.candidates, located if usable_id(located) else "")
    candidates = tuple(dict.fromkeys(filter(None, ids)))
    milestone = SendStage.ANSWERING.name.lower()
    return LostContact(attempt, milestone, reason, json_fields.excerpt(answer.body), candidates=candidates)


def _with_words(what: str, words: str) -> str:
    return f"{what}: {words}" if words else what


def sort_look(exchange: HttpOutcome, *, now: float, request_id: str = "") -> LookAnswer:
    """Return what a look at `request_id` found; an unknown word is reported and never counts as an end."""
    record = read_record(exchange, now=now)
    if isinstance(record, RequestFailure):
        return record
    if other := of_another(record, request_id):
        return other
    word = json_fields.status_word(record)
    if not word and not record.get("request_id"):
        return RequestFailure(FailureKind.TRANSIENT, "the status answer has no status")
    position, model = record.get("queue_position"), record.get("model_id")
    return StatusReply(
        error_codes.STATUS_WORDS.get(json_fields.folded(word), JobStatus.UNKNOWN),
        word or "no status word",
        position if isinstance(position, int) and not isinstance(position, bool) else None,
        model[:_LONGEST_WORD] if isinstance(model, str) else "",
    )


def of_another(record: JsonObject, request_id: str, model: str = "") -> RequestFailure | None:
    """Return a failure if the record says that it is about another job than `request_id`, else None."""
    told = other_job(record, request_id=request_id, model=model)[:_LONGEST_WORD] if request_id else ""
    reason = f"asked about {request_id}, the API reported another job: {told}"
    return RequestFailure(FailureKind.STRANGE, reason) if told else None


def sort_cancel(exchange: HttpOutcome, *, now: float) -> CancelAnswer | RequestFailure:
    """Return the API's own word on a cancel."""
    record = read_record(exchange, now=now)
    if isinstance(record, RequestFailure):
        return record
    outcome = record.get("outcome")
    return CancelAnswer(outcome[:_LONGEST_WORD] if isinstance(outcome, str) else "unknown")


def sort_probe(exchange: HttpOutcome, *, now: float) -> RequestFailure | None:
    """Return None if the service answers a free question, whatever the answer says."""
    found = read_record(exchange, now=now)
    if not isinstance(found, RequestFailure):
        return None
    if isinstance(exchange, NoResponse) or found.kind in {FailureKind.ACCOUNT, FailureKind.THROTTLED}:
        return found
    return None if exchange.status < 500 and exchange.status != 408 else found


def sort_barrier(exchange: HttpOutcome) -> RequestFailure | None:
    """Return why nothing gets through to the API before a person has done something; None if that is not so.

    It counts only where the API was never reached: a certificate is renewed, and a proxy set right, while a run waits.
    """
    if not isinstance(exchange, NoResponse) or exchange.kind not in _BARRIERS:
        return None
    kind = _BARRIERS[exchange.kind]
    return RequestFailure(kind, exchange.reason, evidence=exchange.error, advice=exchange.advice)


def read_record(exchange: HttpOutcome, *, now: float) -> JsonObject | RequestFailure:
    """Return the record of a read that was answered, else the failure."""
    if isinstance(exchange, NoResponse):
        return RequestFailure(
            FailureKind.TRANSIENT, exchange.reason, evidence=exchange.error, advice=exchange.advice
        )
    if exchange.passed is not None:
        size = f"{exchange.passed / (1 << 20):g} MiB"
        return RequestFailure(FailureKind.TOO_LARGE, f"the API's answer is larger than {size}")
    record = json_fields.parse_object(exchange.body) if exchange.complete else None
    code = json_fields.error_code(record)
    if record is not None and not code and 200 <= exchange.status < 300:
        return record
    reason, evidence = _refusal(exchange, record), _short(exchange)
    # A 404 may come from any gateway, even in JSON; only the API's own number says that an id is unknown.
    if code in error_codes.UNKNOWN_ID_CODES:
        return RequestFailure(FailureKind.MISSING, reason, evidence=evidence)
    if exchange.status in error_codes.LATER_STATUSES:
        return RequestFailure(FailureKind.THROTTLED, reason, _wish(exchange, now), evidence)
    if _account_failure(exchange, record):
        return RequestFailure(FailureKind.ACCOUNT, reason, evidence=evidence)
    return RequestFailure(FailureKind.TRANSIENT, reason, _wish(exchange, now), evidence)


def _wish(answer: Answer, now: float) -> float | None:
    return retry_after(answer.headers.get("retry-after"), now=now)


def _refusal(answer: Answer, record: JsonObject | None) -> str:
    """Return the server's words for an answer that is not a record, with what its status probably means."""
    page = page_text(answer.body) if record is None else ""
    if answer.packed and record is None:
        return f"HTTP {answer.status} with a body that is packed as {answer.packed}"
    if 200 <= answer.status < 300 and record is None:
        what = "is not a JSON object" if answer.complete else "broke off"
        return _with_words(f"HTTP {answer.status} with a body that {what}", page)
    said = _reason(record, _with_words(f"HTTP {answer.status}", page))
    is_about_account = json_fields.error_code(record) in error_codes.ACCOUNT_CODES
    return _with_words(said, "" if is_about_account else error_codes.WRONG_ADDRESS.get(answer.status, ""))


def _reason(record: JsonObject | None, otherwise: str) -> str:
    """Return the server's words with its error number, or what is known without them."""
    text, code = error_text(record), json_fields.error_code(record)
    if not text:
        return f"error {code}" if code else otherwise
    return f"{text} ({code})" if code else text
