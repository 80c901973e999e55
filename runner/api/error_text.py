"""What a server says went wrong, as one sentence, whatever form its words have.

It reads the API's own fields, lists of field errors, problem details (RFC 9457), OAuth errors (RFC 6749, 5.2), plain
text and pages. It never raises for what a server sent, and it decides nothing.
"""

from __future__ import annotations

import html
import json
import re

from runner.api.json_fields import JsonObject

_LONGEST = 2000
_DEEPEST = 6
_MOST_ITEMS = 5
_PAGE_READ = 1 << 14
_PAGE_WORDS = 200
_HEADLINES = "error_message message error error_description title msg reason description"
_PARTICULARS = "detail errors details violations issues invalid_params invalid-params"
_INNER = "message msg detail error error_message error_description title reason description"
_PLACES = "loc field path param name pointer"
_UNSEEN = re.compile(r"<!--.*?(?:-->|$)|<(script|style|head)\b.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>?")
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml|h\d|p|pre|div|center|title)\b", re.IGNORECASE)


def error_text(record: JsonObject | None) -> str:
    """Return the server's own words in `record`, at most 2,000 characters; empty if there are none."""
    told = record or {}
    headline = next(filter(None, (_words(told.get(name)) for name in _HEADLINES.split())), "")
    particulars = next(filter(None, (_words(told.get(name)) for name in _PARTICULARS.split())), "")
    return particulars if headline == particulars else _joined(headline, particulars)


def page_text(body: bytes) -> str:
    """Return the words of a body that is not a JSON object: a page's title or its first words; empty for bytes."""
    try:
        text = body[:_PAGE_READ].decode("utf-8", "ignore" if len(body) > _PAGE_READ else "strict")
    except UnicodeDecodeError:
        return ""
    if _MARKUP.match(text):
        title = _TITLE.search(text)
        text = title[1] if title and title[1].strip() else _TAG.sub(" ", _UNSEEN.sub(" ", text))
        text = html.unescape(text)
    elif text.lstrip()[:1] in {"{", "["}:
        return ""
    words = " ".join(text.split())
    return words[:_PAGE_WORDS] + ("…" if len(words) > _PAGE_WORDS else "")


def _joined(where: str, text: str) -> str:
    return f"{where}: {text}"[:_LONGEST] if where and text else (where or text)[:_LONGEST]


def _words(value: object, depth: int = 0) -> str:
    """Return the sentence in a value that may be text, an object, or a list of field errors."""
    if isinstance(value, str):
        return value[:_LONGEST]
    if not value or depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        said = (_words(item, depth + 1) for item in value[:_MOST_ITEMS])
        return "; ".join(filter(None, said))[:_LONGEST]
    return _of_object(value, depth) if isinstance(value, dict) else ""


def _of_object(value: JsonObject, depth: int) -> str:
    inner = [value[name] for name in _INNER.split() if value.get(name)]
    if inner:
        where = next(filter(None, (_place(value.get(name)) for name in _PLACES.split())), "")
        return _joined(where, _words(inner[0], depth + 1))
    # It may map names of fields to lists of complaints.
    by_field = [
        _joined(name[:100], _words(told, depth + 1))
        for name, told in list(value.items())[:_MOST_ITEMS]
        if isinstance(told, list) and told and all(isinstance(each, str) for each in told[:_MOST_ITEMS])
    ]
    return ("; ".join(by_field) or json.dumps(value, ensure_ascii=False))[:_LONGEST]


def _place(value: object) -> str:
    """Return the field that an error is about: a name, or a path of names and numbers."""
    if isinstance(value, list):
        return ".".join(str(part)[:40] for part in value[:8])
    return value[:100] if isinstance(value, str) else ""
