"""A token that cannot be printed by accident, and where one stands in an environment.

Code that sends the token must call `reveal`. It knows no HTTP.
"""

from __future__ import annotations


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
