"""The strip that a rough cut can carry in its lower left corner: which take this is, and its seed."""

from __future__ import annotations

from PIL import Image

from runner.video.lettering import WHITE, width_of, write

_SHADE = (0, 0, 0, 165)


def burn_picture(words: str, *, size: tuple[int, int]) -> Image.Image:
    """Return the strip with `words` for a picture of `size` pixels, half transparent, in even numbers of pixels."""
    width, height = size
    letter = max(11, min(height // 26, width // 36))
    edge = letter // 2
    room = min(width_of(words, letter) + 1, width - 4 * edge)
    wide, high = (-(-side // 2) * 2 for side in (room + 2 * edge, round(1.3 * letter) + edge))
    strip = Image.new("RGBA", (wide, high), _SHADE)
    write(strip, words, at=(edge, edge / 2), room=room, size=letter, colour=WHITE)
    return strip
