"""Where a notice goes, as messages may show it: the address of a webhook or a service is a secret beyond its host.

In: values of `--notify`, and command lines. Out: the same without secrets. It opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

FLAG = "--notify"
PROGRAM = "cmd:"
LEFT_OUT = "…"
"""What stands for the rest of an address; no address holds it."""

# A login before the host is a secret as well.
_WEB = re.compile(
    r"(?P<scheme>https?)://(?:[^\s/?#'\"]*@)?"
    r"(?P<host>(?:\[[^\s\]]*\]|[^\s/?#'\":]*)(?::\d+(?![^\s/?#'\"]))?)(?P<rest>[^\s'\"]*)",
    re.IGNORECASE,
)


def shown_place(where: str) -> str:
    """Return a value of `--notify` without what may be a secret: of an address only the scheme and a web host stay."""
    if where.startswith(PROGRAM) or _WEB.match(where):
        return _WEB.sub(lambda found: _shortened(found), where)
    scheme, is_address, _ = where.partition("://")
    return f"{scheme}://{LEFT_OUT}" if is_address else where


def _shortened(found: re.Match[str]) -> str:
    return f"{found['scheme']}://{found['host']}" + (
        f"/{LEFT_OUT}" if found["rest"].strip("/") else found["rest"]
    )


def shown_words(words: Sequence[str]) -> list[str]:
    """Return a command line whose values of `--notify` hold no secret; all else stays."""
    return list(_shown(words))


def _shown(words: Sequence[str]) -> Iterator[str]:
    for before, word in pairwise(["", *words]):
        if before == FLAG:
            yield shown_place(word)
        elif word.startswith(f"{FLAG}="):
            yield f"{FLAG}={shown_place(word.removeprefix(f'{FLAG}='))}"
        else:
            yield word
