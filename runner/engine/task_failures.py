"""Failures of several tasks as one exception, so that none is lost and the most useful one is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from runner.domain.errors import ShotrunnerError


def raise_first_failure(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Raise the first failure, a `ShotrunnerError` if there is one, with the others in its notes."""
    ended = [failure for task in tasks if not task.cancelled() and (failure := task.exception())]
    failures = [each for failure in ended for each in _each_of(failure)]
    failures.sort(key=lambda failure: not isinstance(failure, ShotrunnerError))
    for other in failures[1:]:
        failures[0].add_note(f"besides: {type(other).__name__}: {other}")
    if failures:
        raise failures[0]


def _each_of(failure: BaseException) -> Sequence[BaseException]:
    """Return the failures that a group of tasks raised, or the failure itself."""
    return failure.exceptions if isinstance(failure, BaseExceptionGroup) else (failure,)
