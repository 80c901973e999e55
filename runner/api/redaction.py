"""Takes the token out of what a server sends back, before anything of it is kept or shown.

A server may echo its request in an error, a header or a result; from there the token would reach the state file, the
reports and the screen. In: exchanges. Out: the same without the token, in any of the forms it is likely to be written.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import replace
from urllib.parse import quote

from runner.transport.exchange import Answer, Exchange
from runner.transport.secret import Secret

MASK = "***"
SHORTEST = 8


class Redactor:
    """Knows the forms of one token."""

    def __init__(self, token: Secret) -> None:
        # A form of a few letters would stand in every answer, and no real token is as short.
        forms = {form for form in _forms(token.reveal()) if len(form) >= SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)

    def cleaned(self, exchange: Exchange) -> Exchange:
        """Return `exchange` without the token."""
        if not isinstance(exchange, Answer):
            return replace(exchange, reason=self._masked(exchange.reason))
        body = exchange.body
        for form in self._forms:
            body = body.replace(form.encode(), MASK.encode())
        return exchange if body is exchange.body else replace(exchange, body=body)

    def _masked(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms(token: str) -> set[str]:
    """Return the token plain, in a URL, in JSON, in HTML, in hex, and in base64 at every alignment."""
    in_json = json.dumps(token)[1:-1]
    plain = {
        token,
        quote(token, safe=""),
        quote(token),
        in_json,
        in_json.replace("/", "\\/"),
        html.escape(token),
    }
    coded = {form for text in (token, f"Bearer {token}") for form in _base64_forms(text.encode())}
    return plain | coded | {token.encode().hex()}


def _base64_forms(data: bytes) -> set[str]:
    """Return what `data` looks like inside a longer base64 text: its first and last letters depend on neighbours."""
    forms = set()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        inner = coded[(0, 2, 3)[shift] : len(coded) - (1 if (shift + len(data)) % 3 else 0)]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms
