"""The sound of a cut: that of each clip for exactly as long as its picture lasts, and silence where there is none.

It is encoded even where the pictures are copied. Its packets do not end where pictures end, so copied ones would
drift from clip to clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from runner.video.clip_reader import opened

RATE = 48_000
# Whole numbers: a damaged clip can decode to samples that are not numbers, which the encoder refuses.
_LAYOUT, _FORM = "stereo", "s16p"
_BLOCK = 4096


class Sound:
    """The sound track of a container that is being written."""

    def __init__(self, container: Any) -> None:  # noqa: ANN401 - PyAV has no types
        self._container = container
        self._stream = container.add_stream("aac", rate=RATE)
        self._stream.layout = _LAYOUT
        self._stream.bit_rate = 192_000
        self._written = 0

    def add(self, file: Path | None, *, start: Fraction, until: Fraction) -> None:
        """Write sound up to `until` seconds of the cut: that of a clip from its second `start` on, then silence."""
        wanted = round(until * RATE)
        if file is not None:
            for block in clip_sound(file, start=start, samples=wanted - self._written):
                self._write(block)
        while self._written < wanted:
            self._write(silence(min(_BLOCK, wanted - self._written)))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))

    def _write(self, block: Any) -> None:  # noqa: ANN401 - as above
        block.pts, block.time_base = self._written, Fraction(1, RATE)
        self._written += block.samples
        self._container.mux(self._stream.encode(block))


def clip_sound(file: Path, *, start: Fraction, samples: int) -> Iterator[Any]:
    """Yield at most `samples` samples of a clip's sound from its second `start` on, as frames of 48 kHz in stereo.

    Sound that begins later has silence before it. Sound that cannot be decoded ends.
    """
    left = samples
    with opened(file) as container:
        skipped: int | None = None
        waiting: Any = av.AudioFifo()
        for frame in _resampled(container):
            if skipped is None:
                late = round((Fraction(frame.pts * frame.time_base) - start) * RATE)
                skipped = max(0, -late)
                for block in _silences(min(late, left)):
                    yield block
                    left -= block.samples
            # The queue checks times by itself, and those of a clip may jump.
            frame.pts = None
            waiting.write(frame)
            if skipped:
                gone = min(skipped, waiting.samples)
                waiting.read(gone)
                skipped -= gone
            while left > 0 and (ready := min(left, waiting.samples)):
                block = waiting.read(min(_BLOCK, ready))
                yield block
                left -= block.samples
            if left <= 0:
                return


def silence(samples: int) -> Any:  # noqa: ANN401 - as above
    """Return `samples` samples of silence."""
    block = av.AudioFrame(format=_FORM, layout=_LAYOUT, samples=samples)
    block.sample_rate = RATE
    for plane in block.planes:
        plane.update(bytes(plane.buffer_size))
    return block


def _silences(samples: int) -> Iterator[Any]:
    while samples > 0:
        yield silence(min(_BLOCK, samples))
        samples -= _BLOCK


def _resampled(container: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the decoded sound of a clip; the first frame has a time."""
    resampler = av.AudioResampler(format=_FORM, layout=_LAYOUT, rate=RATE)
    try:
        for frame in container.decode(container.streams.audio[0]):
            if frame.pts is None:
                frame.pts = 0
            for block in resampler.resample(frame):
                if block.pts is None:
                    block.pts, block.time_base = 0, Fraction(1, RATE)
                yield block
        yield from resampler.resample(None)
    except (av.FFmpegError, ValueError):
        # The rest is damaged or changes its form, and silence takes its place.
        return
