"""Reads the answer to a paid POST: the request id where it is certain, and what else might be the job's id.

An id is certain if a JSON object has one whole, usable `request_id` member at its top level, and no second, different
one. What follows cannot change it, so it counts in a body that broke off, too. A complete body must be JSON to its end
(RFC 8259). A server that writes NaN or half characters may have mangled the id as well. Nothing here raises.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from runner.api.json_fields import JsonObject, can_be_written

_USABLE = re.compile(r"(?!(?:.*[/\\])?\.{1,2}(?:[/\\]|$))[!-~]{1,256}")
_BLANK = re.compile(r"[ \t\r\n]*")
_ID_NAMES = frozenset({"id", "requestid", "jobid", "taskid", "predictionid", "generationid", "uuid"})
_MOST_PARTS = 500_000
_FIRST_PART = 1 << 20
"""How many bytes of a body with more parts are read: parsed in memory it would take a hundred times its size."""

_MOST_CANDIDATES = 5
_DEEPEST = 6


def usable_id(value: object) -> bool:
    """Return whether `value` can be a request id: 1 to 256 printable characters of ASCII without blanks.

    In a URL it is one percent-encoded path segment. An id that a server could read as a parent path is refused.
    """
    return isinstance(value, str) and _USABLE.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer says of the job: its certain `request_id` or an empty text, and other ids that it might have.

    `record` holds the top-level members that were read. It is None if the body is not a JSON object, was cut, or cannot
    be trusted.
    """

    request_id: str = ""
    candidates: tuple[str, ...] = ()
    record: JsonObject | None = None


@dataclass(slots=True)
class _Members:
    """The members of the top-level object that were read, in order.

    `whole` says that all was read, `cut` that the body ends before its object does, and `rest` is what was not read.
    """

    cut: bool
    found: list[tuple[str, Any]] = field(default_factory=list)
    whole: bool = False
    rest: str = ""


def read_receipt(body: bytes, *, complete: bool) -> Receipt:
    """Return the receipt in `body`; `complete` is false if the body broke off or passed the cap."""
    members = _members(body, complete=complete)
    record = dict(members.found)
    told = [value for name, value in members.found if name == "request_id"]
    # The part that could not be read must not hold another id.
    trusted = ("request_id" not in members.rest if members.cut else members.whole) and can_be_written(record)
    if trusted and told and usable_id(told[0]) and told.count(told[0]) == len(told):
        return Receipt(told[0], record=record if members.whole else None)
    candidates = tuple(dict.fromkeys([*_texts(told), *_ids_in(record)]))[:_MOST_CANDIDATES]
    readable = members.whole and len(told) < 2 and can_be_written(record)
    return Receipt(candidates=candidates, record=record if readable else None)


def _members(body: bytes, *, complete: bool) -> _Members:
    """Read the top-level members one by one until the object or the body ends."""
    beyond = b""
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_PARTS:
        body, beyond, complete = body[:_FIRST_PART], body[_FIRST_PART:], False
    members = _Members(cut=not complete)
    try:
        text = _decoded(body, complete=complete)
        if text[(at := _after_blanks(text, 0)) : at + 1] == "{":
            members.rest = text[_fill(members, text, at + 1) :] + beyond.decode("latin-1")
    except (ValueError, LookupError):
        return members
    return members


def _fill(members: _Members, text: str, at: int) -> int:
    """Read members from `at` on to the end of the object or to what cannot be read, and return that place."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    read, at = at, _after_blanks(text, at)
    try:
        while text[at : at + 1] != "}" or members.found:
            name, at = decoder.raw_decode(text, _past(text, at, '"') - 1)
            at = _past(text, _after_blanks(text, at), ":")
            value, at = decoder.raw_decode(text, _after_blanks(text, at))
            # A number at the very end may have been cut; a text or a list has its own end mark.
            if at < len(text) or not isinstance(value, int | float):
                members.found.append((name, value))
                read = at
            at = _after_blanks(text, at)
            if text[at : at + 1] == "}":
                break
            at = _after_blanks(text, _past(text, at, ","))
        members.whole = _after_blanks(text, at + 1) == len(text)
    except json.JSONDecodeError as failure:
        # A gateway that cuts an answer may give it a length that fits.
        members.cut = members.cut or failure.pos >= len(text) or failure.msg.startswith("Unterminated")
        return read
    except (ValueError, RecursionError):
        return read
    return len(text) if members.whole else at


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _past(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(mark, text, at)
    return at + 1


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _decoded(body: bytes, *, complete: bool) -> str:
    """Return the text of a JSON body, without half a character at the end of a cut one."""
    decoder = codecs.getincrementaldecoder(json.detect_encoding(body))("strict")
    return decoder.decode(body, complete)


def _ids_in(value: object, depth: int = 0) -> Iterator[str]:
    """Yield each value under a name that ids have, anywhere in a record."""
    if depth > _DEEPEST:
        return
    for name, held in value.items() if isinstance(value, dict) else ():
        if re.sub("[^a-z]", "", name.lower()) in _ID_NAMES:
            yield from _texts([held])
        yield from _ids_in(held, depth + 1)
    for held in value[:_MOST_CANDIDATES] if isinstance(value, list) else ():
        yield from _ids_in(held, depth + 1)


def _texts(values: list[Any]) -> Iterator[str]:
    """Yield the values that could be ids, numbers as text."""
    for value in values:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if usable_id(text):
            yield text
