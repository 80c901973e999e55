"""Writes what is handed to others: one folder or one zip, whole or not at all, never over a stranger's files.

It knows names and contents alone. A folder that was made here has a small list of its files in it. By this list a later
one takes the place of those files, and of nothing else.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import CannotCreate
from runner.system.private_files import NotOurs, open_private, read_given, whole_file

LIST = "shotrunner-share.json"
"""The name of the list of files in a folder that was made here."""

_INDEX = "index.html"
_NAME = re.compile(r"index\.html|(?:clips|posters)/[A-Za-z0-9_][A-Za-z0-9._~-]*", re.ASCII)
_LIST_LIMIT = 1 << 24
_ZIP_MARK = b"shotrunner share"
_ZIP_MODE = 0o644 << 16
_STEM = 40
_MARKUP = frozenset({".html"})


@dataclass(frozen=True, slots=True)
class Content:
    """One file to hand over: its name with slashes, and its bytes or the file that they are in."""

    name: str
    data: bytes | Path

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(self.name)


def write_folder(target: Path, contents: Iterable[Content], *, force: bool = False) -> None:
    """Write a folder; an earlier one of this kind is replaced, and all other files in it stay.

    The files get the usual rights of this user, since others are to read them.

    Raises:
        CannotCreate: the place has a stranger's files and `force` is not given, or cannot be written.
        DiskFailed: the disk is full or failing.
    """
    try:
        earlier = _earlier(target)
        if earlier is None and not force and (not target.is_dir() or any(target.iterdir())):
            raise _stranger(target)
        _write_folder(target, contents, earlier or ())
    except OSError as error:
        raise file_error(error, target, "cannot be written") from error


def _write_folder(target: Path, contents: Iterable[Content], earlier: Sequence[str]) -> None:
    place = target.absolute()  # the folder `.` has no name of its own
    part = place.with_name(f".{place.name[:_STEM]}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        names = [_put(part, content) for content in contents]
        (part / LIST).write_text(json.dumps({"version": 1, "files": names}, indent=1) + "\n", "utf-8")
        if os.path.lexists(target):
            _replace(target, part, names, earlier)
        else:
            part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(folder: Path, content: Content) -> str:
    path = folder / content.name
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as file:
        if isinstance(content.data, bytes):
            file.write(content.data)
        else:
            with os.fdopen(open_private(content.data), "rb") as source:
                shutil.copyfileobj(source, file)
    return content.name


def _replace(target: Path, part: Path, names: Sequence[str], earlier: Sequence[str]) -> None:
    """Move the new files into a folder that is there. Its page goes first and comes last, so no half of it opens."""
    for folder in {(target / name).parent for name in (*names, *earlier)}:
        if folder.is_symlink() and folder != target:
            raise NotOurs(errno.ELOOP, "is a symbolic link", folder)
    for name in sorted({_INDEX, *earlier}, key=lambda name: name != _INDEX):
        (target / name).unlink(missing_ok=True)
    for name in sorted([LIST, *names], key=lambda name: name == _INDEX):
        (target / name).parent.mkdir(exist_ok=True)
        (part / name).replace(target / name)
    for name in ("clips", "posters"):
        # A folder with a stranger's files in it stays.
        with suppress(OSError):
            (target / name).rmdir()


def _earlier(target: Path) -> Sequence[str] | None:
    """Return the files of a folder that was made here, none for a free place, and None for a stranger's."""
    if not os.path.lexists(target):
        return ()
    try:
        listed = json.loads(read_given(target / LIST, limit=_LIST_LIMIT))["files"]
        return [name for name in listed if _NAME.fullmatch(name)]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def write_zip(target: Path, contents: Iterable[Content], *, now: float, force: bool = False) -> None:
    """Write a zip with one folder in it, which has the zip's name; an earlier one of this kind is replaced.

    Raises:
        CannotCreate: a stranger's file is there and `force` is not given, or the place cannot be written.
        DiskFailed: the disk is full or failing.
    """
    try:
        if os.path.lexists(target) and not force and not _is_ours(target):
            raise _stranger(target)
        with whole_file(target) as file, zipfile.ZipFile(file, "w") as archive:
            archive.comment = _ZIP_MARK
            for content in contents:
                _add(archive, f"{target.stem}/{content.name}", content.data, now)
    except OSError as error:
        raise file_error(error, target, "cannot be written") from error


def _add(archive: zipfile.ZipFile, name: str, data: bytes | Path, now: float) -> None:
    entry = zipfile.ZipInfo(name, time.localtime(now)[:6])
    entry.external_attr = _ZIP_MODE
    if Path(name).suffix in _MARKUP:
        entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as file:
        if isinstance(data, bytes):
            file.write(data)
        else:
            with os.fdopen(open_private(data), "rb") as source:
                shutil.copyfileobj(source, file)


def _is_ours(target: Path) -> bool:
    try:
        with target.open("rb") as file, zipfile.ZipFile(file) as archive:
            return archive.comment == _ZIP_MARK
    except (OSError, zipfile.BadZipFile):
        return False


def _stranger(target: Path) -> CannotCreate:
    return CannotCreate(
        f"{visible(str(target), PATH_LIMIT)} has something else in it",
        advice="name another place, or add --force to write into this one",
    )
