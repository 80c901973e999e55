"""Warns of takes that will probably look alike, because they share a body or a seed.

In: valid takes. Out: warnings, which stop nothing. It knows no model and no record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from runner.domain.errors import Problem, Severity
from runner.domain.shots import Take
from runner.plan.identity import repeated_id


def default_seed_warnings(takes: Iterable[Take], on_default: Collection[str]) -> list[Problem]:
    """Return a warning for each model whose default seed more than one take shares."""
    sharing: dict[str, list[Take]] = {}
    for take in takes:
        if take.id in on_default and repeated_id(take.id) is None:
            sharing.setdefault(take.model, []).append(take)
    return [
        _warning(
            group[0],
            f"model {model}",
            f"{len(group)} takes share the model's default seed {group[0].seed}; "
            "give them a `seed` of their own if they should differ by it",
        )
        for model, group in sharing.items()
        if len(group) > 1
    ]


def repeated_seed_warnings(takes: Iterable[Take]) -> list[Problem]:
    """Return a warning for each model that is asked to repeat takes although it has a seed."""
    repeats: dict[str, list[Take]] = {}
    for take in takes:
        if take.seed is not None and repeated_id(take.id) is not None:
            repeats.setdefault(take.model, []).append(take)
    return [
        _warning(
            group[0],
            f"shot {group[0].shot_id}, repeat",
            f"{_counted(len(group))} the seed of another, and {model} gives the same clip for the same seed; "
            f"{_advised(group)} for different clips",
        )
        for model, group in repeats.items()
    ]


def duplicate_warnings(takes: Iterable[Take]) -> list[Problem]:
    """Return a warning for each group of takes that send the same body to the same model without being asked to.

    A take that `repeat` asks for is the same on purpose.
    """
    return [_duplicates(group) for group in _alike(takes)]


def paid_twice(takes: Iterable[Take], *, going: Collection[str], sent: Collection[str]) -> tuple[str, ...]:
    """Return which of the `going` takes pay again for a request that another one sends, or one of `sent` has sent."""
    again: list[str] = []
    for group in _alike(takes):
        waiting = [take.id for take in group if take.id in going]
        was_sent = any(take.id in sent and take.id not in going for take in group)
        again += waiting if was_sent else waiting[1:]
    return tuple(again)


def _alike(takes: Iterable[Take]) -> list[list[Take]]:
    alike: dict[str, list[Take]] = {}
    for take in takes:
        if repeated_id(take.id) is None:
            alike.setdefault(take.fingerprint, []).append(take)
    return [group for group in alike.values() if len(group) > 1]


def _duplicates(group: list[Take]) -> Problem:
    first, second, *others = group
    more = f" and {len(others)} more" if others else ""
    return _warning(
        second,
        f"shot {second.shot_id}",
        f"takes {first.id} and {second.id}{more} send the same request; each is paid for",
    )


def _advised(repeats: Sequence[Take]) -> str:
    """Return how to ask for one seed per clip of the first take, in the notation of its file."""
    first = repeats[0]
    wanted = 1 + sum(1 for take in repeats if repeated_id(take.id) == repeated_id(first.id))
    if first.at.cell is not None:
        return f"write seed=random:{wanted} in the cell sweep, and nothing in a column seed,"
    return f"write sweep: {{seed: {{random: {wanted}}}}}"


def _counted(takes: int) -> str:
    return "1 take repeats" if takes == 1 else f"{takes:,} takes repeat"


def _warning(take: Take, subject: str, message: str) -> Problem:
    return Problem(take.at, subject, message, severity=Severity.WARNING)
