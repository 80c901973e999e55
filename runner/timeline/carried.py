"""What a form of a cut can carry, and what of a cut is lost in it, so that no editor misses it in silence.

In: a timeline and a form. Out: phrases for a person. Each form's abilities are one line of a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from runner.domain.display import counted
from runner.timeline.lengths import editing_rate, exact_rate
from runner.timeline.markers import MarkerKind, markers_of
from runner.timeline.slots import Timeline


class Form(StrEnum):
    """The forms in which a cut is written, by the words of the command line."""

    OTIO = "otio"
    OTIOZ = "otioz"
    EDL = "edl"
    FCPXML = "fcpxml"
    FCP7 = "fcp7"
    CSV = "csv"
    FFCONCAT = "ffconcat"


class Part(StrEnum):
    """What a cut has in it; the words are those of the list that is shown, in the singular."""

    GAPS = "gap"
    REASONS = "reason for a gap"
    ALTERNATIVES = "alternative"
    COMMENTS = "comment"
    FLAGS = "flag"
    METADATA = "metadata"
    SOUND = "sound"
    RATES = "rates"


_ALL = frozenset(Part)
_CARRIED: Mapping[Form, frozenset[Part]] = {
    Form.OTIO: _ALL,
    Form.OTIOZ: _ALL,
    Form.FCPXML: _ALL,
    Form.FCP7: frozenset({Part.GAPS, Part.COMMENTS, Part.FLAGS, Part.SOUND, Part.RATES}),
    Form.EDL: frozenset({Part.GAPS, Part.COMMENTS, Part.FLAGS, Part.SOUND}),
    Form.CSV: _ALL - {Part.SOUND},
    Form.FFCONCAT: frozenset({Part.SOUND}),
}
_COUNTED_AT_EDITING_RATES = frozenset({Form.EDL, Form.FCPXML, Form.FCP7})


def parts_of(timeline: Timeline) -> Mapping[Part, int]:
    """Return how often each part is in a cut; for `RATES` how many clips have another rate than the cut."""
    found: Counter[Part] = Counter()
    rate = exact_rate(timeline.fps)
    for slot in timeline.slots:
        kinds = Counter(marker.kind for marker in markers_of(slot))
        found[Part.COMMENTS] += kinds[MarkerKind.COMMENT]
        found[Part.FLAGS] += kinds[MarkerKind.FLAG]
        found[Part.GAPS] += slot.active is None
        found[Part.REASONS] += kinds[MarkerKind.GAP]
        if slot.active is not None:
            found[Part.ALTERNATIVES] += len(slot.others)
            found[Part.METADATA] += 1
            found[Part.SOUND] += bool(slot.active.has_audio)
            found[Part.RATES] += bool(slot.active.fps and exact_rate(slot.active.fps) != rate)
    return found


def lost_in(form: Form, timeline: Timeline) -> tuple[str, ...]:
    """Return what of a cut the form cannot carry, such as `36 alternatives`; empty if it carries all."""
    found = parts_of(timeline)
    return tuple(_phrase(part, found[part]) for part in Part if part not in _CARRIED[form] and found[part])


def remark_on_rate(form: Form, timeline: Timeline) -> str:
    """Return a sentence on how the form counts frames, if that needs one; else an empty text."""
    rate = exact_rate(timeline.fps)
    usual = editing_rate(timeline.fps) if form in _COUNTED_AT_EDITING_RATES else rate
    if usual != rate:
        return f"{form} has no rate of {float(rate):g} fps: its frames are counted at {float(usual):.6g}"
    if form is Form.EDL and rate.denominator != 1:
        counted_to = round(rate)
        return (
            f"an edl names no rate: import it at {float(rate):.5g} fps, non-drop;"
            f" its timecode counts {counted_to} frames to a second"
        )
    return ""


def _phrase(part: Part, number: int) -> str:
    match part:
        case Part.REASONS:
            return f"the {'reason' if number == 1 else 'reasons'} for {counted(number, 'gap')}"
        case Part.METADATA:
            return f"metadata of {counted(number, 'clip')}"
        case Part.SOUND:
            return f"the sound of {counted(number, 'clip')}"
        case Part.RATES:
            return f"the frame {'rate' if number == 1 else 'rates'} of {counted(number, 'clip')}"
        case _:
            return counted(number, part.value)
