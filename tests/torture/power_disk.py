"""A disk that loses its power: what may be on it after some operations, if only what was flushed is sure to be.

In: operations of a recording. Out: contents of the folder, by name. The model is POSIX at its least kind: until a file
is flushed each of its writes may be there or not, in any combination, or be torn between two sectors; until the folder
is flushed so may each of its changes of names. (The method of ALICE and of SQLite's own crash tests.)
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.torture.power_log import FOLDER, Cut, Flushed, Gone, Made, Operation, Renamed, Wrote

SECTOR = 512
Files: TypeAlias = Mapping[str, bytes]


@dataclass(slots=True)
class _Disk:
    """Names and contents that are there, whatever is in the air besides."""

    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytearray] = field(default_factory=dict)

    def copy(self) -> _Disk:
        return _Disk(dict(self.names), {inode: bytearray(data) for inode, data in self.contents.items()})

    def apply(self, operation: Operation) -> None:
        match operation:
            case Made(name, inode):
                self.names[name] = inode
            case Gone(name):
                self.names.pop(name, None)
            case Renamed(old, new, inode):
                self.names.pop(old, None)
                self.names[new] = inode
            case Wrote(inode, offset, data):
                content = self.contents.setdefault(inode, bytearray())
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data
            case Cut(inode, size):
                content = self.contents.setdefault(inode, bytearray())
                del content[size:]
                content.extend(bytes(size - len(content)))

    def files(self) -> dict[str, bytes]:
        return {name: bytes(self.contents.get(inode, b"")) for name, inode in self.names.items()}


@dataclass(frozen=True, slots=True)
class PowerLoss:
    """One state: the first so many operations had been made, and these files were found afterwards."""

    operations: int
    files: Files


def losses(operations: Sequence[Operation], *, chance: random.Random, number: int) -> Iterator[PowerLoss]:
    """Yield up to `number` states, each other than the one before, spread evenly over the moments of the recording."""
    moments = Counter(chance.randrange(1, len(operations) + 1) for _ in range(number))
    disk, pending = _Disk(), list[Operation]()
    for moment, operation in enumerate(operations, 1):
        if isinstance(operation, Flushed):
            for done in [one for one in pending if _belongs(one) == operation.inode]:
                disk.apply(done)
            pending = [one for one in pending if _belongs(one) != operation.inode]
        elif isinstance(operation, Made | Gone | Renamed | Wrote | Cut):
            pending.append(operation)
        choices = (_choice(pending, chance) for _ in range(moments[moment]))
        for chosen in dict.fromkeys(map(tuple, choices)):
            found = disk.copy()
            for one in chosen:
                found.apply(one)
            yield PowerLoss(moment, found.files())


def _belongs(operation: Operation) -> int:
    return operation.inode if isinstance(operation, Wrote | Cut) else FOLDER


def _choice(pending: Sequence[Operation], chance: random.Random) -> Sequence[Operation]:
    """Return none or all of what is pending, or a random part of it, perhaps with a torn write."""
    share = chance.choice((0.0, 1.0, 0.5, 0.5, 0.9, 0.1))
    part = [one for one in pending if chance.random() < share]
    if part and chance.random() < 0.4:
        place = chance.randrange(len(part))
        part[place] = _torn(part[place], chance)
    return part


def _torn(operation: Operation, chance: random.Random) -> Operation:
    if not isinstance(operation, Wrote) or len(operation.data) <= SECTOR:
        return operation
    end = SECTOR * chance.randrange(1, -(-len(operation.data) // SECTOR))
    return Wrote(operation.inode, operation.offset, operation.data[:end])
