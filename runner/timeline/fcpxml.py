"""A cut as XML of Final Cut Pro (FCPXML 1.8), which DaVinci Resolve reads as well.

In: a timeline, and how a clip's file is addressed. Out: text. The clips that play stand in a project, with their sound;
the others of each shot lie beside it in the event. Times are exact fractions of a second.

The adapter of OpenTimelineIO is not used: it starts `ffprobe`, counts 23.976 as 23, and needs minutes for the sound of
5,000 clips.
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree as ET

from runner.system.canonical_json import JsonValue
from runner.system.escapes import escaped
from runner.timeline.lengths import Placed, editing_rate, first_frame, media_frames, placed
from runner.timeline.markers import Marker, MarkerKind, markers_of
from runner.timeline.slots import Clip, Slot, Timeline
from runner.timeline.targets import Target, file_url

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'


def fcpxml_text(timeline: Timeline, *, target: Target = file_url) -> str:
    """Return the file's text; frames are counted at a rate that editors have (`editing_rate`)."""
    rate = editing_rate(timeline.fps)
    begin = first_frame(timeline, rate)
    root = ET.Element("fcpxml", version="1.8")
    resources = _Resources(ET.SubElement(root, "resources"), target, rate)
    name = _safe(timeline.name)
    event = ET.SubElement(root, "event", name=name)
    sequence = {
        "format": resources.format_of(rate, *_largest(timeline)),
        "tcStart": _time(begin, rate),
        "tcFormat": "NDF",
    }
    project = ET.Element("project", name=name)
    places = list(placed(timeline, rate))
    total = places[-1].end if places else 0
    spine = ET.SubElement(
        ET.SubElement(project, "sequence", {**sequence, "duration": _time(total, rate)}), "spine"
    )
    for place in places:
        spine.append(_item(place, rate, resources, begin))
        event.extend(_browsed(other, place, rate, resources) for other in place.slot.others)
    event.append(project)
    ET.indent(root)
    return _HEAD + ET.tostring(root, encoding="unicode") + "\n"


class _Resources:
    """The formats and assets that clips refer to, each written once."""

    def __init__(self, element: ET.Element, target: Target, rate: Fraction) -> None:
        self._element = element
        self._target = target
        self._rate = rate
        self._ids: dict[object, str] = {}

    def format_of(self, rate: Fraction, width: int, height: int) -> str:
        """Return the id of the format with this rate, and this size in pixels unless it is 0."""
        size = {"width": str(width), "height": str(height)} if width and height else {}
        return self._put("format", (rate, width, height), {"frameDuration": _time(1, rate), **size})

    def asset_of(self, clip: Clip, frames: int) -> str:
        """Return the id of a clip's file, which lasts `frames` of the cut if it was not measured."""
        count, own = media_frames(clip, otherwise=frames, rate=self._rate)
        sound = {"hasAudio": "1", "audioSources": "1"} if clip.has_audio else {}
        asset = {
            "name": clip.label,
            "src": self._target(clip),
            "start": "0s",
            "duration": _time(count, own),
            "hasVideo": "1",
            "format": self.format_of(own, clip.width, clip.height),
            **sound,
        }
        return self._put("asset", clip.label, asset)

    def _put(self, tag: str, key: object, attributes: dict[str, str]) -> str:
        if key not in self._ids:
            self._ids[key] = f"r{len(self._ids) + 1}"
            ET.SubElement(self._element, tag, {"id": self._ids[key], **attributes})
        return self._ids[key]


def _item(place: Placed, rate: Fraction, resources: _Resources, begin: int) -> ET.Element:
    # A place in the sequence is counted from the same zero as its first timecode.
    where = {"offset": _time(begin + place.start, rate), "start": "0s", "duration": _time(place.frames, rate)}
    slot = place.slot
    if slot.active is None:
        element = ET.Element("gap", {"name": slot.shot_id, **where})
        _note(element, slot.prompt)
    else:
        reference = resources.asset_of(slot.active, place.frames)
        element = ET.Element("asset-clip", {"ref": reference, "name": slot.active.label, **where})
        _note(element, slot.prompt)
    element.extend(_marker(each, rate, place.frames) for each in markers_of(slot))
    if slot.active is not None:
        element.append(_metadata(slot.active, slot))
    return element


def _browsed(clip: Clip, place: Placed, rate: Fraction, resources: _Resources) -> ET.Element:
    count, own = media_frames(clip, otherwise=place.frames, rate=rate)
    reference = resources.asset_of(clip, place.frames)
    attributes = {"ref": reference, "name": clip.label, "start": "0s", "duration": _time(count, own)}
    element = ET.Element("asset-clip", attributes)
    element.append(_metadata(clip, place.slot))
    return element


def _marker(marker: Marker, rate: Fraction, frames: int) -> ET.Element:
    at = min(int(marker.at * float(rate)), frames - 1)
    attributes = {"start": _time(at, rate), "duration": _time(1, rate), "value": _safe(marker.text)}
    if marker.who:
        attributes["note"] = _safe(marker.who)
    if marker.kind is not MarkerKind.FLAG:
        # A gap and a comment are work to do, and the editor lists them as such.
        attributes["completed"] = "0"
    return ET.Element("marker", attributes)


def _note(element: ET.Element, text: str) -> None:
    if text:
        ET.SubElement(element, "note").text = _safe(text)


def _metadata(clip: Clip, slot: Slot) -> ET.Element:
    known: dict[str, JsonValue] = {
        "shot": slot.shot_id,
        "take": clip.take_id,
        "decision": clip.decision.value if clip.decision else None,
        **clip.about,
    }
    element = ET.Element("metadata")
    for name, value in known.items():
        if value is not None and value not in ("", []):
            text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
            ET.SubElement(element, "md", key=f"shotrunner.{_safe(name)}", value=_safe(text))
    return element


def _largest(timeline: Timeline) -> tuple[int, int]:
    """Return the largest size of the clips that play, in pixels; zeros if none was measured."""
    sizes = ((slot.active.width, slot.active.height) for slot in timeline.slots if slot.active)
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def _time(frames: int, rate: Fraction) -> str:
    # The denominator stays the rate's own, even where less would do: editors expect whole frame durations.
    count = frames * rate.denominator
    return f"{count}/{rate.numerator}s" if count else "0s"


def _safe(text: str) -> str:
    r"""Return a text that XML can hold; a control character becomes an escape such as `\x1b`."""
    return escaped(text, kept="\n\t")
