"""A cut as an OpenTimelineIO file, which is JSON, written without that library: any Python can write it.

In: a timeline, and how a clip's file is addressed. Out: text, the same bytes for the same cut. A clip has all takes of
its shot as media references by their labels, and the one that plays is active.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from runner.system.canonical_json import JsonValue
from runner.timeline.lengths import Placed, exact_rate, first_frame, media_frames, placed
from runner.timeline.markers import Marker, MarkerKind, markers_of
from runner.timeline.slots import Clip, Timeline
from runner.timeline.targets import Target, file_url

OWN = "shotrunner"
"""The name under which our own metadata stand."""

_COLOURS = {MarkerKind.GAP: "RED", MarkerKind.COMMENT: "YELLOW", MarkerKind.FLAG: "ORANGE"}
_LARGEST = 2**63
_Node: TypeAlias = dict[str, Any]
# With an indent the encoder is Python's slow one: 5,000 shots would take eight seconds instead of one.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def otio_text(timeline: Timeline, *, target: Target = file_url, rate: Fraction | None = None) -> str:
    """Return the file's text; `rate` counts the frames instead of the timeline's own rate."""
    return _written(_timeline(timeline, target, rate)) + "\n"


def has_sound(timeline: Timeline) -> bool:
    """Return whether any clip that plays is known to have sound."""
    return any(slot.active is not None and slot.active.has_audio for slot in timeline.slots)


def _written(node: _Node) -> str:
    """Return a node as JSON, with one line for each thing in a track, so that two cuts can be compared by lines."""
    inner = node.get("children") or ([node["tracks"]] if "tracks" in node else [])
    if not inner:
        return _encode(node)
    name = "children" if "children" in node else "tracks"
    outer = _encode({key: value for key, value in node.items() if key != name}).removesuffix("}")
    texts = ",\n".join(map(_written, inner))
    return outer + f', "{name}": ' + (f"[\n{texts}\n]" if name == "children" else texts) + "}"


def _timeline(timeline: Timeline, target: Target, rate: Fraction | None) -> _Node:
    counted_at = rate or exact_rate(timeline.fps)
    places = tuple(placed(timeline, counted_at))
    tracks = [_track("V1", "Video", (_item(place, counted_at, target) for place in places))]
    if has_sound(timeline):
        tracks.append(_track("A1", "Audio", (_sound(place, counted_at, target) for place in places)))
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {OWN: {"fps": float(counted_at)}},
        "name": _clean(timeline.name),
        "global_start_time": _time(first_frame(timeline, counted_at), counted_at),
        "tracks": _composition("Stack.1", "tracks", tracks),
    }


def _track(name: str, kind: str, children: Iterable[_Node]) -> _Node:
    return _composition("Track.1", name, list(children)) | {"kind": kind}


def _composition(schema: str, name: str, children: list[_Node]) -> _Node:
    return _thing(schema, name, None) | {"children": children}


def _item(place: Placed, rate: Fraction, target: Target) -> _Node:
    slot = place.slot
    extent = _range(0, place.frames, rate)
    markers = [_marker(each, rate, place.frames) for each in markers_of(slot)]
    if slot.active is None:
        gap: dict[str, JsonValue] = {
            "shot": slot.shot_id,
            "prompt": slot.prompt,
            "why": slot.why,
            "planned_seconds": _short(slot.planned),
        }
        return _thing("Gap.1", slot.shot_id, extent, markers, gap)
    references = {
        each.label: _reference(each, place.frames, rate, target, about=_about(each))
        for each in (slot.active, *slot.others)
    }
    about: dict[str, JsonValue] = {"shot": slot.shot_id, "prompt": slot.prompt, **_about(slot.active)}
    return _thing("Clip.2", slot.active.label, extent, markers, about) | {
        "media_references": references,
        "active_media_reference_key": slot.active.label,
    }


def _sound(place: Placed, rate: Fraction, target: Target) -> _Node:
    """Return the sound of a slot; what is known of the take stands with its picture."""
    extent, clip = _range(0, place.frames, rate), place.slot.active
    if clip is None or not clip.has_audio:
        return _thing("Gap.1", "", extent)
    return _thing("Clip.2", clip.label, extent) | {
        "media_references": {
            each.label: _reference(each, place.frames, rate, target) for each in (clip, *place.slot.others)
        },
        "active_media_reference_key": clip.label,
    }


def _reference(
    clip: Clip,
    frames: int,
    rate: Fraction,
    target: Target,
    *,
    about: Mapping[str, JsonValue] | None = None,
) -> _Node:
    count, own = media_frames(clip, otherwise=frames, rate=rate)
    return {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {OWN: _plain(dict(about))} if about else {},
        "name": clip.label,
        "available_range": _range(0, count, own),
        "available_image_bounds": None,
        "target_url": target(clip),
    }


def _about(clip: Clip) -> dict[str, JsonValue]:
    """Return what is known of a take, without the empty parts."""
    known: dict[str, JsonValue] = {
        "take": clip.take_id,
        "label": clip.label,
        "decision": clip.decision.value if clip.decision else None,
        "seconds": _short(clip.seconds),
        "fps": _short(clip.fps),
        "width": clip.width or None,
        "height": clip.height or None,
        "comments": [
            {"at": _short(each.at), "note": each.note, "who": each.who, "when": each.when}
            for each in clip.comments
        ],
        **clip.about,
    }
    return {name: value for name, value in known.items() if value is not None and value not in ("", [])}


def _short(number: float | None) -> float | None:
    """Return a number with so few digits that every reader finds the same one."""
    return None if number is None else round(number, 6)


def _thing(
    schema: str,
    name: str,
    extent: _Node | None,
    markers: Iterable[_Node] = (),
    about: Mapping[str, JsonValue] | None = None,
) -> _Node:
    return {
        "OTIO_SCHEMA": schema,
        "metadata": {OWN: _plain(dict(about))} if about else {},
        "name": name,
        "source_range": extent,
        "effects": [],
        "markers": list(markers),
        "enabled": True,
        "color": None,
    }


def _marker(marker: Marker, rate: Fraction, frames: int) -> _Node:
    # The frame behind a clip's end is one of the next shot.
    at = min(int(marker.at * float(rate)), frames - 1)
    about = {"kind": marker.kind.value, "who": _clean(marker.who)}
    return {
        "OTIO_SCHEMA": "Marker.2",
        "metadata": {OWN: {name: value for name, value in about.items() if value}},
        "name": _clean(marker.text),
        "color": _COLOURS[marker.kind],
        "marked_range": _range(at, 0, rate),
        "comment": f"by {_clean(marker.who)}" if marker.who else "",
    }


def _range(start: int, frames: int, rate: Fraction) -> _Node:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "duration": _time(frames, rate),
        "start_time": _time(start, rate),
    }


def _time(frames: int, rate: Fraction) -> _Node:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(frames)}


def _plain(value: JsonValue) -> JsonValue:
    """Return a value that the library reads as it is: no schema by accident, no number beyond 64 bits."""
    if isinstance(value, dict):
        # A mapping with this name would be read as an object of the library.
        return {
            ("_" if key == "OTIO_SCHEMA" else "") + _clean(key): _plain(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -_LARGEST <= value < _LARGEST:
        return str(value)
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Return a text that UTF-8 can hold, without the character that ends a text in C."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
