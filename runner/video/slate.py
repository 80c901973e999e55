"""The picture that takes the place of a shot that is not there yet: which shot, why, and what it will show."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from runner.video.lettering import AMBER, GROUND, SOFT, WHITE, write


@dataclass(frozen=True, slots=True)
class Slate:
    """The words of a slate: the shot's id, why its clip is missing, and the beginning of the prompt."""

    shot: str
    why: str
    prompt: str = ""


def slate_picture(slate: Slate, *, size: tuple[int, int]) -> Image.Image:
    """Return a slate of `size` pixels."""
    width, height = size
    picture = Image.new("RGB", size, GROUND)
    unit = min(width / 16, height / 9)
    left, room = unit, width - 2 * unit
    ImageDraw.Draw(picture).rectangle((left, 1.1 * unit, left + 1.2 * unit, 1.18 * unit), fill=AMBER)
    y = write(picture, slate.shot, at=(left, 1.5 * unit), room=room, size=1.5 * unit, colour=WHITE)
    y = write(
        picture, slate.why, at=(left, y + 0.2 * unit), room=room, size=0.6 * unit, colour=AMBER, lines=2
    )
    write(picture, slate.prompt, at=(left, y + 0.5 * unit), room=room, size=0.5 * unit, colour=SOFT, lines=4)
    return picture
