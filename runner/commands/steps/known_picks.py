"""What people decided about the takes of a run, as far as a command needs it."""

from __future__ import annotations

from dataclasses import dataclass

from runner.domain.errors import ShotrunnerError
from runner.domain.picks import NO_PICKS, Decision, Picks
from runner.plan.selection import UNDECIDED, Choice, Decisions
from runner.store.picks_file import read_picks, take_names
from runner.store.run_dir import RunDir


@dataclass(frozen=True, slots=True)
class ChoiceCounts:
    """How many shots have a picked take, of how many shots, and how many takes are rejected.

    `fault` says why the file of picks cannot be read; nothing else is known then.
    """

    picked: int = 0
    shots: int = 0
    rejected: int = 0
    fault: str = ""


def decisions_for(place: RunDir, choice: Choice) -> Decisions:
    """Return what was decided, by the takes' ids; the file is read only if the choice depends on it.

    Raises:
        PicksInvalid: a cell of the file cannot be read.
    """
    return read_picks(place.path).decisions if choice.needs_decisions else UNDECIDED


def choice_counts(place: RunDir) -> ChoiceCounts | None:
    """Return how far choosing has come, None before the first decision."""
    try:
        decisions = read_picks(place.path).decisions
    except ShotrunnerError as error:
        return ChoiceCounts(fault=error.message)
    if not decisions:
        return None
    shots = take_names(place.path).shots
    here = [takes for takes in shots.values() if not all(take.is_gone for take in takes)]
    picked = sum(any(decisions.get(take.take_id) is Decision.PICK for take in takes) for takes in here)
    return ChoiceCounts(picked, len(here), sum(said is Decision.REJECT for said in decisions.values()))


def picks_for_reports(place: RunDir) -> tuple[Picks, tuple[str, ...]]:
    """Return the picks for the reports of a run, and a remark if its file cannot be read: it must not end a run."""
    try:
        return read_picks(place.path), ()
    except ShotrunnerError as error:
        return NO_PICKS, (f"the reports have no picks: {error.message}",)
