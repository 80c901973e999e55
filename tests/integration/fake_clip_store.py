"""A store of clips on a folder, for tests of what uses one, and inspectors that can be made in any process."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from runner.domain.errors import NotInStore, StoreAway, StoreRefused
from runner.video.testing import FakeInspector

POISON = "the decoder crashed on it"


@dataclass(frozen=True)
class FakeClipStore:
    """Keeps files below `folder`; a write is refused or not answered as the file `fault` in it says, if it is there.

    Its content is `refused`, or `away` and the number of writes that succeed before.
    """

    folder: Path

    def fail(self, fault: str) -> None:
        """Let later writes fail; with no words they succeed again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "fault").write_text(fault)

    def names(self) -> set[str]:
        """Return the names of all files."""
        found = {
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()
        }
        return found - {"fault"}

    def size_of(self, name: str) -> int | None:
        path = self.folder / name
        return path.stat().st_size if path.is_file() else None

    def read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotInStore(name) from error

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        data = source.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        self.put_bytes(name, data)

    def put_bytes(self, name: str, data: bytes) -> None:
        self._answer()
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        coming = target.with_name(f"{target.name}.{os.urandom(4).hex()}.coming")
        coming.write_bytes(data)
        coming.replace(target)

    def get_file(self, name: str, target: Path) -> None:
        try:
            shutil.copyfile(self.folder / name, target)
        except FileNotFoundError as error:
            raise NotInStore(name) from error

    def _answer(self) -> None:
        fault = self.folder / "fault"
        what, _, number = fault.read_text().partition(" ") if fault.exists() else ("", "", "")
        if what == "refused":
            raise StoreRefused("no right to write", advice="ask for it")
        if what == "away":
            if number in {"", "0"}:
                raise StoreAway("the store does not answer")
            fault.write_text(f"away {int(number) - 1}")


def fake_inspector() -> FakeInspector:
    """Return an inspector that cannot read one clip."""
    return FakeInspector({"poison.mp4": POISON})
