"""Finds ids that lost their zeros in a spreadsheet, before a shot is paid for again under its new name.

In: a plan, the takes that would be sent, and the takes on record. Out: a warning or None. It knows no file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runner.domain.display import listed
from runner.domain.errors import Problem, Severity
from runner.domain.records import Standing
from runner.domain.shots import Plan


def lost_zeros(plan: Plan, sent: Collection[str], recorded: Iterable[Standing]) -> Problem | None:
    """Return a warning if a shot to send differs from one on record, and gone from the plan, by leading zeros alone."""
    if not sent:
        return None
    planned = {take.shot_id: take for take in plan.takes}
    gone = {take.shot_id for take in recorded if take.attempts and take.shot_id not in planned}
    before = {shot_id.lstrip("0"): shot_id for shot_id in gone if shot_id.startswith("0")}
    new = dict.fromkeys(take.shot_id for take in plan.takes if take.id in sent) if before else {}
    pairs = {shot_id: before[shot_id] for shot_id in new if shot_id in before}
    if not pairs:
        return None
    which = listed([f"{new} was {old}" for new, old in pairs.items()])
    otherwise = "write the ids as before, or these shots are paid for again"
    message = f"{which}: a spreadsheet drops zeros before a number; {otherwise}"
    return Problem(planned[next(iter(pairs))].at, "id", message, severity=Severity.WARNING)
