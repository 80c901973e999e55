"""What a person should know about a cut before it is used: what was not chosen, not measured, or is missing.

In: a timeline. Out: sentences that are safe on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.domain.display import counted, listed, visible
from runner.domain.picks import Decision
from runner.timeline.slots import Slot, Timeline


def remarks_on(timeline: Timeline) -> tuple[str, ...]:
    """Return one sentence for each kind of thing; none for a cut of picked and measured clips."""
    return tuple(_remarks(timeline.slots))


def _remarks(slots: Sequence[Slot]) -> Iterator[str]:
    shots = [s for s in slots if s.active is not None]
    if waiting := [s.shot_id for s in shots if s.active and s.active.decision is not Decision.PICK]:
        yield f"{_shots(waiting)} not picked, so the newest whole clip plays: {listed(waiting)}"
    if rough := [s.shot_id for s in shots if s.active and not s.active.seconds]:
        yield f"{_shots(rough)} not measured, so the length is what was asked for: {listed(rough)}"
    gaps: dict[str, list[str]] = {}
    for slot in slots:
        if slot.active is None:
            gaps.setdefault(slot.why, []).append(slot.shot_id)
    for why, names in gaps.items():
        yield f"{counted(len(names), 'gap')} ({visible(why)}): {listed(names)}"
    guessed = [s.shot_id for s in slots if s.is_assumed and (s.active is None or not s.active.seconds)]
    if guessed:
        yield f"{_requests(guessed)} no duration, so 5 s are assumed: {listed(guessed)}"


def _shots(names: Sequence[str]) -> str:
    return f"{counted(len(names), 'shot')} {'is' if len(names) == 1 else 'are'}"


def _requests(names: Sequence[str]) -> str:
    return "1 shot names" if len(names) == 1 else f"{len(names):,} shots name"
