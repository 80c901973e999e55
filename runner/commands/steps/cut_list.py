"""The board as a cut: which clip of each shot plays, which others could, and why a shot has none.

In: a run, or a manifest that has not been run. Out: a `Timeline`. It reads the state file and the file of picks, and
opens no clip: lengths are those that a run has measured, or else those that were asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.find_run import find_run_to_read, read_header, read_takes
from runner.domain.clip_checks import FlagKind, Probe
from runner.domain.display import standing, sweep
from runner.domain.errors import FileMissing
from runner.domain.money import seconds_of
from runner.domain.picks import Decision, Pick, Picks
from runner.domain.prompts import prompt_of
from runner.domain.records import TakeRecord
from runner.domain.shots import Take
from runner.domain.states import DeliveryState, TakeState
from runner.plan.selection import ALL, Candidate, Choice, choose
from runner.store.picks_file import read_picks
from runner.system.canonical_json import JsonValue
from runner.timeline.lengths import USUAL_RATE, exact_rate
from runner.timeline.slots import Clip, Slot, Timeline

ASSUMED_SECONDS = 5.0
"""The length of a shot whose request names none."""

_NOT_WHOLE = frozenset({FlagKind.UNREADABLE, FlagKind.TRUNCATED})
_NO_PROBE = Probe()


def cut_list(
    target: Path,
    *,
    simulated: bool | None = None,
    schema_dirs: Sequence[Path] = (),
    choice: Choice = ALL,
    fps: float | None = None,
) -> Timeline:
    """Return the cut of a run, or of a manifest that has not been run: all gaps, of the planned lengths.

    Only shots that are in the manifest have a slot, in its order. The picked take plays, of several the first by
    number. Without a pick it is the newest whole clip that is not rejected, and
    a flagged one only if there is no other. `choice` leaves takes out, and so shots
    without any. The rate is `fps`, or the most common measured one, or 24.

    Raises:
        FileMissing: there is neither a run nor a manifest.
        ManifestInvalid: a manifest that has not been run has problems.
        UsageError: `choice` matches nothing.
        StateFileUnusable: the state file cannot be read.
    """
    try:
        place = find_run_to_read(target, simulated=simulated)
    except FileMissing:
        if not target.is_file():
            raise
        return _planned(target, schema_dirs=schema_dirs, choice=choice, fps=fps)
    header, takes = read_header(place), read_takes(place)
    stored = stored_clips(place, out=header.out)
    return recorded_cut(
        header.name,
        takes,
        read_picks(place.path),
        folder=place.path,
        choice=choice,
        fps=fps,
        is_here=None if stored is None else stored.has,
    )


def recorded_cut(
    name: str,
    takes: Iterable[TakeRecord],
    picks: Picks,
    *,
    folder: Path,
    choice: Choice = ALL,
    fps: float | None = None,
    is_here: Callable[[str], bool] | None = None,
) -> Timeline:
    """Return the cut of recorded takes, in the order of the record; clips are below `folder`.

    `is_here` says of a clip's path whether it is there; None looks in `folder`.

    Raises:
        UsageError: `choice` matches nothing.
    """
    wanted = [take for take in takes if take.position is not None or take.delivery is DeliveryState.DELIVERED]
    if not choice.is_all:
        chosen = frozenset(choose(wanted, choice, decisions=picks.decisions)[: choice.limit])
        wanted = [take for take in wanted if take.take_id in chosen]
    by_shot: dict[str, list[TakeRecord]] = {}
    for take in wanted:
        by_shot.setdefault(take.shot_id, []).append(take)
    said = _Said.of(picks)
    is_here = is_here or (lambda file: (folder / file).is_file())
    slots = tuple(
        _slot(shot, found, said, folder, is_here)
        for shot, found in by_shot.items()
        if any(take.position is not None for take in found)
    )
    return Timeline(name, _rate(slots, fps), slots)


def _planned(manifest: Path, *, schema_dirs: Sequence[Path], choice: Choice, fps: float | None) -> Timeline:
    from runner.commands.check import check

    plan = check(manifest, schema_dirs=schema_dirs, allow_private_media=True)
    takes: Iterable[Take] = plan.takes
    if not choice.is_all:
        known = [
            Candidate(take.id, take.shot_id, take.tags, TakeState.PENDING, DeliveryState.NONE)
            for take in plan.takes
        ]
        chosen = frozenset(choose(known, choice)[: choice.limit])
        takes = (take for take in plan.takes if take.id in chosen)
    first: dict[str, Take] = {}
    for take in takes:
        first.setdefault(take.shot_id, take)
    return Timeline(plan.manifest.name, _rate((), fps), tuple(map(_waiting, first.values())))


@dataclass(frozen=True, slots=True)
class _Said:
    """What people said of takes, by the takes' ids, gathered once for a whole board."""

    decisions: Mapping[str, Decision]
    comments: Mapping[str, Sequence[Pick]]

    @classmethod
    def of(cls, picks: Picks) -> _Said:
        comments: dict[str, list[Pick]] = {}
        for row in picks.rows:
            if row.note:
                comments.setdefault(row.take, []).append(row)
        return cls(picks.decisions, comments)

    def has_picked(self, take: TakeRecord) -> bool:
        return self.decisions.get(take.take_id) is Decision.PICK

    def has_rejected(self, take: TakeRecord) -> bool:
        return self.decisions.get(take.take_id) is Decision.REJECT


def _waiting(take: Take) -> Slot:
    planned, is_assumed = _asked(take.body)
    prompt = prompt_of(take.body)
    return Slot(take.shot_id, planned, why="not rendered yet", prompt=prompt, is_assumed=is_assumed)


def _slot(
    shot: str, takes: Sequence[TakeRecord], said: _Said, folder: Path, is_here: Callable[[str], bool]
) -> Slot:
    here = [
        take
        for take in takes
        if take.delivery is DeliveryState.DELIVERED and take.file is not None and is_here(take.file)
    ]
    playing = _playing(takes, here, said)
    first = playing or next(take for take in takes if take.position is not None)
    planned, is_assumed = _asked(first.body)
    clips = {take.take_id: _clip(take, said, folder) for take in here}
    return Slot(
        shot,
        planned,
        active=clips.pop(playing.take_id) if playing else None,
        others=tuple(clips.values()),
        why="" if playing else _why(takes, here, said),
        is_waiting=not playing and any(_is_waiting(take) for take in _blamed(takes, said)),
        prompt=prompt_of(first.body),
        is_assumed=is_assumed,
    )


def _playing(takes: Sequence[TakeRecord], here: Sequence[TakeRecord], said: _Said) -> TakeRecord | None:
    """Return the take whose clip plays: the first picked one, else the newest whole one, rather one without a flag."""
    if any(map(said.has_picked, takes)):
        # If a picked clip is not here, no other one takes its place: the choice is the user's.
        picked = filter(said.has_picked, here)
        return min(picked, key=lambda take: (take.number, take.take_id), default=None)
    free = [
        take
        for take in here
        if not said.has_rejected(take) and not any(flag.kind in _NOT_WHOLE for flag in take.flags)
    ]
    # A clip that left the manifest plays only if no other one can.
    return max(
        free,
        key=lambda take: (take.position is not None, not take.flags, take.finished_at or 0.0, take.number),
        default=None,
    )


def _why(takes: Sequence[TakeRecord], here: Sequence[TakeRecord], said: _Said) -> str:
    """Return why a shot has no clip, such as `failed: moderation; 2 takes pending`."""
    present = frozenset(take.take_id for take in here)
    blamed = _blamed(takes, said)
    if said.has_picked(blamed[0]):
        return f"the picked take {blamed[0].label} is not here: {_reason(blamed[0], present, said)}"
    reasons = Counter(_reason(take, present, said) for take in blamed)
    if len(reasons) == 1:
        return next(iter(reasons))
    return "; ".join(f"{reason} ({number})" if number > 1 else reason for reason, number in reasons.items())


def _blamed(takes: Sequence[TakeRecord], said: _Said) -> Sequence[TakeRecord]:
    """Return the takes that could fill the gap: the first picked one, or else all of the manifest."""
    picked = next(filter(said.has_picked, takes), None)
    return [picked] if picked else [take for take in takes if take.position is not None]


def _is_waiting(take: TakeRecord) -> bool:
    return take.state is TakeState.SUCCEEDED and take.delivery is not DeliveryState.DELIVERED


def _reason(take: TakeRecord, present: Collection[str], said: _Said) -> str:
    if take.take_id in present:
        return "rejected" if said.has_rejected(take) else "the clip is not whole"
    if take.delivery is DeliveryState.DELIVERED:
        return "the clip is gone"
    if _is_waiting(take):
        return "rendered, not fetched yet"
    failure = f": {take.failure}" if take.failure and take.state is TakeState.FAILED else ""
    return standing(take.state, take.delivery) + failure


def _clip(take: TakeRecord, said: _Said, folder: Path) -> Clip:
    probe = take.probe or _NO_PROBE
    assert take.file is not None
    about: dict[str, JsonValue] = {
        "prompt": prompt_of(take.body),
        "seed": take.seed,
        "model": take.model,
        "request_id": take.request_id,
        "fingerprint": take.fingerprint,
        "sha256": take.sha256,
        "sweep": [*sweep(take.point)],
        "tags": [*take.tags],
        "notes": take.notes,
        "flags": [f"{flag.kind}: {flag.text}" for flag in take.flags],
    }
    return Clip(
        take.take_id,
        take.label,
        folder / take.file,
        seconds=probe.seconds,
        fps=probe.fps,
        width=probe.width,
        height=probe.height,
        has_audio=None if probe.audio is None else bool(probe.audio),
        decision=said.decisions.get(take.take_id),
        comments=tuple(said.comments.get(take.take_id, ())),
        about=about,
    )


def _rate(slots: Sequence[Slot], fps: float | None) -> float:
    if fps is not None:
        return float(exact_rate(fps))
    rates = Counter(
        exact_rate(slot.active.fps) for slot in slots if slot.active is not None and slot.active.fps
    )
    # Of two that are as common, the faster one loses no frame.
    return float(max(rates, key=lambda rate: (rates[rate], rate))) if rates else USUAL_RATE


def _asked(body: str) -> tuple[float, bool]:
    """Return the length that a request asks for, in seconds, and whether it is only assumed."""
    seconds = seconds_of(json.loads(body).get("duration"))
    return (ASSUMED_SECONDS, True) if seconds is None else (seconds, False)
