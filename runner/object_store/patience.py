"""How long a store may be away, and when it is asked again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from runner.domain.errors import StoreAway
from runner.system.backoff import Backoff, Chance

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Calls are repeated for `seconds` after the first failure that may pass; the rest are seams for tests."""

    seconds: float = 60.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    chance: Chance = random.random
    backoff: Backoff = field(default_factory=partial(Backoff, base=0.4, cap=10.0))

    def repeat(self, call: Callable[[], T]) -> T:
        """Return what `call` returns; raise its last `StoreAway` once patience ends, and other errors at once."""
        ends_at: float | None = None
        failures = 0
        while True:
            try:
                return call()
            except StoreAway:
                now, failures = self.monotonic(), failures + 1
                ends_at = now + self.seconds if ends_at is None else ends_at
                wait = self.backoff.delay(failures, chance=self.chance())
                if now + wait >= ends_at:
                    raise
            self.sleep(wait)
