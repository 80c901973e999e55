"""How often takes may be submitted: a number of them in a length of time, such as 10/min."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.domain.errors import UsageError

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FORM = re.compile(r"([1-9][0-9]{0,5})/(s|min|h)")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` submissions in any `unit`, evenly spaced; the units are s, min and h."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Return the rate that a text such as 10/min means.

        Raises:
            UsageError: it is not such a text.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise UsageError(f"expected a rate such as 10/min, 2/s or 100/h, not {text!r}")
        return cls(int(found[1]), found[2])

    @property
    def spacing(self) -> float:
        """Seconds between two submissions."""
        return _SECONDS[self.unit] / self.count

    def __str__(self) -> str:
        return f"{self.count}/{self.unit}"
