"""A shard: the part of a board that one run handles, so that several machines or accounts share the board.

In: a take's id. Out: whether it belongs to the shard. The hash of the id alone decides, so an edit of the board moves
no take to another shard.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

MOST_SHARDS = 1000
_FORM = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of` parts, both from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder(self) -> str:
        """The shard's word in the names of folders."""
        return f"shard-{self.number}-of-{self.of}"

    def holds(self, take_id: str) -> bool:
        """Return whether the take with this id belongs to the shard."""
        digest = hashlib.sha256(take_id.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1


def shard_of(text: str) -> Shard:
    """Return the shard that `text` means, such as `2/5`.

    Raises:
        ValueError: it is not two whole numbers, the first of them at most the second, which is at most 1,000.
    """
    found = _FORM.fullmatch(text)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of <= MOST_SHARDS:
        raise ValueError(f"a shard is written as 2/5, with at most {MOST_SHARDS:,} of them")
    return Shard(number, of)
