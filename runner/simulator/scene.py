"""Reads from a model id and a request body what a preview shows: cards, words, length and shape.

In: the body of an accepted job, as JSON. Out: a frozen `Scene` and the name of its clip in the cache. It draws
nothing and never fetches the URLs it finds, because a card is made from the URL's text alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from urllib.parse import unquote, urlsplit

from runner.system.canonical_json import JsonValue

LOOK = 2
"""This number is raised whenever the drawing changes, so that no older clip is taken from the cache."""

_WIDE = (320, 180)
_SECONDS = (1.0, 30.0)
_ASPECT = re.compile(r"(\d{1,3})\s*[:xX/]\s*(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Card:
    """One generated picture: the text that it is derived from, and the words written on it."""

    source: str
    label: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One clip to draw: two cards are a cross-fade, one card is a slow push-in.

    `width` and `height` are even, in pixels; `seconds` is the clip's length; `slate` names the take if it is known,
    since a request body does not say.
    """

    model: str
    cards: tuple[Card, ...]
    prompt: str
    details: str
    seconds: float
    width: int
    height: int
    slate: str = ""

    @property
    def key(self) -> str:
        """Return the name of this scene's clip in a cache: equal scenes have equal names."""
        text = json.dumps([LOOK, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def scene_of(model: str, body: Mapping[str, JsonValue], *, slate: str = "") -> Scene:
    """Return the scene for an accepted body of any model."""
    prompt = _first_text(body, ("promptText", "prompt", "text"))
    seconds = _seconds(body)
    width, height = _size(body)
    return Scene(
        model=model,
        cards=_cards(body, prompt),
        prompt=prompt[:200],
        details=_details(model, body, seconds),
        seconds=seconds,
        width=width,
        height=height,
        slate=slate,
    )


def clip_seconds(body: Mapping[str, JsonValue]) -> float:
    """Return the length of the clip that the body asks for, in seconds; it is 5 if the body does not say."""
    return _seconds(body)


def _cards(body: Mapping[str, JsonValue], prompt: str) -> tuple[Card, ...]:
    first, last = body.get("keyFramesFirst"), body.get("keyFramesLast")
    if isinstance(first, str) and isinstance(last, str):
        return Card(first, f"FIRST  {_file_name(first)}"), Card(last, f"LAST  {_file_name(last)}")
    link = next(_links(body), None)
    return (Card(link, f"IMAGE  {_file_name(link)}"),) if link else (Card(prompt, ""),)


def _links(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(("https://", "http://", "data:image/")):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from _links(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from _links(item)


def _file_name(url: str) -> str:
    if url.startswith("data:"):
        return "inline picture"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[-24:]
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc


def _details(model: str, body: Mapping[str, JsonValue], seconds: float) -> str:
    words = []
    if isinstance(seed := body.get("seed"), int | str):
        words.append(f"seed {seed}")
    if isinstance(resolution := body.get("resolution"), str):
        words.append(resolution[:12])
    return "  ·  ".join([*words, f"{seconds:g} s", model.removeprefix("pika/")[:40]])


def _first_text(body: Mapping[str, JsonValue], names: tuple[str, ...]) -> str:
    found = (body[name] for name in names if isinstance(body.get(name), str))
    return " ".join(str(next(found, "")).split())


def _seconds(body: Mapping[str, JsonValue]) -> float:
    asked = body.get("duration")
    try:
        seconds = float(str(asked).removesuffix("s"))
    except ValueError:
        return 5.0
    low, high = _SECONDS
    return min(max(seconds, low), high) if seconds == seconds else 5.0


def _size(body: Mapping[str, JsonValue]) -> tuple[int, int]:
    """Return the preview's size in even numbers: the requested aspect, with about as many pixels as 320 by 180."""
    asked = _first_text(body, ("aspectRatio", "aspect_ratio"))
    match = _ASPECT.fullmatch(asked)
    across, down = (int(match[1]), int(match[2])) if match else _WIDE
    if not (across and down and 1 / 3 <= across / down <= 3):
        return _WIDE
    area = _WIDE[0] * _WIDE[1]
    width = round((area * across / down) ** 0.5 / 2) * 2
    return width, round(width * down / across / 2) * 2
