"""Sorts what an exchange came to into our words: accepted, refused, not sent, lost; seen, trouble; ended, not yet.

Pure and total: every status, body and silence has an answer, and for a submit the answer to anything not listed is
`LostContact`, because a job that may have been charged must never be sent again by itself. What is known of the
provider, and from where, stands in `profile`.
"""

from __future__ import annotations

from dataclasses import replace

from runner.answers import (
    CancelAnswer,
    JobStatus,
    LookAnswer,
    NotYet,
    ResultAnswer,
    Seen,
    SubmitAnswer,
    Trouble,
    TroubleKind,
)
from runner.api import bodies, profile
from runner.api.bodies import JsonObject
from runner.pacing import retry_after
from runner.states import (
    Accepted,
    AccountTurnedAway,
    Ended,
    FailureClass,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    TakeState,
)
from runner.transport.exchange import Answer, Exchange, Milestone, Silence, SilenceKind

_LONGEST_WORD = 100
_HOPELESS = frozenset({SilenceKind.CERTIFICATE, SilenceKind.MISUSE})
"""Failures before the first byte that no second try can cure."""


def sort_submit(exchange: Exchange, *, attempt: str, now: float) -> SubmitAnswer:
    """Return what became of a paid POST; anything not proved otherwise is `LostContact`."""
    if isinstance(exchange, Silence):
        return _silent_submit(exchange, attempt)
    record = bodies.parse_object(exchange.body, unique_keys=True)
    if 200 <= exchange.status < 300:
        return _answered_submit(exchange, record, attempt)
    if exchange.status in profile.REDIRECTS:
        return _sent_elsewhere(exchange, attempt)
    return _refused_submit(exchange, record, attempt, now) or _lost(
        exchange, attempt, f"the API answered {exchange.status}"
    )


def _silent_submit(silence: Silence, attempt: str) -> SubmitAnswer:
    if silence.milestone is Milestone.NOTHING_SENT:
        return NotSent(attempt, silence.reason, hopeless=silence.kind in _HOPELESS)
    return LostContact(attempt, silence.milestone.name.lower(), silence.reason)


def _answered_submit(answer: Answer, record: JsonObject | None, attempt: str) -> SubmitAnswer:
    """Sort a 2xx: only a whole body with a usable id is a receipt."""
    found = bodies.request_id(record) if record is not None else None
    if found is not None and answer.complete:
        return Accepted(attempt, found, answer.status)
    code = bodies.error_code(record)
    known = code is not None and code in profile.BEFORE_ACCEPTANCE
    if record is not None and code is not None and known and "request_id" not in record and answer.complete:
        return _refused_by_code(code, record, attempt)
    return _lost(answer, attempt, f"the API answered {answer.status} without a usable request id")


def _refused_by_code(code: int, record: JsonObject, attempt: str) -> SubmitAnswer:
    reason = _reason(record, f"error {code}")
    if code in profile.ACCOUNT_CODES:
        return AccountTurnedAway(attempt, profile.ACCOUNT_CODES[code], reason)
    return Refused(attempt, FailureClass.INVALID_INPUT, reason)


def _refused_submit(
    answer: Answer, record: JsonObject | None, attempt: str, now: float
) -> SubmitAnswer | None:
    """Sort a non-2xx status that proves the job was not taken; None where it proves nothing."""
    if answer.status not in profile.PROVES_NO_CHARGE:
        return None
    reason = _reason(record, f"HTTP {answer.status}")
    account = _account_failure(answer, record)
    if account is not None:
        return AccountTurnedAway(attempt, account, reason)
    if answer.status in profile.LATER_STATUSES:
        wait = _wish(answer, now)
        return RefusedForNow(attempt, reason, now + (profile.PAUSE_WITHOUT_A_WISH if wait is None else wait))
    if answer.status in profile.BAD_INPUT_STATUSES:
        return Refused(attempt, FailureClass.INVALID_INPUT, reason)
    return Refused(attempt, FailureClass.REFUSED, reason, hopeless=answer.status in profile.CANNOT_STATUSES)


def _sent_elsewhere(answer: Answer, attempt: str) -> LostContact:
    """Sort a redirect: to follow it would be to send the job a second time, or the token to somebody else."""
    reason = f"the API answered {answer.status}, a redirect, which is not followed: the API base is almost surely wrong"
    return replace(_lost(answer, attempt, reason), hopeless=True)


def _account_failure(answer: Answer, record: JsonObject | None) -> FailureClass | None:
    code = bodies.error_code(record)
    if code is not None and code in profile.ACCOUNT_CODES:
        return profile.ACCOUNT_CODES[code]
    return profile.ACCOUNT_STATUSES.get(answer.status)


def _lost(answer: Answer, attempt: str, reason: str) -> LostContact:
    return LostContact(attempt, Milestone.ANSWERING.name.lower(), reason, bodies.excerpt(answer.body))


def sort_look(exchange: Exchange, *, now: float) -> LookAnswer:
    """Return what a look found; an unknown word is said, never taken for an end."""
    record, trouble = read_record(exchange, now=now)
    if record is None:
        return trouble
    word = record.get("status")
    if not isinstance(word, str):
        return Trouble(TroubleKind.TRANSIENT, "the status answer has no status")
    position = record.get("queue_position")
    return Seen(
        profile.STATUS_WORDS.get(word.lower(), JobStatus.UNKNOWN),
        word[:_LONGEST_WORD],
        position if isinstance(position, int) and not isinstance(position, bool) else None,
    )


def sort_result(exchange: Exchange, *, now: float) -> ResultAnswer:
    """Return how the job ended by its result record, which alone decides."""
    if isinstance(exchange, Answer) and exchange.complete:
        record = bodies.parse_object(exchange.body)
        if bodies.error_code(record) == profile.CODE_NOT_READY:
            return NotYet("not ready")
        outcome = _outcome(record) if 200 <= exchange.status < 300 else None
        # A failed job's record may carry an error number of its own: that is the job's end and no trouble of ours.
        if record is not None and outcome is not None:
            return _ended(outcome, record, exchange.body.decode("utf-8", "replace"))
    found, trouble = read_record(exchange, now=now)
    return trouble if found is None else NotYet(str(found.get("status"))[:_LONGEST_WORD])


def _outcome(record: JsonObject | None) -> TakeState | None:
    word = (record or {}).get("status")
    return profile.RESULT_WORDS.get(word.lower()) if isinstance(word, str) else None


def _ended(outcome: TakeState, record: JsonObject, text: str) -> Ended:
    reason = bodies.error_text({"error": record.get("error")})
    links = bodies.output_links(record)
    failure = None
    # A record with a link is a clip that was paid for, whatever else it says.
    if outcome is TakeState.SUCCEEDED and not links:
        outcome, failure = TakeState.FAILED, FailureClass.NO_OUTPUT
        reason = reason or "the API says it succeeded but names no output"
    elif outcome is TakeState.FAILED:
        failure = _failure_class(reason)
        reason = reason or "the API gives no reason"
    return Ended(
        outcome, text, links, failure, reason, cost=bodies.cost(record), seconds=bodies.job_seconds(record)
    )


def _failure_class(reason: str) -> FailureClass:
    lowered = reason.lower()
    if any(word in lowered for word in profile.MODERATION_WORDS):
        return FailureClass.MODERATION
    return FailureClass.PROVIDER_FAILED


def sort_cancel(exchange: Exchange, *, now: float) -> CancelAnswer | Trouble:
    """Return the API's own word on a cancel."""
    record, trouble = read_record(exchange, now=now)
    if record is None:
        return trouble
    outcome = record.get("outcome")
    return CancelAnswer(outcome[:_LONGEST_WORD] if isinstance(outcome, str) else "unknown")


def sort_probe(exchange: Exchange, *, now: float) -> Trouble | None:
    """Return None if the service answers a free question, whatever it says of the thing asked about."""
    found, trouble = read_record(exchange, now=now)
    if found is not None:
        return None
    if isinstance(exchange, Silence) or trouble.kind in {TroubleKind.ACCOUNT, TroubleKind.THROTTLED}:
        return trouble
    return None if exchange.status < 500 and exchange.status != 408 else trouble


_NO_TROUBLE = Trouble(TroubleKind.TRANSIENT, "")


def read_record(exchange: Exchange, *, now: float) -> tuple[JsonObject | None, Trouble]:
    """Return the record of a read that was answered, else None and what kept it from us."""
    if isinstance(exchange, Silence):
        return None, Trouble(TroubleKind.TRANSIENT, exchange.reason)
    record = bodies.parse_object(exchange.body) if exchange.complete else None
    code = bodies.error_code(record)
    if record is not None and code is None and 200 <= exchange.status < 300:
        return record, _NO_TROUBLE
    return None, _trouble(exchange, record, code, now)


def _trouble(answer: Answer, record: JsonObject | None, code: int | None, now: float) -> Trouble:
    reason = _reason(record, f"HTTP {answer.status}")
    # A bare or HTML 404 may come from anything in between; only the API's own word says that an id is unknown.
    unknown = record is not None and answer.status in {404, 410}
    if unknown or code in profile.UNKNOWN_ID_CODES:
        return Trouble(TroubleKind.MISSING, reason)
    if answer.status in profile.LATER_STATUSES:
        return Trouble(TroubleKind.THROTTLED, reason, _wish(answer, now))
    if _account_failure(answer, record) is not None:
        return Trouble(TroubleKind.ACCOUNT, reason)
    return Trouble(TroubleKind.TRANSIENT, reason, _wish(answer, now))


def _wish(answer: Answer, now: float) -> float | None:
    return retry_after(answer.headers.get("retry-after"), now=now)


def _reason(record: JsonObject | None, otherwise: str) -> str:
    """Return the server's words with its number, or what we know without them."""
    text, code = bodies.error_text(record), bodies.error_code(record)
    if not text:
        return f"error {code}" if code is not None else otherwise
    return f"{text} ({code})" if code is not None else text
