"""Sorts a result record: how the job ended, or that it has not.

The record alone decides, by the rules of `sort_record`. It is pure, and it knows no earlier answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from runner.api import error_codes, json_fields
from runner.api.classify import LONGEST_RECORD, of_another, read_record
from runner.api.error_text import error_text
from runner.api.exchange import Answer, HttpOutcome
from runner.api.json_fields import JsonObject
from runner.domain.api_answers import NotReady, RequestFailure, ResultAnswer
from runner.domain.output_links import OutputLinks, output_links
from runner.domain.states import Ended, FailureClass, TakeState

_KEPT_FIELDS = ("request_id", "model_id", "status", "output", "error", "cost", "created_at", "finished_at")
_LONGEST_FIELD = 1 << 14
"""Any other field of a large record is kept up to this many bytes, since a link may be anywhere."""
_LONGEST_ECHO = 1 << 18
"""How many bytes of a large record's `input` are kept, in whole fields: they show whose job an adopted one is."""

_LONGEST_REASON = 300
_LEFT_SHOWN = 3


def sort_result(
    exchange: HttpOutcome,
    *,
    now: float,
    request_id: str = "",
    model: str = "",
    sent: str = "",
    origin: str = "",
) -> ResultAnswer:
    """Return how the job ended by its result record, which alone decides; a record of another job never does.

    `sent` is the request body, and `origin` the API's own; links in `sent` and pages of `origin` are not outputs.
    """
    if isinstance(exchange, Answer) and exchange.complete:
        record = json_fields.parse_result(exchange.body)
        if json_fields.error_code(record) == error_codes.CODE_NOT_READY:
            return NotReady("not ready")
        if record is not None and 200 <= exchange.status < 300:
            # A failed job's record may carry an error number of its own: that is the job's end, not a failed read.
            ended = of_another(record, request_id, model) or sort_record(
                record, exchange.body, sent=sent, origin=origin
            )
            if ended is not None:
                return ended
    found = read_record(exchange, now=now)
    if isinstance(found, RequestFailure):
        return found
    word = json_fields.status_word(found)
    return NotReady(word or "no status word", is_known=json_fields.folded(word) in error_codes.STATUS_WORDS)


def sort_record(record: JsonObject, body: bytes, *, sent: str = "", origin: str = "") -> Ended | None:
    """Return how a job ended by its record, None if the record does not say that it has.

    A link to an output outweighs every word except one that says that the job continues. In a record about a job an
    error outweighs a missing or unknown word.
    """
    word = json_fields.status_word(record)
    outcome = error_codes.RESULT_WORDS.get(json_fields.folded(word))
    if outcome is None and json_fields.folded(word) in error_codes.STATUS_WORDS:
        return None
    is_well = outcome is TakeState.SUCCEEDED
    links = output_links(record, sent=sent, origin=origin, only_sure=not is_well)
    said = error_text({"error": record.get("error")})
    is_about_a_job = bool(word or record.get("request_id")) and not json_fields.error_code(record)
    failure, reason = None, ""
    if links.taken:
        outcome = TakeState.SUCCEEDED
    elif is_well:
        outcome, failure, reason = TakeState.FAILED, FailureClass.NO_OUTPUT, _no_output(record, said, links)
    elif outcome is TakeState.FAILED or (outcome is None and is_about_a_job and said):
        outcome, (failure, reason) = TakeState.FAILED, _failure(word, said)
    elif outcome is None:
        return None
    else:
        reason = said
    cost, seconds = json_fields.cost(record), json_fields.job_seconds(record)
    remarks = tuple(_remarks(links, record, word, said))
    return Ended(outcome, _kept(record, body), links.urls, failure, reason, cost, seconds, remarks)


def _no_output(record: JsonObject, said: str, links: OutputLinks) -> str:
    what = "an output this program cannot read" if record.get("output") or links.doubtful else "no output"
    reason = said or f"the API says it succeeded but names {what}"
    return "; ".join((reason, *map(str, links.doubtful[:_LEFT_SHOWN])))


def _failure(word: str, said: str) -> tuple[FailureClass, str]:
    lowered = f"{word} {said}".lower()
    is_moderation = any(part in lowered for part in error_codes.MODERATION_WORDS)
    called = "" if json_fields.folded(word) in {"failed", "error"} else f"calls it {word!r} and "
    failure = FailureClass.MODERATION if is_moderation else FailureClass.PROVIDER_FAILED
    return failure, said or f"the API {called}gives no reason"


def read_again(result: str | None, *, sent: str, origin: str) -> Ended | None:
    """Return how a job ended by its kept record, which an older program may have read in another way."""
    body = (result or "").encode("utf-8", "replace")
    record = json_fields.parse_result(body)
    return None if record is None else sort_record(record, body, sent=sent, origin=origin)


def _remarks(links: OutputLinks, record: JsonObject, word: str, said: str) -> Iterator[str]:
    """Yield the words for what in the record could not be taken literally."""
    plain = json_fields.folded(word)
    is_well = error_codes.RESULT_WORDS.get(plain) is TakeState.SUCCEEDED
    if links.taken and (plain in error_codes.PARTIAL_WORDS or not is_well):
        called = f"the API calls it {word!r}" if word else "the API has no word for its end"
        more = f" ({said[:_LONGEST_REASON]})" if said else ""
        yield f"{called}{more}; its record names an output, which is fetched"
    if links.only:
        yield f"its result names only what seems to be {links.only}, which is fetched: check whether it is the clip"
    if links.beyond:
        total = len(links.taken) + links.beyond
        yield f"its result names {total} outputs, of which the first {len(links.taken)} are fetched"
    # If it says that it succeeded and names nothing else, these are already the reason of its failure.
    if links.lost and (links.taken or not is_well):
        told = "; ".join(str(left) for left in links.lost[:_LEFT_SHOWN])
        yield f"its result names {len(links.lost)}{' more' if links.taken else ''} that cannot be fetched: {told}"
    if odd := json_fields.odd_cost(record):
        yield f"its result says a cost of {odd}, which cannot be; the cost counts as unknown"


def _kept(record: JsonObject, body: bytes) -> str:
    """Return the text of a record to keep: all of it, or what matters of one that is too large."""
    if len(body) > LONGEST_RECORD:
        kept = {name: record[name] for name in _KEPT_FIELDS if name in record}
        echo = _echo(record.get("input"))
        others = {
            name: value
            for name, value in record.items()
            if name not in {"input", *kept} and len(json.dumps(value)) <= _LONGEST_FIELD
        }
        if len(json.dumps(others)) < LONGEST_RECORD - len(json.dumps([echo, kept])):
            kept |= others
        body = json.dumps({"input": echo, **kept} if echo else kept).encode()
    return body[:LONGEST_RECORD].decode("utf-8", "replace")


def _echo(told: object) -> JsonObject:
    """Return the plain fields of an echoed input that fit, each whole: a cut one would be false."""
    kept: JsonObject = {}
    room = _LONGEST_ECHO
    for name, value in told.items() if isinstance(told, dict) else ():
        size = len(json.dumps({name: value})) if isinstance(value, str | int | float) else room + 1
        if size <= room:
            kept[name] = value
            room -= size
    return kept
