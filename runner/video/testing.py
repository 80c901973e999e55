"""A fake inspector, for tests of what uses one; it passes the same conformance tests as the real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.domain.clip_checks import Probe
from runner.domain.preview_names import preview_names
from runner.video.inspector import NoDecoder
from runner.video.judge import Look
from runner.video.kinds import NotReadable

PLAIN = Look(Probe("mp4", "h264", 1280, 720, 5.0, 24.0, 120, "", is_decoded=True), end=5.0)


class FakeInspector:
    """Answers by the file's name: with a look, the reason why a clip is not readable, or an error to raise.

    `history` are the names it was asked about, in order. Once `stop` was called it has no decoder any more.
    """

    def __init__(
        self, answers: Mapping[str, Look | str | Exception] | None = None, *, decodes: bool = True
    ) -> None:
        self._answers = dict(answers or {})
        self._is_stopped = False
        self.decodes = decodes
        self.history: list[str] = []

    def look(self, path: Path) -> Look:
        """Return the scripted look, else that of a plain clip."""
        if self._is_stopped:
            raise NoDecoder("it was closed")
        self.history.append(path.name)
        answer = self._answers.get(path.name, PLAIN)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            raise NotReadable(answer)
        return answer

    def make_previews(self, path: Path, run_dir: Path, sha256: str) -> None:
        """Write empty files under the names of the previews."""
        self.look(path)
        names = preview_names(sha256)
        for name in (names.small, names.large, names.first, names.last, names.motion):
            (run_dir / name).parent.mkdir(exist_ok=True)
            (run_dir / name).touch()

    def make_copy(self, path: Path, target: Path) -> None:
        """Write an empty file."""
        self.look(path)
        target.touch()

    def stop(self) -> None:
        """Refuse everything from now on."""
        self._is_stopped = True

    def close(self) -> None:
        """Do the same."""
        self._is_stopped = True
