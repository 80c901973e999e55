"""Checks whether a take's pictures fit the take's other inputs, and each other.

The API would accept pictures that do not fit, and cut or stretch them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.domain.errors import Severity
from runner.media.image_size import Pixels
from runner.media.preflight.link_rules import Fault
from runner.media.preflight.media_links import Place, TakeMedia
from runner.media.preflight.probe import LinkProbe
from runner.models.media_inputs import words_of
from runner.system.canonical_json import JsonValue

_TOLERANCE = 0.02
_ASPECTS = re.compile(r"(?:image|video|output)?(?:aspectratio|aspect|ratio)")
_SIZES = re.compile(r"(?:image|video|output)?(?:resolution|size)")
_RATIO = re.compile(r"(\d{1,5}(?:\.\d{1,4})?)\s*[:/x×]\s*(\d{1,5}(?:\.\d{1,4})?)")
_BY_SIDES = re.compile(r"(\d{2,5})\s*[x×*]\s*(\d{2,5})")
_SHORT_SIDE = re.compile(r"(\d{3,4})[pP]")
_NAMED = {"2k": 1440, "4k": 2160, "8k": 4320}
_POSITIONS = frozenset({"first", "last", "start", "end", "begin", "head", "tail"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """An input's demand on a picture's form: its value as written, and its meaning; None and 0 ask for nothing."""

    input: str
    value: str
    aspect: float | None = None
    short_side: int = 0


def fit_faults(media: TakeMedia, looks: Mapping[str, LinkProbe]) -> Iterator[tuple[Place, Fault]]:
    """Yield each fault at its place; an unknown size fits everything."""
    seen = {place.input: look.pixels for place in media.places if (look := looks.get(place.url))}
    sizes = {name: pixels for name, pixels in seen.items() if pixels}
    asked = [wish for name, value in media.body.items() if (wish := _asked(name, value))]
    for place in media.places:
        if place.input in sizes:
            for wish in asked:
                yield from ((place, fault) for fault in _against(sizes[place.input], wish))
    yield from _frames(media, sizes)


def _asked(name: str, value: JsonValue) -> _Asked | None:
    plain = re.sub(r"[^a-z]", "", name.lower())
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    if _SIZES.fullmatch(plain):
        if sides := _BY_SIDES.fullmatch(text):
            width, height = int(sides[1]), int(sides[2])
            return _Asked(name, text, width / height, min(width, height)) if width and height else None
        short = _SHORT_SIDE.fullmatch(text)
        if side := int(short[1]) if short else _NAMED.get(text.lower()):
            return _Asked(name, text, short_side=side)
    elif not _ASPECTS.fullmatch(plain):
        return None
    ratio = _RATIO.fullmatch(text)
    if ratio and float(ratio[1]) > 0 and float(ratio[2]) > 0:
        return _Asked(name, text, float(ratio[1]) / float(ratio[2]))
    return None


def _against(pixels: Pixels, wish: _Asked) -> Iterator[Fault]:
    if wish.aspect is not None and not _alike(pixels.aspect, wish.aspect):
        message = f"is {pixels} ({_spoken(pixels)}), and {wish.input} asks for {wish.value}"
        yield Fault(message, "crop it, or expect it to be cut or stretched", Severity.WARNING)
    if min(pixels.width, pixels.height) < wish.short_side:
        message = f"is {pixels}, smaller than {wish.input} {wish.value} asks for"
        yield Fault(message, "give a larger picture, or expect it to be blurred", Severity.WARNING)


def _frames(media: TakeMedia, sizes: Mapping[str, Pixels]) -> Iterator[tuple[Place, Fault]]:
    """Compare the pictures of inputs whose names differ only in a word such as first and last."""
    firsts: dict[str, Place] = {}
    for place in media.places:
        first = firsts.setdefault("".join(w for w in words_of(place.input) if w not in _POSITIONS), place)
        # Items of a list differ only in their number, and are not a pair.
        if _positions(first) == _positions(place) or "." in place.input:
            continue
        mine, other = sizes.get(place.input), sizes.get(first.input)
        if mine is None or other is None or mine == other:
            continue
        message = f"is {mine}, and {first.input} is {other}"
        if _alike(mine.aspect, other.aspect):
            yield place, Fault(message, "give both the same size", Severity.WARNING)
        else:
            yield place, Fault(f"{message}, of another shape", "give both the same size")


def _positions(place: Place) -> frozenset[str]:
    return _POSITIONS.intersection(words_of(place.input))


def _alike(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_TOLERANCE)


def _spoken(pixels: Pixels) -> str:
    """Return the aspect in small whole numbers if possible, as `16:9`, else as `1.85:1`."""
    divisor = math.gcd(pixels.width, pixels.height)
    width, height = pixels.width // divisor, pixels.height // divisor
    return f"{width}:{height}" if max(width, height) <= 32 else f"{pixels.aspect:.2f}:1"
