"""Makes the values of an axis that are not written out: ranges, steps, and seeds drawn from a name.

In: text or numbers as written. Out: texts, as if the user had listed them, or the reason why there are none. Nothing
here is random: a drawn seed is a piece of a hash, and a request for more seeds keeps the first ones. It knows no
axis and no shot.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal

from runner.domain.errors import Position
from runner.domain.shots import Text
from runner.manifest.problems import shown
from runner.manifest.size_limits import MORE_TAKES

SEEDS = 2**31
"""Drawn seeds are below this, because every known model accepts that range."""

# There are at most eighteen digits: int() of longer hostile text gets slow, and no API takes such a number.
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_RANGE = re.compile(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", re.ASCII)
# Decimals are a range only with a step, because 0.1-0.5 alone may be anything.
_STEPPED = re.compile(
    r"\s*(-?\d{1,18}(?:\.\d{1,9})?)\s*-\s*(-?\d{1,18}(?:\.\d{1,9})?)\s*:\s*(\d{1,18}(?:\.\d{1,9})?)\s*",
    re.ASCII,
)


def whole_number(text: str) -> int | None:
    """Return the whole number that `text` is, or None."""
    return int(text) if _WHOLE.fullmatch(text) else None


def range_values(text: str, at: Position, *, limit: int) -> list[Text] | str | None:
    """Return the values of `1000-1003` or `0-1:0.25`, the reason why it is not a range, or None for other text."""
    found = _STEPPED.fullmatch(text)
    step = Decimal(found[3]) if found else Decimal(1)
    found = found or _RANGE.fullmatch(text)
    if found is None:
        return None
    first, last = Decimal(found[1]), Decimal(found[2])
    if last < first:
        return f"the range {shown(text)} ends before it begins"
    if not step:
        return f"the range {shown(text)} has a step of 0"
    # 10-12:30 is a time of day and not a range; the one value that it would give is not what was meant.
    if step > last - first > 0:
        return (
            f"the range {shown(text)} has a step that is larger than itself; quote it in a list if it is text"
        )
    steps = int((last - first) // step)
    if steps >= limit:
        return f"the range {shown(text)} has more than {limit:,} values; {MORE_TAKES}"
    return [Text(_plain(first + number * step), at) for number in range(steps + 1)]


def counted_values(start: int, *, count: int, step: int, at: Position) -> list[Text]:
    """Return `count` numbers from `start`, `step` apart."""
    return [Text(str(start + number * step), at) for number in range(count)]


def drawn_seeds(name: str, count: int, *, at: Position) -> list[Text]:
    """Return `count` distinct seeds, 0 … 2^31-1, from the SHA-256 of a number and `name`; a larger count keeps them."""
    seeds: dict[int, None] = {}
    number = 0
    while len(seeds) < count:
        digest = hashlib.sha256(f"{number}:{name}".encode("utf-8", "surrogatepass")).digest()
        seeds.setdefault(int.from_bytes(digest[:8], "big") % SEEDS)
        number += 1
    return [Text(str(seed), at) for seed in seeds]


def _plain(number: Decimal) -> str:
    """Return the shortest exact text of a number: 0.5 is the same text, and so the same take, whatever the step."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
