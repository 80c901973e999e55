"""A token that can be told from anything else, and the search for it in every byte that a run wrote or printed.

In: a folder or bytes. Out: where the token was found and in which encoding. A token that leaks seldom leaks as it
is: it may stand in a URL, in JSON inside JSON, in a header dump or in a base64 of something larger.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

CANARY = 'canary~7Q+z/Yp=&<x>"%\\9tK.end'
"""Printable and legal in a header, with characters that each encoding writes in its own way."""


def _inside_base64(text: bytes, shift: int) -> bytes:
    """Return what base64 makes of `text` after `shift` unknown bytes, without the characters that neighbours change."""
    coded = base64.b64encode(b"\0" * shift + text)
    return coded[{0: 0, 1: 2, 2: 3}[shift] : len(coded) - len(coded) % 4 - 4]


def encodings(token: str = CANARY) -> Mapping[str, bytes]:
    """Return by name the forms in which `token` may appear."""
    raw = token.encode()
    shifted = {f"base64 after {shift}": _inside_base64(raw, shift) for shift in range(3)}
    return {
        "plain": raw,
        "utf-16": token.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": quote(token, safe="").encode(),
        "url plus": quote_plus(token).encode(),
        "json": json.dumps(token)[1:-1].encode(),
        "json in json": json.dumps(json.dumps(token)[1:-1])[1:-1].encode(),
        "html": html.escape(token).encode(),
        "url, lower case": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "url twice": quote(quote(token, safe=""), safe="").encode(),
        "json escapes": "".join(f"\\u{byte:04x}" for byte in raw).encode(),
        "JSON escapes": "".join(f"\\u{byte:04X}" for byte in raw).encode(),
        "html numbers": "".join(f"&#{byte};" for byte in raw).encode(),
        "html hex": "".join(f"&#x{byte:x};" for byte in raw).encode(),
        "repr": repr(token)[1:-1].encode(),
        "reversed": raw[::-1],
        **shifted,
        **{
            f"url-safe {name}": coded.translate(bytes.maketrans(b"+/", b"-_"))
            for name, coded in shifted.items()
        },
    }


_FORMS = encodings()


def forms_in(data: bytes) -> list[str]:
    """Return the names of the encodings in which the canary stands in `data`."""
    return [name for name, form in _FORMS.items() if form in data]


def search(folder: Path) -> list[str]:
    """Return one sentence for each file below `folder` that holds the canary, or has it in its name."""
    found = []
    for path in sorted(folder.rglob("*")):
        forms = forms_in(str(path).encode("utf-8", "surrogateescape"))
        if path.is_file() and not path.is_symlink():
            forms += forms_in(path.read_bytes())
        if forms:
            found.append(f"the token stands in {path.relative_to(folder)} ({', '.join(forms)})")
    return found
