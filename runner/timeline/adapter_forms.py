"""The forms that OpenTimelineIO's adapters write: EDL (CMX 3600) and XML of Final Cut Pro 7, which Premiere reads.

In: a timeline, and how a clip's file is addressed. Out: text, of an EDL several, since editors stop at event 999. This
is the one door of the library, the `[timeline]` extra.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from runner.domain.errors import ExtraMissing
from runner.system.escapes import escaped
from runner.timeline.lengths import EDITING_RATES, editing_rate, exact_rate, first_frame, placed
from runner.timeline.otio_json import otio_text
from runner.timeline.slots import Clip, Slot, Timeline
from runner.timeline.targets import Target, file_url

MOST_EVENTS = 999
"""Events of one EDL: its numbers have three digits."""

MOST_REEL = 32
"""Letters of a reel name that editors keep; the eight of the old standard would make all takes of a shot alike."""

_KEPT = 23
"""Letters that a longer reel name keeps, before a mark of eight that no other name has."""

_STYLE = "nucoda"  # It writes the file's address as FROM FILE.
_PICTURE, _WITH_SOUND = " V     C ", " AA/V  C "


def edl_texts(timeline: Timeline, *, target: Target = file_url) -> tuple[str, ...]:
    """Return the EDL in parts of at most 999 events; record timecodes continue from part to part.

    Frames are counted at a rate that editors have, in whole numbers: at 23.976 the timecode counts to 24. A reel is the
    take's label, a gap is a hole in the record timecode, and a marker has its record timecode. A clip with sound is one
    event of picture and both channels. A cut without clips gives one part without events.

    Raises:
        ExtraMissing: OpenTimelineIO or its adapter is not installed.
    """
    library = _library("an edl", "cmx_3600")
    rate = editing_rate(timeline.fps)
    start = first_frame(timeline, rate)
    return tuple(
        _edl(library, replace(timeline, slots=slots), rate, target, start + before)
        for slots, before in _parts(timeline, rate)
    )


def fcp7_text(timeline: Timeline, *, target: Target = file_url) -> str:
    """Return the XML; frames are counted at a rate that editors have.

    Raises:
        ExtraMissing: OpenTimelineIO or its adapter is not installed.
    """
    library = _library("XML of Final Cut Pro 7", "fcp_xml")
    cut = _read(library, timeline, target, editing_rate(timeline.fps))
    cut.name = escaped(cut.name)
    for clip in cut.find_clips():
        extent = clip.media_reference.available_range
        # The adapter writes a timecode for each file, and timecodes exist for the rates of editors only.
        if exact_rate(extent.duration.rate) not in EDITING_RATES:
            rate = clip.source_range.duration.rate
            length = max(extent.duration.rescaled_to(rate).floor(), clip.source_range.duration)
            clip.media_reference.available_range = library.opentime.TimeRange(
                library.opentime.RationalTime(0, rate), length
            )
    for item in (*cut.find_clips(), *cut.find_children(descended_from_type=library.schema.Gap)):
        for marker in item.markers:
            marker.name = escaped(marker.name)
    return str(library.adapters.write_to_string(cut, "fcp_xml"))


def reel_name(label: str) -> str:
    """Return a take's reel name: its label if that is short enough, or else its beginning and a mark of its own."""
    if len(label) <= MOST_REEL:
        return label
    return f"{label[:_KEPT]}_{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _library(purpose: str, adapter: str) -> Any:  # noqa: ANN401 - the library has no types
    try:
        import opentimelineio
    except ImportError as error:
        raise ExtraMissing(purpose, extra="timeline") from error
    if adapter not in opentimelineio.adapters.available_adapter_names():
        raise ExtraMissing(purpose, extra="timeline")
    return opentimelineio


def _read(library: Any, timeline: Timeline, target: Target, rate: Fraction) -> Any:  # noqa: ANN401 - as above
    # Neither form carries alternatives.
    slots = tuple(replace(slot, others=()) for slot in timeline.slots)
    text = otio_text(replace(timeline, slots=slots), target=target, rate=rate)
    return library.adapters.read_from_string(text, "otio_json")


def _parts(timeline: Timeline, rate: Fraction) -> Iterator[tuple[tuple[Slot, ...], int]]:
    """Yield the slots of each part, and how many frames of the cut lie before it."""
    slots: list[Slot] = []
    begin = events = 0
    for place in placed(timeline, rate):
        if place.slot.active is not None and events == MOST_EVENTS:
            yield tuple(slots), begin
            slots, begin, events = [], place.start, 0
        slots.append(place.slot)
        events += place.slot.active is not None
    yield tuple(slots), begin


def _edl(library: Any, part: Timeline, rate: Fraction, target: Target, before: int) -> str:  # noqa: ANN401 - as above
    cut = _read(library, part, target, rate)
    cut.name = _ascii(cut.name)
    track = cut.video_tracks()[0]
    files = {clip.label: clip.file.name for clip in (slot.active for slot in part.slots) if clip is not None}
    begins = before
    for item in track:
        item.source_range = _renamed(library, item.source_range, round(rate))
        for marker in item.markers:
            marker.marked_range = _renamed(library, marker.marked_range, round(rate), later=begins)
            marker.name = _ascii(marker.name)
        begins += round(item.source_range.duration.value)
        if isinstance(item, library.schema.Clip):
            item.metadata["cmx_3600"] = {"reel": reel_name(item.name)}
            item.name = _ascii(files[item.name])
    track.insert(0, library.schema.Gap(duration=library.opentime.RationalTime(before, round(rate))))
    del cut.tracks[1:]
    text = str(
        library.adapters.write_to_string(cut, "cmx_3600", rate=round(rate), style=_STYLE, reelname_len=None)
    )
    return _with_sound(text, [slot.active for slot in part.slots if slot.active is not None])


def _with_sound(text: str, clips: Sequence[Clip]) -> str:
    """Return an EDL that says of each event whether it has sound, and of its timecode that it drops no frames."""
    # The adapter would write the sound as events of their own, which editors do not link to the picture.
    title, *lines = text.split("\n")
    left = iter(clips)
    told = [
        line.replace(_PICTURE, _WITH_SOUND, 1)
        if line[:3].isdigit() and _PICTURE in line and next(left).has_audio
        else line
        for line in lines
    ]
    return "\n".join([title, "FCM: NON-DROP FRAME", *told])


def _renamed(library: Any, extent: Any, rate: int, *, later: int = 0) -> Any:  # noqa: ANN401 - as above
    """Return a range with the same number of frames at a whole rate, whose timecode drops none, so much later."""
    time = library.opentime.RationalTime
    return library.opentime.TimeRange(
        time(extent.start_time.value + later, rate), time(extent.duration.value, rate)
    )


def _ascii(text: str) -> str:
    """Return one line of ASCII: accents are left out, and any other character is a question mark."""
    letters = unicodedata.normalize("NFKD", escaped(text))
    return "".join(char if char.isascii() else "?" for char in letters if not unicodedata.combining(char))
