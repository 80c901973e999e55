"""A token that cannot be printed by accident.

It knows nothing of HTTP; whoever sends the token must ask for it by name.
"""

from __future__ import annotations


class Secret:
    """Holds a value whose `repr` and `str` are a mask; only `reveal` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself: for the `Authorization` header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
