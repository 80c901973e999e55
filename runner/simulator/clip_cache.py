"""Keeps clips on disk; each scene is rendered once, in the background, by an executor outside the server's loop.

Without the [video] extra, or with rendering off, every clip is one ready-made clip that says so.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor, Future
from importlib.util import find_spec
from pathlib import Path

from runner.simulator.scene import Scene

FALLBACK = Path(__file__).with_name("fallback.mp4")
FALLBACK_PICTURE = Path(__file__).with_name("fallback.png")


def fallback_hashes() -> frozenset[str]:
    """Return the hashes of the clip and the picture that all jobs have where none can be drawn."""
    return frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in (FALLBACK, FALLBACK_PICTURE))


class ClipCache:
    """The cache of clips in `folder`, for one thread; `executor` renders the clips."""

    def __init__(self, folder: Path, *, executor: Executor, render: bool = True) -> None:
        self._folder = folder
        self._executor = executor
        self.real = render and all(find_spec(name) is not None for name in ("av", "PIL"))
        self._clips: dict[str, Future[Path]] = {}

    def order(self, scene: Scene) -> Future[Path]:
        """Return a future of the path of the scene's clip; a second call for the same scene costs nothing."""
        if scene.key not in self._clips:
            usual = FALLBACK_PICTURE if scene.is_picture else FALLBACK
            path = self._folder / f"{scene.key}{usual.suffix}" if self.real else usual
            self._clips[scene.key] = self._executor.submit(_rendered, scene, path)
        return self._clips[scene.key]


def _rendered(scene: Scene, path: Path) -> Path:
    if not path.is_file():
        from runner.simulator.render_clip import render

        render(scene, path)
    return path
