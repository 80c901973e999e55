"""Warns of takes that will probably look alike, because they share a body or a seed.

In: valid takes. Out: warnings, which stop nothing. It knows no model and no record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from runner.domain.errors import Problem, Severity
from runner.domain.shots import Take
from runner.plan.identity import repeated_id


def default_seed_warnings(takes: Iterable[Take], on_default: Collection[str]) -> list[Problem]:
    """Return a warning for each model whose default seed more than one take shares."""
    sharing = (take for take in takes if take.id in on_default and repeated_id(take.id) is None)
    return [
        _warning(
            group[0],
            f"model {model}",
            f"{len(group)} takes share the model's default seed {group[0].seed}; "
            "give them a `seed` of their own if they should differ by it",
        )
        for model, group in _grouped(sharing, lambda take: take.model).items()
        if len(group) > 1
    ]


def repeated_seed_warnings(takes: Iterable[Take]) -> list[Problem]:
    """Return a warning for each model that is asked to repeat takes although it has a seed."""
    repeats = (take for take in takes if take.seed is not None and repeated_id(take.id) is not None)
    warnings = []
    for model, group in _grouped(repeats, lambda take: take.model).items():
        first, count = group[0], "1 take repeats" if len(group) == 1 else f"{len(group):,} takes repeat"
        # One seed for each clip of the first take, in the notation of its file.
        wanted = 1 + sum(1 for take in group if repeated_id(take.id) == repeated_id(first.id))
        advice = f"write sweep: {{seed: {{random: {wanted}}}}}"
        if first.at.cell is not None:
            advice = f"write seed=random:{wanted} in the cell sweep, and nothing in a column seed,"
        same = f"{count} the seed of another, and {model} gives the same clip for the same seed"
        warnings.append(
            _warning(first, f"shot {first.shot_id}, repeat", f"{same}; {advice} for different clips")
        )
    return warnings


def duplicate_warnings(takes: Iterable[Take]) -> list[Problem]:
    """Return a warning for each group of takes that send the same body to the same model without being asked to.

    A take that `repeat` asks for is the same on purpose.
    """
    warnings = []
    for first, second, *others in _alike(takes):
        pair = f"{first.id} and {second.id}" + (f" and {len(others)} more" if others else "")
        message = f"takes {pair} send the same request; each is paid for"
        warnings.append(_warning(second, f"shot {second.shot_id}", message))
    return warnings


def paid_twice(takes: Iterable[Take], *, going: Collection[str], sent: Collection[str]) -> tuple[str, ...]:
    """Return which of the `going` takes pay again for a request that another one sends, or one of `sent` has sent."""
    again: list[str] = []
    for group in _alike(takes):
        waiting = [take.id for take in group if take.id in going]
        was_sent = any(take.id in sent and take.id not in going for take in group)
        again += waiting if was_sent else waiting[1:]
    return tuple(again)


def _alike(takes: Iterable[Take]) -> list[list[Take]]:
    own = (take for take in takes if repeated_id(take.id) is None)
    return [group for group in _grouped(own, lambda take: take.fingerprint).values() if len(group) > 1]


def _grouped(takes: Iterable[Take], key: Callable[[Take], str]) -> dict[str, list[Take]]:
    groups: dict[str, list[Take]] = {}
    for take in takes:
        groups.setdefault(key(take), []).append(take)
    return groups


def _warning(take: Take, subject: str, message: str) -> Problem:
    return Problem(take.at, subject, message, severity=Severity.WARNING)
