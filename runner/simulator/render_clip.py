"""Draws the small real MP4s that replace paid clips: a cross-fade of two cards, or a slow push-in on one.

In: a `Scene` and a path. Out: an H.264 file at that path, whole or absent, the same bytes for the same scene and
the same codec build. It needs the [video] extra (PyAV, Pillow). It knows no job, no server and no network, and never
fetches anything.

It is built for speed: what stays the same from frame to frame is drawn once, and frames are mixed as arrays of luma
and chroma. So most of the time is spent inside the encoder, where the interpreter's lock is free and the server's loop
can continue.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from runner.simulator.scene import Scene
from runner.simulator.scene_art import picture
from runner.simulator.text_overlay import RunningClock, caption, label
from runner.system.private_files import open_private

FPS = 12
"""Frames per second: this is enough for a fade and a slow push, and costs half as much as 24."""

Frame: TypeAlias = npt.NDArray[np.uint8]
"""One picture as the encoder takes it (yuv420p): `height` rows of luma, then both chroma planes, packed."""

_PUSH = 0.2
_AMBER_YUV = (184, 58, 165)


def render(scene: Scene, path: Path) -> None:
    """Write the scene's clip to `path` through a part file beside it, so that it is whole or absent."""
    part = path.with_name(f"{path.stem}.{threading.get_native_id()}.part")
    os.close(open_private(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    _encode(_frames(scene), part, size=(scene.width, scene.height))
    part.replace(path)


def _encode(frames: Iterator[Frame], path: Path, *, size: tuple[int, int]) -> None:
    # One encoder thread makes the bytes reproducible; the index is in front, so that a browser starts at once.
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": "25", "g": str(2 * FPS)}
        for number, packed in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(packed, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(scene: Scene) -> Iterator[Frame]:
    count = round(scene.seconds * FPS)
    pictures = _fade(scene, count) if len(scene.cards) > 1 else _push_in(scene, count)
    for number, frame in enumerate(pictures):
        _stamp(frame, height=scene.height, seconds=number / FPS)
        _progress(frame, height=scene.height, share=(number + 1) / count)
        yield frame


def _fade(scene: Scene, count: int) -> Iterator[Frame]:
    """Yield a fade from the first card to the last; both ends are held, so that a person can judge each as a still."""
    layer = _caption(scene)
    first, last = (_packed(_with_layer(scene, n, layer)) for n in (0, 1))
    start = first.astype(np.int16)
    way = last - start
    for number in range(count):
        share = min(max((number / max(count - 1, 1) - 0.12) / 0.76, 0.0), 1.0)
        weight = np.int16(round(share * share * (3 - 2 * share) * 64))
        yield (start + ((way * weight) >> 6)).astype(np.uint8)


def _push_in(scene: Scene, count: int) -> Iterator[Frame]:
    [card] = scene.cards
    large = _enlarged(picture(card.source, scene.width * 2, scene.height * 2))
    still = [Image.fromarray(plane) for plane in _planes(_packed(large), large.height)]
    layer = _caption(scene).copy()
    label(layer, card.label)
    through, added = _glass(layer)
    half = (scene.width // 2, scene.height // 2)
    sizes = ((scene.width, scene.height), half, half)
    for number in range(count):
        inset = _PUSH / 2 * number / max(count - 1, 1)
        cropped = (_cropped(plane, inset, size) for plane, size in zip(still, sizes, strict=True))
        frame = np.concatenate([plane.reshape(-1, scene.width) for plane in cropped])
        yield ((frame * through + added) >> 8).astype(np.uint8)


def _enlarged(picture_at_twice: Image.Image) -> Image.Image:
    """Return the card so large that its last, closest crop still has one pixel of its own for every pixel shown."""
    width, height = (round(side / 2 / (1 - _PUSH) / 2) * 2 for side in picture_at_twice.size)
    return picture_at_twice.resize((width, height), Image.Resampling.BILINEAR)


def _cropped(plane: Image.Image, inset: float, size: tuple[int, int]) -> Frame:
    width, height = plane.size
    box = (width * inset, height * inset, width * (1 - inset), height * (1 - inset))
    return np.asarray(plane.resize(size, Image.Resampling.BILINEAR, box=box))


def _glass(layer: Image.Image) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return how much of a moving picture shows through a still layer, in 256ths, and what the layer adds to it."""
    alpha = layer.getchannel("A")
    half = alpha.resize((layer.width // 2, layer.height // 2), Image.Resampling.BOX)
    masks = [np.asarray(mask, dtype=np.uint16).reshape(-1, layer.width) for mask in (alpha, half, half)]
    share = np.concatenate(masks) * 256 // 255
    return 256 - share, _packed(layer.convert("RGB")) * share


def _with_layer(scene: Scene, number: int, layer: Image.Image) -> Image.Image:
    card = scene.cards[number]
    large = picture(card.source, scene.width * 2, scene.height * 2)
    image = large.resize((scene.width, scene.height), Image.Resampling.BOX).convert("RGBA")
    image.alpha_composite(layer)
    label(image, card.label, right=number == 1)
    return image.convert("RGB")


def _caption(scene: Scene) -> Image.Image:
    return caption((scene.width, scene.height), slate=scene.slate, prompt=scene.prompt, details=scene.details)


def _packed(image: Image.Image) -> Frame:
    """Return the picture in the encoder's form, in the limited range that players expect of video."""
    frame = av.VideoFrame.from_image(image).reformat(format="yuv420p")  # type: ignore[no-untyped-call]
    packed: Frame = frame.to_ndarray()
    return packed


def _planes(frame: Frame, height: int) -> tuple[Frame, Frame, Frame]:
    """Return luma and both chroma planes as views of the packed frame, so that writing to them changes it."""
    blue, red = frame[height:].reshape(2, height // 2, frame.shape[1] // 2)
    return frame[:height], blue, red


@lru_cache(maxsize=1)
def _clock() -> RunningClock:
    return RunningClock()


def _stamp(frame: Frame, *, height: int, seconds: float) -> None:
    face = _clock().strip(seconds)
    luma, *chroma = _planes(frame, height)
    right = frame.shape[1] - 6
    left = right - face.shape[1]
    luma[6:20, left:right] = face
    for plane in chroma:
        plane[3:10, left // 2 : right // 2] = 128


def _progress(frame: Frame, *, height: int, share: float) -> None:
    reached = round(frame.shape[1] * share / 2)
    luma, *chroma = _planes(frame, height)
    luma[-2:, : reached * 2] = _AMBER_YUV[0]
    for plane, level in zip(chroma, _AMBER_YUV[1:], strict=True):
        plane[-1:, :reached] = level
