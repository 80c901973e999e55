"""Tokens in the environment, and in a manifest: they are found before anything is sent, and only their place is named.

They are found whole, anywhere in the text or in a request body, and so is anything written as a bearer header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.domain.errors import Position, Problem
from runner.domain.shots import Take

TOKEN_VARIABLES = ("RUNCOMFY_TOKEN", "RUNCOMFY_API_TOKEN", "RUNCOMFY_API_KEY", "YOUR_API_TOKEN")
"""The variables in the order they are read; the last is spelled as the model pages print it."""

_SHORTEST = 8
_LONGEST_WORD = 15
_BEARER = re.compile(r"\bbearer\s+[A-Za-z0-9._~+/=-]{20,}", re.IGNORECASE)
_WHAT = "holds the API token, which would be sent and stored; take it out, and revoke it if others have read the file"
_LIKE = "looks like an API token, which would be sent and stored; take it out"


def leaks(text: str, file: str, takes: Iterable[Take], tokens: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for each place that holds one of `tokens`, or a bearer header."""
    found = False
    for at, length in _places(text, tokens):
        found = True
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        yield Problem(Position(file, line, column), "", _WHAT if length else _LIKE, is_secret=True)
    if found or not tokens:
        return
    # A template may have put the token together, or it was read from another file.
    spelled = [(token, json.dumps(token, ensure_ascii=False)[1:-1]) for token in tokens]
    for take in takes:
        texts = (take.body, take.notes, *take.tags)
        if any(form in each for forms in spelled for form in forms for each in texts):
            yield Problem(take.at, f"shot {take.shot_id}", f"an input {_WHAT}", is_secret=True)


def _places(text: str, tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where a token begins and its length; a length of 0 says that it only looks like one."""
    for token in tokens:
        at = text.find(token)
        while at >= 0:
            yield at, len(token)
            at = text.find(token, at + len(token))
    # A search that ignores case is slow, and a file of ten megabytes would take it a second.
    headers = _BEARER.finditer(text) if "bearer" in text.lower() else ()
    for header in headers:
        if not any(token in header[0] for token in tokens):
            yield header.start(), 0


def tokens_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tokens in the environment that can be distinguished from other words.

    A short one cannot, nor can one of letters alone.
    """
    # Only the last word counts, since people paste a token with “Bearer” before it.
    words = (environ.get(name, "").replace('"', " ").replace("'", " ").split() for name in TOKEN_VARIABLES)
    found = (said[-1] for said in words if said)
    is_long = (token for token in found if len(token) >= _SHORTEST)
    return tuple(
        dict.fromkeys(token for token in is_long if not token.isalpha() or len(token) > _LONGEST_WORD)
    )
