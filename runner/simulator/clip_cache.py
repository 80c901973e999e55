"""Keeps clips on disk; each scene is rendered once, in the background, by an executor outside the server's loop.

In: scenes of accepted jobs. Out: futures of paths. Without the [video] extra, or with rendering off, every path is
that of one ready-made clip that says so. It knows no job and no HTTP.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from importlib.util import find_spec
from pathlib import Path

from runner.simulator.scene import Card, Scene

FALLBACK = Path(__file__).with_name("fallback.mp4")
FALLBACK_SCENE = Scene(
    model="",
    cards=(Card("no preview", ""), Card("no preview", "")),
    prompt="Install shotrunner[video] for real previews",
    details="a stand-in for every clip of this simulator",
    seconds=2.0,
    width=320,
    height=180,
)


def can_render() -> bool:
    """Return whether the [video] extra is installed, without importing it."""
    return all(find_spec(name) is not None for name in ("av", "PIL", "numpy"))


class ClipCache:
    """The cache of clips in `folder`, for one thread; `executor` renders the clips."""

    def __init__(self, folder: Path, *, executor: Executor, render: bool = True) -> None:
        self._folder = folder
        self._executor = executor
        self.real = render and can_render()
        self._clips: dict[str, Future[Path]] = {}

    def order(self, scene: Scene) -> Future[Path]:
        """Return a future of the path of the scene's clip; a second call for the same scene costs nothing."""
        if scene.key not in self._clips:
            self._clips[scene.key] = self._begun(scene)
        return self._clips[scene.key]

    def _begun(self, scene: Scene) -> Future[Path]:
        path = self._folder / f"{scene.key}.mp4" if self.real else FALLBACK
        if self.real and not path.is_file():
            return self._executor.submit(_rendered, scene, path)
        ready: Future[Path] = Future()
        ready.set_result(path)
        return ready


def _rendered(scene: Scene, path: Path) -> Path:
    from runner.simulator.render_clip import render

    render(scene, path)
    return path
