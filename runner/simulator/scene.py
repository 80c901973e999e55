"""Reads from a model id and a request body what a preview shows: words, a landscape, length and size.

It draws nothing and never fetches the URLs in the body, because only their file names are shown.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from urllib.parse import unquote

from runner.simulator.jobs import ClipFlaw, between, chance
from runner.system.canonical_json import JsonValue

LOOK = 4
"""This number is raised whenever the drawing changes, so that no older clip is taken from the cache."""

_WIDE = (320, 180)
_ASPECT = re.compile(r"(\d{1,3})\s*[:xX/]\s*(\d{1,3})")
_LINES = re.compile(r"(\d{3,4})[pPiI]?")
_PIXELS = re.compile(r"(\d{3,4})\s*[xX*×]\s*(\d{3,4})")
_LARGEST = 2160
_ROOFS = 9
_GOLDEN = 0.618034


@dataclass(frozen=True, slots=True)
class Scene:
    """One clip or picture to draw: words on a colour, as hue and lightness from 0 to 1, before a sun and a skyline.

    `width` and `height` are even, in pixels; `seconds` is the clip's length; `slate` names the take if it is known,
    since a request body does not say. `sun` is where it begins, `roofs` are heights; both are shares of the picture.
    """

    slate: str
    seed: str
    prompt: str
    details: str
    colour: tuple[float, float]
    seconds: float
    width: int
    height: int
    sun: tuple[float, float] = (0.5, 0.2)
    roofs: tuple[float, ...] = ()
    flaw: ClipFlaw | None = None
    is_picture: bool = False

    @property
    def key(self) -> str:
        """Return the name of this scene's clip in a cache: equal scenes have equal names."""
        text = json.dumps([LOOK, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def scene_of(
    model: str,
    body: Mapping[str, JsonValue],
    *,
    slate: str = "",
    is_small: bool = False,
    is_picture: bool = False,
) -> Scene:
    """Return the scene for an accepted body of any model; a small one has not the resolution that was asked for."""
    prompt = _first_text(body, "promptText", "prompt", "text")
    seed = body.get("seed")
    seconds = clip_seconds(body)
    resolution = _first_text(body, "resolution")[:12]
    pictures = " > ".join(_file_name(link)[-24:] for link in _links(body))
    width, height = _size({**body, "resolution": "", "size": ""} if is_small else body)
    who = (prompt, repr(seed))
    return Scene(
        slate=slate,
        seed=str(seed)[:24] if isinstance(seed, int | str) else "",
        prompt=prompt[:200],
        details=", ".join(
            filter(
                None,
                ("" if is_picture else f"{seconds:g} s", resolution, model.removeprefix("pika/"), pictures),
            )
        ),
        colour=_colour(prompt, seed),
        seconds=seconds,
        width=width,
        height=height,
        sun=(
            between(0.4, 0.6, chance(0, "across", *who)),
            between(0.1, 0.4, chance(0, "up", *who)),
        ),
        roofs=tuple(between(0.08, 0.42, chance(0, "roof", *who, each)) for each in range(_ROOFS)),
        is_picture=is_picture,
    )


def flawed(scene: Scene, flaw: ClipFlaw | None) -> Scene:
    """Return the scene of a clip with a flaw: half as large, two fifths as long, or to be spoilt when it is drawn."""
    if flaw is ClipFlaw.SMALL:
        return replace(scene, flaw=flaw, width=scene.width // 4 * 2, height=scene.height // 4 * 2)
    if flaw is ClipFlaw.SHORT:
        return replace(scene, flaw=flaw, seconds=0.4 * scene.seconds)
    return replace(scene, flaw=flaw)


def clip_seconds(body: Mapping[str, JsonValue]) -> float:
    """Return the length of the clip that the body asks for, from 1 to 30 seconds; it is 5 if the body does not say."""
    try:
        seconds = float(str(body.get("duration")).removesuffix("s"))
    except ValueError:
        return 5.0
    return min(max(seconds, 1.0), 30.0) if seconds == seconds else 5.0


def _colour(prompt: str, seed: JsonValue) -> tuple[float, float]:
    """Return a dark colour; seeds that follow each other are a golden section of the circle of hues apart."""
    turn = seed % 10**9 * _GOLDEN if isinstance(seed, int) else chance(0, "hue", seed)
    hue = (chance(0, "hue", prompt) + turn) % 1.0
    return hue, between(0.2, 0.34, chance(0, "light", prompt, seed))


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
    return unquote(url.partition("?")[0].rstrip("/").rpartition("/")[2])


def _first_text(body: Mapping[str, JsonValue], *names: str) -> str:
    found = (body[name] for name in names if isinstance(body.get(name), str))
    return " ".join(str(next(found, "")).split())


def _size(body: Mapping[str, JsonValue]) -> tuple[int, int]:
    """Return the clip's size in even numbers: what the body asks for, else about as many pixels as 320 by 180.

    A resolution such as `720p` is the length of the shorter side, in the requested aspect.
    """
    resolution = _first_text(body, "resolution", "size").replace("4k", "2160p").replace("4K", "2160p")
    if pixels := _PIXELS.fullmatch(resolution):
        return _even(min(int(pixels[1]), 2 * _LARGEST)), _even(min(int(pixels[2]), 2 * _LARGEST))
    match = _ASPECT.fullmatch(_first_text(body, "aspectRatio", "aspect_ratio"))
    across, down = (int(match[1]), int(match[2])) if match else _WIDE
    if not (across and down and 1 / 3 <= across / down <= 3):
        across, down = _WIDE
    if lines := _LINES.fullmatch(resolution):
        unit = min(int(lines[1]), _LARGEST) / min(across, down)
        return _even(across * unit), _even(down * unit)
    width = _even((_WIDE[0] * _WIDE[1] * across / down) ** 0.5)
    return width, _even(width * down / across)


def _even(pixels: float) -> int:
    return max(round(pixels / 2) * 2, 2)
