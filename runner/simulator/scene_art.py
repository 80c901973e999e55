"""Generates pictures in place of keyframes, which the simulator never fetches; the same text gives the same picture.

In: a text (a keyframe's URL) and a size. Out: a Pillow image. Colours, light and composition come from the text's
hash. So a sweep over one keyframe shows one picture, and a cut between two shots that share a frame is
seamless. It knows no model, no body and no video.
"""

from __future__ import annotations

import hashlib
import math
from colorsys import hls_to_rgb
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

from runner.simulator.jobs import between, chance

Colour = tuple[int, int, int]


@lru_cache(maxsize=64)
def picture(source: str, width: int, height: int) -> Image.Image:
    """Return the picture of `source` in `width` by `height` pixels; callers must not draw on it."""
    draw = (_hills, _sea, _street, _room)
    motif = draw[int(_luck(source, "motif") * len(draw))]
    return motif(source, width, height)


def _luck(source: str, *what: object) -> float:
    return chance(0, "card", hashlib.sha256(source.encode("utf-8", "replace")).hexdigest(), *what)


def _tone(hue: float, light: float, strength: float = 0.45) -> Colour:
    red, green, blue = hls_to_rgb(hue % 1.0, min(max(light, 0.0), 1.0), strength)
    return round(red * 255), round(green * 255), round(blue * 255)


def _hue(source: str) -> float:
    return _luck(source, "hue")


def _sky(source: str, width: int, height: int, *, low: float, high: float) -> Image.Image:
    """Return a vertical gradient from a deep tone above to a warm neighbour of it below."""
    hue = _hue(source)
    top, bottom = _tone(hue, low), _tone(hue + between(0.06, 0.16, _luck(source, "warmth")), high, 0.6)
    ramp = Image.linear_gradient("L").resize((width, height))
    return Image.composite(
        Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), ramp
    )


def _glow(image: Image.Image, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    """Put a disc of light with a soft halo into the image."""
    disc = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(disc)
    pen.circle(centre, radius * 2.2, fill=70)
    disc = disc.filter(ImageFilter.BoxBlur(radius * 0.8))
    ImageDraw.Draw(disc).circle(centre, radius, fill=235)
    image.paste(colour, (0, 0), disc)


def _sun(source: str, image: Image.Image, *, highest: float, lowest: float) -> float:
    """Put a sun or moon into the sky and return its place, as a share of the width."""
    width, height = image.size
    across = between(0.18, 0.82, _luck(source, "sun"))
    down = between(highest, lowest, _luck(source, "sun height"))
    radius = height * between(0.07, 0.13, _luck(source, "sun size"))
    _glow(image, (width * across, height * down), radius, _tone(_hue(source) + 0.12, 0.88, 0.9))
    return across


def _hills(source: str, width: int, height: int) -> Image.Image:
    image = _sky(source, width, height, low=0.34, high=0.72)
    _sun(source, image, highest=0.22, lowest=0.42)
    pen = ImageDraw.Draw(image)
    for layer in range(4):
        level = height * (0.46 + 0.14 * layer)
        waves = [
            (between(1.2, 3.4, _luck(source, layer, n)), _luck(source, layer, n, "at")) for n in range(3)
        ]
        line = [
            (x, level - height * 0.05 * sum(math.sin(2 * math.pi * (f * x / width + at)) for f, at in waves))
            for x in range(0, width + 8, 8)
        ]
        tone = _tone(_hue(source) + 0.02 * layer, 0.42 - 0.1 * layer, 0.35)
        pen.polygon([*line, (width, height), (0, height)], fill=tone)
    return image


def _sea(source: str, width: int, height: int) -> Image.Image:
    image = _sky(source, width, height, low=0.36, high=0.78)
    across = _sun(source, image, highest=0.26, lowest=0.46)
    pen = ImageDraw.Draw(image)
    horizon = height * 0.58
    pen.rectangle((0, horizon, width, height), fill=_tone(_hue(source), 0.24, 0.5))
    for n in range(46):
        near = _luck(source, "wave", n)
        y = horizon + (height - horizon) * near
        # Glints are below the sun and get wider towards the viewer, as on real water.
        x = width * (across + (_luck(source, "glint", n) - 0.5) * (0.12 + 0.9 * near))
        long = width * between(0.01, 0.09, near)
        pen.line((x - long, y, x + long, y), fill=_tone(_hue(source) + 0.1, 0.62 - 0.2 * near, 0.6), width=2)
    return image


def _street(source: str, width: int, height: int) -> Image.Image:
    image = _sky(source, width, height, low=0.22, high=0.6)
    _sun(source, image, highest=0.16, lowest=0.34)
    pen = ImageDraw.Draw(image)
    for layer, (count, top, light) in enumerate(((11, 0.34, 0.3), (7, 0.46, 0.15))):
        for n in range(count):
            left = width * (n + 0.4 * _luck(source, layer, n)) / count
            right = left + width / count * between(0.7, 1.1, _luck(source, layer, n, "wide"))
            roof = height * (top + 0.3 * _luck(source, layer, n, "roof"))
            pen.rectangle((left, roof, right, height), fill=_tone(_hue(source), light, 0.35))
            _windows(source, pen, (left, roof, right, height), layer=layer, house=n)
    return image


def _windows(
    source: str,
    pen: ImageDraw.ImageDraw,
    house_at: tuple[float, float, float, float],
    *,
    layer: int,
    house: int,
) -> None:
    left, roof, right, ground = house_at
    step = (right - left) / 5
    for row in range(int((ground - roof) / step / 1.4)):
        for column in range(4):
            if _luck(source, layer, house, row, column) < 0.22:
                x, y = left + step * (column + 0.7), roof + step * (1.4 * row + 0.6)
                pen.rectangle((x, y, x + step * 0.5, y + step * 0.7), fill=_tone(0.12, 0.66, 0.8))


def _room(source: str, width: int, height: int) -> Image.Image:
    """Return a still life: coloured solids on a table in the light of a window."""
    hue = _hue(source)
    image = _sky(source, width, height, low=0.5, high=0.68)
    pen = ImageDraw.Draw(image)
    slant = width * between(-0.12, 0.12, _luck(source, "slant"))
    start = width * between(0.1, 0.55, _luck(source, "window"))
    for pane in range(3):
        x = start + pane * width * 0.13
        pen.polygon(
            [
                (x, 0),
                (x + width * 0.11, 0),
                (x + width * 0.11 + slant, height * 0.66),
                (x + slant, height * 0.66),
            ],
            fill=_tone(hue + 0.1, 0.8, 0.7),
        )
    pen.rectangle((0, height * 0.66, width, height), fill=_tone(hue + 0.04, 0.27, 0.4))
    for n in range(3):
        _solid(source, pen, n, width=width, height=height)
    return image


def _solid(source: str, pen: ImageDraw.ImageDraw, n: int, *, width: int, height: int) -> None:
    x = width * (0.22 + 0.28 * n + 0.1 * (_luck(source, "solid", n) - 0.5))
    size = height * between(0.1, 0.19, _luck(source, "size", n))
    foot = height * between(0.7, 0.8, _luck(source, "foot", n))
    body = _tone(_hue(source) + 0.5 + 0.07 * n, 0.5, 0.5)
    lit = _tone(_hue(source) + 0.5 + 0.07 * n, 0.66, 0.55)
    pen.ellipse(
        (x - size * 1.1, foot - size * 0.16, x + size * 1.5, foot + size * 0.2),
        fill=_tone(_hue(source), 0.16),
    )
    if _luck(source, "shape", n) < 0.5:
        pen.circle((x, foot - size * 0.9), size, fill=body)
        pen.circle((x - size * 0.25, foot - size * 1.15), size * 0.55, fill=lit)
    else:
        pen.rectangle((x - size * 0.8, foot - size * 2, x + size * 0.8, foot), fill=body)
        pen.rectangle((x - size * 0.8, foot - size * 2, x - size * 0.1, foot), fill=lit)
