"""What a process did to the files of one folder, from a recording of its system calls by strace.

In: a command to run, or the text of a recording. Out: a list of operations in order, with what the process said on its
standard output between them. Only calls that change something durable are understood; SQLite's shared index is mapped
memory and never has to survive. It knows no state file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

_CALLS = "openat,close,write,pwrite64,ftruncate,lseek,unlink,rename,link,fsync,fdatasync,fallocate,mkdir"
_LINE = re.compile(r"(?:\d+ +)?(?P<call>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?!\w)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Made:
    """A name came to be in the folder, for a new file or for one that has a name already."""

    name: str
    inode: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A name went from the folder."""

    name: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file took another name, and with it the place of the one that had it."""

    old: str
    new: str
    inode: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes of a file changed."""

    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file got another length."""

    inode: int
    size: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """All of a file so far is on the disk; with inode 0, all names of the folder are."""

    inode: int


@dataclass(frozen=True, slots=True)
class Said:
    """The process gave its word."""

    line: str


Operation: TypeAlias = Made | Gone | Renamed | Wrote | Cut | Flushed | Said
FOLDER = 0


@cache
def obstacle() -> str:
    """Return why no system calls can be recorded or made to fail here, or nothing."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    command = [strace, "-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync", "-o", os.devnull, "true"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return "strace may not trace here"
    return ""


def record(arguments: Sequence[str], *, cwd: Path, folder: Path, log: Path) -> list[Operation]:
    """Run `python -m …` under strace to its end and return what it did to `folder`.

    Raises: RuntimeError if it failed, or did something that is not understood.
    """
    command = ["strace", "-f", "-qq", "-xx", "-s", "16777216", "-e", "signal=none", "-e", f"trace={_CALLS}"]
    command += ["-o", str(log), sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    with log.open(encoding="ascii") as lines:
        found = list(_Folder(folder).follow(lines))
    log.unlink()
    return found


@dataclass(slots=True)
class _Folder:
    """The folder while its log is read: names, open descriptors with their inodes, and where each stands."""

    path: Path
    names: dict[str, int] = field(default_factory=dict)
    open: dict[int, int] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    made: int = 0

    def follow(self, lines: Iterator[str] | Sequence[str]) -> Iterator[Operation]:
        """Yield the operations of all lines."""
        begun: dict[str, str] = {}
        for line in lines:
            whole = _joined(line.rstrip("\n"), begun)
            found = _LINE.match(whole) if whole else None
            if found and int(found["result"]) >= 0:
                texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(found["arguments"])]
                numbers = [int(word) for word in _NUMBER.findall(_TEXT.sub("", found["arguments"]))]
                yield from self._operate(
                    found["call"], found["arguments"], texts, numbers, int(found["result"])
                )

    def _operate(
        self, call: str, arguments: str, texts: Sequence[bytes], numbers: Sequence[int], result: int
    ) -> Iterator[Operation]:
        if call == "openat":
            flags = {flag for flag in ("O_CREAT", "O_TRUNC") if flag in arguments}
            yield from self._opened(texts[0].decode(), result, flags)
        elif call == "close":
            self.open.pop(numbers[0], None)
        elif call == "write" and numbers[0] == 1:
            yield from (Said(line) for line in texts[0].decode().splitlines())
        elif call in {"unlink", "link", "rename"}:
            yield from self._named(call, [self._name(text.decode()) for text in texts])
        elif call != "mkdir" and numbers[0] in self.open:
            yield from self._changed(call, numbers[0], texts, numbers, result)

    def _opened(self, path: str, fd: int, flags: Collection[str]) -> Iterator[Operation]:
        self.open.pop(fd, None)
        if Path(path) == self.path:
            self.open[fd] = FOLDER
            return
        name = self._name(path)
        if name is None:
            return
        if name not in self.names:
            if "O_CREAT" not in flags:
                raise RuntimeError(f"{name} was there before the recording began")
            self.made += 1
            self.names[name] = self.made
            yield Made(name, self.made)
        self.open[fd] = self.names[name]
        self.places[fd] = 0
        if "O_TRUNC" in flags:
            yield Cut(self.names[name], 0)

    def _name(self, path: str) -> str | None:
        """Return the name in the folder that a path means, None for any other."""
        found = Path(path)
        return found.name if found.parent == self.path and not path.endswith("-shm") else None

    def _named(self, call: str, names: Sequence[str | None]) -> Iterator[Operation]:
        first, last = names[0], names[-1]
        if first is None or last is None:
            return
        inode = self.names[first]
        if call == "link":
            self.names[last] = inode
            yield Made(last, inode)
            return
        del self.names[first]
        if call == "rename":
            self.names[last] = inode
            yield Renamed(first, last, inode)
        else:
            yield Gone(first)

    def _changed(
        self, call: str, fd: int, texts: Sequence[bytes], numbers: Sequence[int], result: int
    ) -> Iterator[Operation]:
        inode = self.open[fd]
        if call in {"fsync", "fdatasync"}:
            yield Flushed(inode)
        elif call == "ftruncate":
            yield Cut(inode, numbers[1])
        elif call == "pwrite64":
            yield Wrote(inode, numbers[2], texts[0][:result])
        elif call == "write":
            yield Wrote(inode, self.places[fd], texts[0][:result])
            self.places[fd] += result
        elif call == "lseek":
            self.places[fd] = result
        else:
            raise RuntimeError(f"{call} is not understood")


def _joined(line: str, begun: dict[str, str]) -> str:
    """Return a whole call, put together where another thread came between its two halves."""
    thread = line.partition(" ")[0]
    if line.endswith("<unfinished ...>"):
        begun[thread] = line.removesuffix("<unfinished ...>")
        return ""
    resumed = re.match(r"\d+ +<\.\.\. \w+ resumed>(.*)", line)
    return begun.pop(thread) + resumed[1] if resumed else line


def promises(operations: Sequence[Operation]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return what was said: by take the attempt that was sent, and by take the id that was got."""
    words = [operation.line.split() for operation in operations if isinstance(operation, Said)]
    sent = {take: attempt for verb, take, attempt, *_ in words if verb == "sent"}
    got = {rest[1]: rest[3] for rest in words if rest[0] == "got"}
    return sent, got
