"""Finds the media links of a plan: the take, the input, and the kind of file that the input wants.

A link is in a media input, in a list of such inputs, or in a nested value that the schema calls a link.
`runner.models.media_inputs` binds bodies by the same rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from runner.domain.errors import Position
from runner.domain.shots import Take
from runner.media.file_kinds import Family
from runner.models.inputs import Shape
from runner.models.media_inputs import words_of
from runner.models.model import Model
from runner.system.canonical_json import JsonValue

_KINDS = {
    **dict.fromkeys(("video", "clip", "movie"), Family.VIDEO),
    **dict.fromkeys(("audio", "sound", "voice", "music"), Family.SOUND),
    **dict.fromkeys(("image", "frame", "picture", "photo", "mask"), Family.IMAGE),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A link in a body: its input as a dotted path, and the kind of file that the input's name asks for, or None."""

    input: str
    url: str
    wants: Family | None


@dataclass(frozen=True, slots=True)
class TakeMedia:
    """A take's links, and its body with all other inputs."""

    take_id: str
    at: Position
    body: Mapping[str, JsonValue]
    places: tuple[Place, ...]


def media_of(takes: Iterable[Take], *, find: Callable[[str], Model | None]) -> list[TakeMedia]:
    """Return the takes that have links, in their order; `find` returns the model of an id."""
    shapes_of = cache(lambda model_id: _shapes(find(model_id)))
    found = []
    for take in takes:
        body, shapes = json.loads(take.body), shapes_of(take.model)
        places = tuple(
            Place(path, url, shapes[name][1])
            for name, value in body.items()
            if name in shapes
            for path, url in _links(value, shapes[name][0], name)
        )
        if places:
            found.append(TakeMedia(take.id, take.at, body, places))
    return found


def _shapes(model: Model | None) -> Mapping[str, tuple[Shape, Family | None]]:
    """Return the shape of each input, and the kind of file that its name and title ask for."""
    shapes: dict[str, tuple[Shape, Family | None]] = {}
    for one in model.inputs if model else ():
        words = words_of(f"{one.name} {one.title}")
        kinds = {_KINDS[word] for word in words if word in _KINDS}
        # Two kinds in one name decide nothing: a first frame of a video is a picture.
        shapes[one.name] = one.shape, kinds.pop() if len(kinds) == 1 else None
    return shapes


def _links(value: JsonValue, shape: Shape, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str() if shape.media and value and value not in shape.choices:
            yield path, value
        case list():
            for index, item in enumerate(value):
                yield from _links(item, shape.item(index), f"{path}.{index}")
        case dict():
            for key, item in value.items():
                if inner := shape.entry(key):
                    yield from _links(item, inner, f"{path}.{key}")
