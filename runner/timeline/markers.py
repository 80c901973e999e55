"""What a cut has to say at a place: why a clip is missing, what people noted, and what is odd about a clip.

In: a slot. Out: markers with their time in seconds from the slot's beginning. It knows no file format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from runner.timeline.lengths import seconds_of
from runner.timeline.slots import Clip, Slot


class MarkerKind(StrEnum):
    """What a marker is about."""

    GAP = "gap"
    COMMENT = "comment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Marker:
    """A text at a time; `at` is in seconds from the beginning of the slot, `who` wrote it, empty if the program did."""

    kind: MarkerKind
    text: str
    at: float = 0.0
    who: str = ""


def markers_of(slot: Slot) -> Iterator[Marker]:
    """Yield what is to be said of the clip that plays, or of the gap."""
    if slot.active is None:
        yield Marker(MarkerKind.GAP, ": ".join(filter(None, (slot.shot_id, slot.why))))
        return
    for phrase in flags_of(slot.active):
        yield Marker(MarkerKind.FLAG, phrase)
    for comment in slot.active.comments:
        # A comment may be about a longer render of the take, and an editor refuses a marker behind the clip's end.
        at = min(max(comment.at or 0.0, 0.0), seconds_of(slot))
        yield Marker(MarkerKind.COMMENT, comment.note, at, comment.who)


def flags_of(clip: Clip) -> tuple[str, ...]:
    """Return the flags of a clip as phrases."""
    found = clip.about.get("flags")
    return tuple(str(each) for each in found) if isinstance(found, list) else ()
