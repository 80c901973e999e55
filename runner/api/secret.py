"""A token that cannot be printed by accident, and where one stands in an environment.

Code that sends the token must call `reveal`. It knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping

TOKEN_VARIABLES = ("RUNCOMFY_TOKEN", "RUNCOMFY_API_TOKEN", "RUNCOMFY_API_KEY", "YOUR_API_TOKEN")
"""The variables in the order they are read; the last is spelled as the model pages print it."""

_SHORTEST = 8
_LONGEST_WORD = 15


def tokens_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tokens in the environment, as far as they can be distinguished from other words.

    A short one cannot, nor one of letters alone such as the simulator's.
    """
    # Only the last word counts, since people paste a token with “Bearer” before it.
    words = (environ.get(name, "").replace('"', " ").replace("'", " ").split() for name in TOKEN_VARIABLES)
    found = (said[-1] for said in words if said)
    return tuple(dict.fromkeys(token for token in found if not _is_a_word(token)))


def _is_a_word(token: str) -> bool:
    return len(token) < _SHORTEST or (token.isalpha() and len(token) <= _LONGEST_WORD)


class Secret:
    """Holds a value whose `repr` and `str` are a mask; only `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself: for the `Authorization` header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
