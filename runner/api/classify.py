"""Sorts the outcome of an exchange: accepted, refused, not sent or lost; a status or a failure.

In: an `HttpOutcome`. Out: one value for every status, body and silence. A submit that is not listed here counts as
`LostContact`, because a job that may have been charged must never be sent again by itself. It is pure; what is known of
the provider, with sources, stands in `error_codes`.
"""

from __future__ import annotations

import re
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

_LONGEST_WORD = 100
_REPEATED_EVIDENCE = 4096

_JOB_PAGE = re.compile(r"/v1/requests/([^/?#]+)")

_HOPELESS = frozenset({SilenceKind.CERTIFICATE, SilenceKind.MISUSE})
"""Failures before the first byte that a second try cannot cure."""


def sort_submit(exchange: HttpOutcome, *, attempt: str, now: float, origin: str = "") -> SubmitAnswer:
    """Return what became of a paid POST to `origin`; without proof of anything else it is `LostContact`."""
    if isinstance(exchange, NoResponse):
        return _silent_submit(exchange, attempt)
    if 200 <= exchange.status < 300:
        return _answered_submit(exchange, attempt, origin)
    if exchange.status in error_codes.REDIRECTS:
        return _sent_elsewhere(exchange, attempt)
    return _refused_submit(exchange, attempt, now) or _lost(
        exchange, attempt, _with_words(f"the API answered {exchange.status}", _words_of(exchange))
    )


def _silent_submit(silence: NoResponse, attempt: str) -> SubmitAnswer:
    if silence.milestone is SendStage.NOTHING_SENT:
        return NotSent(attempt, silence.reason, hopeless=silence.kind in _HOPELESS)
    return LostContact(attempt, silence.milestone.name.lower(), silence.reason)


def _answered_submit(answer: Answer, attempt: str, origin: str) -> SubmitAnswer:
    """Sort a 2xx: only a certain id is a receipt, and no id in a damaged body is certain."""
    receipt = read_receipt(answer.body, complete=answer.complete)
    record = receipt.record
    if receipt.request_id and not answer.packed:
        return Accepted(attempt, receipt.request_id, answer.status, _foreign_links(record, origin))
    code = json_fields.error_code(record)
    known = (
        code is not None and code in error_codes.BEFORE_ACCEPTANCE and answer.complete and not answer.packed
    )
    if record is not None and code is not None and known and "request_id" not in record:
        return _refused_by_code(answer, code, record, attempt)
    how = f", packed as {answer.packed}," if answer.packed else ""
    return _lost(
        answer, attempt, f"the API answered {answer.status}{how} without a usable request id", receipt
    )


def _foreign_links(record: JsonObject | None, origin: str) -> tuple[str, ...]:
    """Return the remark about links that lead elsewhere: a request there would send the token there."""
    links = {name: (record or {}).get(name) for name in error_codes.LINKS}
    foreign = [
        name for name, link in links.items() if isinstance(link, str) and link and not _is_at(link, origin)
    ]
    if not foreign or not origin:
        return ()
    return (f"its answer names a {' and a '.join(foreign)} at another address, which is not followed",)


def _is_at(link: str, origin: str) -> bool:
    """Return whether a link is below `origin`, or has no address of its own."""
    if link.startswith("/") and not link.startswith(("//", "/\\")):
        return True
    return link.startswith(f"{origin}/")


def _refused_by_code(answer: Answer, code: int, record: JsonObject, attempt: str) -> SubmitAnswer:
    reason = _reason(record, f"error {code}")
    if code in error_codes.ACCOUNT_CODES:
        return AccountTurnedAway(attempt, error_codes.ACCOUNT_CODES[code], reason, _short(answer))
    return Refused(attempt, FailureClass.INVALID_INPUT, reason, evidence=json_fields.excerpt(answer.body))


def _refused_submit(answer: Answer, attempt: str, now: float) -> SubmitAnswer | None:
    """Sort a non-2xx status that proves the job was not taken; return None if it proves nothing."""
    if answer.status not in error_codes.PROVES_NO_CHARGE:
        return None
    record = _record_of_refusal(answer)
    reason = _refusal(answer, record)
    account = _account_failure(answer, record)
    # An id in the body changes nothing: many gateways give each refusal one for their log. If throttled takes were
    # held for it, an overnight run would stop.
    if account is not None:
        return AccountTurnedAway(attempt, account, reason, _short(answer))
    if answer.status in error_codes.LATER_STATUSES:
        wait = _wish(answer, now)
        later = now + (error_codes.PAUSE_WITHOUT_A_WISH if wait is None else wait)
        return RefusedForNow(attempt, reason, later, _short(answer))
    evidence, hopeless = json_fields.excerpt(answer.body), answer.status in error_codes.CANNOT_STATUSES
    if answer.status in error_codes.BAD_INPUT_STATUSES:
        return Refused(attempt, FailureClass.INVALID_INPUT, reason, evidence=evidence)
    return Refused(attempt, FailureClass.REFUSED, reason, hopeless=hopeless, evidence=evidence)


def _record_of_refusal(answer: Answer) -> JsonObject | None:
    """Return the record of a refusal; one larger than any refusal is not parsed."""
    return json_fields.parse_object(answer.body) if len(answer.body) <= LONGEST_RECORD else None


def _short(answer: Answer) -> str:
    """Return shorter evidence of an answer that may repeat for hours."""
    return json_fields.excerpt(answer.body, _REPEATED_EVIDENCE)


def _sent_elsewhere(answer: Answer, attempt: str) -> LostContact:
    """Sort a redirect: following it would send the job a second time, or the token to another server."""
    reason = f"the API answered {answer.status}, a redirect, which is not followed: the API base is almost surely wrong"
    return replace(_lost(answer, attempt, reason), hopeless=True)


def _account_failure(answer: Answer, record: JsonObject | None) -> FailureClass | None:
    code = json_fields.error_code(record)
    if code is not None and code in error_codes.ACCOUNT_CODES:
        return error_codes.ACCOUNT_CODES[code]
    return error_codes.ACCOUNT_STATUSES.get(answer.status)


def _lost(answer: Answer, attempt: str, reason: str, receipt: Receipt | None = None) -> LostContact:
    """Return `LostContact`, since the job may have been taken, with what came back and the ids in it."""
    told = receipt or read_receipt(answer.body, complete=answer.complete)
    ids = (told.request_id, *told.candidates, _located(answer))
    candidates = tuple(dict.fromkeys(filter(None, ids)))
    milestone = SendStage.ANSWERING.name.lower()
    return LostContact(attempt, milestone, reason, json_fields.excerpt(answer.body), candidates=candidates)


def _located(answer: Answer) -> str:
    """Return the job's id from the `Location` of an answer (RFC 9110, 10.2.2), empty without one."""
    found = _JOB_PAGE.search(answer.headers.get("location", ""))
    named = unquote(found[1]) if found else ""
    return named if usable_id(named) else ""


def _with_words(what: str, words: str) -> str:
    return f"{what}: {words}" if words else what


def sort_look(exchange: HttpOutcome, *, now: float, request_id: str = "") -> LookAnswer:
    """Return what a look at `request_id` found; an unknown word is reported, never taken for an end."""
    record, trouble = read_record(exchange, now=now)
    if record is None:
        return trouble
    other = of_another(record, request_id)
    if other is not None:
        return other
    word = json_fields.status_word(record)
    if not word and not record.get("request_id"):
        return RequestFailure(FailureKind.TRANSIENT, "the status answer has no status")
    position = record.get("queue_position")
    return StatusReply(
        error_codes.STATUS_WORDS.get(json_fields.folded(word), JobStatus.UNKNOWN),
        word or "no status word",
        position if isinstance(position, int) and not isinstance(position, bool) else None,
        model[:_LONGEST_WORD] if isinstance(model := record.get("model_id"), str) else "",
    )


def of_another(record: JsonObject, request_id: str, model: str = "") -> RequestFailure | None:
    """Return a failure if the record says that it is about another job than `request_id`; None without that."""
    told = other_job(record, request_id=request_id, model=model) if request_id else ""
    if not told:
        return None
    return RequestFailure(
        FailureKind.STRANGE, f"asked about {request_id}, the API reported another job: {told[:_LONGEST_WORD]}"
    )


def sort_cancel(exchange: HttpOutcome, *, now: float) -> CancelAnswer | RequestFailure:
    """Return the API's own word on a cancel."""
    record, trouble = read_record(exchange, now=now)
    if record is None:
        return trouble
    outcome = record.get("outcome")
    return CancelAnswer(outcome[:_LONGEST_WORD] if isinstance(outcome, str) else "unknown")


def sort_probe(exchange: HttpOutcome, *, now: float) -> RequestFailure | None:
    """Return None if the service answers a free question, whatever the answer says."""
    found, trouble = read_record(exchange, now=now)
    if found is not None:
        return None
    if isinstance(exchange, NoResponse) or trouble.kind in {FailureKind.ACCOUNT, FailureKind.THROTTLED}:
        return trouble
    return None if exchange.status < 500 and exchange.status != 408 else trouble


_NO_TROUBLE = RequestFailure(FailureKind.TRANSIENT, "")


def read_record(exchange: HttpOutcome, *, now: float) -> tuple[JsonObject | None, RequestFailure]:
    """Return the record of a read that was answered, else None and the failure."""
    if isinstance(exchange, NoResponse):
        return None, RequestFailure(FailureKind.TRANSIENT, exchange.reason)
    if exchange.passed is not None:
        size = f"{exchange.passed / (1 << 20):g} MiB"
        return None, RequestFailure(FailureKind.TOO_LARGE, f"the API's answer is larger than {size}")
    record = json_fields.parse_object(exchange.body) if exchange.complete else None
    code = json_fields.error_code(record)
    if record is not None and code is None and 200 <= exchange.status < 300:
        return record, _NO_TROUBLE
    return None, _trouble(exchange, record, code, now)


def _trouble(answer: Answer, record: JsonObject | None, code: int | None, now: float) -> RequestFailure:
    reason, evidence = _refusal(answer, record), _short(answer)
    # A 404 may come from any gateway, even in JSON; only the API's own number says that an id is unknown.
    if code in error_codes.UNKNOWN_ID_CODES:
        return RequestFailure(FailureKind.MISSING, reason, evidence=evidence)
    if answer.status in error_codes.LATER_STATUSES:
        return RequestFailure(FailureKind.THROTTLED, reason, _wish(answer, now), evidence)
    if _account_failure(answer, record) is not None:
        return RequestFailure(FailureKind.ACCOUNT, reason, evidence=evidence)
    return RequestFailure(FailureKind.TRANSIENT, reason, _wish(answer, now), evidence)


def _wish(answer: Answer, now: float) -> float | None:
    return retry_after(answer.headers.get("retry-after"), now=now)


def _refusal(answer: Answer, record: JsonObject | None) -> str:
    """Return the server's words for an answer that is not a record, with what its status probably means."""
    if answer.packed and record is None:
        return f"HTTP {answer.status} with a body that is packed as {answer.packed}"
    if 200 <= answer.status < 300 and record is None:
        what = "a body that is not a JSON object" if answer.complete else "a body that broke off"
        return _with_words(f"HTTP {answer.status} with {what}", page_text(answer.body))
    page = page_text(answer.body) if record is None else ""
    said = _reason(record, _with_words(f"HTTP {answer.status}", page))
    meant = error_codes.WRONG_ADDRESS.get(answer.status)
    return (
        f"{said}: {meant}"
        if meant and json_fields.error_code(record) not in error_codes.ACCOUNT_CODES
        else said
    )


def _words_of(answer: Answer) -> str:
    """Return the server's words in an answer of any form."""
    record = _record_of_refusal(answer)
    return page_text(answer.body) if record is None else error_text(record)


def _reason(record: JsonObject | None, otherwise: str) -> str:
    """Return the server's words with its error number, or what is known without them."""
    text, code = error_text(record), json_fields.error_code(record)
    if not text:
        return f"error {code}" if code is not None else otherwise
    return f"{text} ({code})" if code is not None else text
