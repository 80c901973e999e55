"""Says when takes will probably look alike: the same body paid twice, or many on one default seed.

In: valid takes. Out: warnings, which stop nothing. It knows no model and no record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runner.errors import Problem, Severity
from runner.shots import Take


def default_seed_warnings(takes: Iterable[Take], on_default: Collection[str]) -> list[Problem]:
    """Return a warning for each model whose default seed more than one take shares."""
    sharing: dict[str, list[Take]] = {}
    for take in takes:
        if take.id in on_default:
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


def duplicate_warnings(takes: Iterable[Take]) -> list[Problem]:
    """Return a warning for each group of takes that send the same body to the same model."""
    alike: dict[str, list[Take]] = {}
    for take in takes:
        alike.setdefault(take.fingerprint, []).append(take)
    return [_duplicates(group) for group in alike.values() if len(group) > 1]


def _duplicates(group: list[Take]) -> Problem:
    first, second, *others = group
    more = f" and {len(others)} more" if others else ""
    return _warning(
        second,
        f"shot {second.shot_id}",
        f"takes {first.id} and {second.id}{more} send the same request; each is paid for",
    )


def _warning(take: Take, subject: str, message: str) -> Problem:
    return Problem(take.at, subject, message, severity=Severity.WARNING)
