"""Tokens in a command line are refused before anything is parsed, and never shown.

In: words of a command line, the environment. Out: nothing, or an error that does not repeat the words. The shell keeps
a command line and every program on the machine can read it, so a token in it is not secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from runner.domain.errors import UsageError
from runner.domain.token_leaks import tokens_in

_FLAG = re.compile(
    r"--?(?:[a-z]+[-_])*(?:token|api[-_]?key|key|secret|pass|password|passwd|bearer|auth|authorization|credentials?)"
    r"(?:=.*)?",
    re.IGNORECASE | re.DOTALL,
)
_HEADER = re.compile(
    r"(?:-H|--header=?)?\s*[\"']?(?:authorization\s*[:=]|x-api-key\s*:|bearer\s+\S{8,}\s*$)", re.IGNORECASE
)
_ASSIGNED = re.compile(r"[A-Z_]*(?:TOKEN|API_KEY|SECRET)[A-Z_]*=.+", re.DOTALL)
_CHUNK = re.compile(r"[A-Za-z0-9_.~+/=-]{20,}")
_PLAIN = re.compile(r"[A-Za-z0-9_.~+=-]{20,}")
_KNOWN_BEGINNINGS = ("eyJ", "sk-", "sk_", "rc_", "rk_", "ghp_", "pat_")
_NUMBERED = re.compile(r"[0-9a-fA-F]{32,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LETTERS_A_CHANGE = 3
"""A random token changes between digits, small letters and capitals at least at every third character."""


def refuse_tokens(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refuse a command line that a token was written into.

    Raises:
        UsageError: a flag names a token, or a word is a header or contains the token of the environment.
    """
    known = tokens_in(environ)
    for word in words:
        if (
            names_secret(word)
            or _HEADER.match(word)
            or _ASSIGNED.fullmatch(word)
            or any(t in word for t in known)
        ):
            raise _refusal()


def refuse_token_as_file(path: Path | None) -> None:
    """Refuse a file name that looks like a token, unless such a file exists.

    Raises:
        UsageError: the name looks like a token.
    """
    if path is not None and looks_secret(str(path)) and not path.exists():
        raise _refusal()


def names_secret(flag: str) -> bool:
    """Return whether a flag is called as if its value were a token or a password."""
    return _FLAG.fullmatch(flag) is not None


def looks_secret(text: str) -> bool:
    """Return whether a word looks like a token: long, without spaces, and mixed as names never are."""
    if not _PLAIN.fullmatch(text):
        return False
    if text.startswith(_KNOWN_BEGINNINGS) or _NUMBERED.fullmatch(text):
        return True
    kinds = "".join(
        "d" if char.isdigit() else "u" if char.isupper() else "l" for char in text if char.isalnum()
    )
    changes = sum(1 for here, there in pairwise(kinds) if here != there)
    return "." not in text and len(set(kinds)) == 3 and changes * _LETTERS_A_CHANGE >= len(kinds)


def without_secrets(message: str) -> str:
    """Return a message about the command line without words that look like a token."""
    return _CHUNK.sub(lambda chunk: "***" if looks_secret(chunk[0]) else chunk[0], message)


def _refusal() -> UsageError:
    return UsageError(
        "the API token is not accepted on the command line: shells keep it, and other programs can read it",
        advice="if it was a real one, revoke it in your RunComfy profile; then export RUNCOMFY_TOKEN=… with a new one",
    )
