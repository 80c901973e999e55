"""Whose the files in the clips folder are: this job's, an older job's of the same take, or a stranger's.

In: the open folder, the take, its paid job's request id. Out: which outputs have arrived already (proved by hash),
and room for the next one. A stranger's file is never touched, an older paid clip never overwritten: it is moved
aside under its own request id. It knows no network.

    ours, same bytes      arrived: nothing to download
    ours, other bytes     moved aside as `changed`
    an older request's    moved aside under its request id
    nobody's we know      InTheWay
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from runner.delivery.files import Folder, InTheWay
from runner.delivery.sidecar import (
    MOST_BYTES,
    Claim,
    Landed,
    Remainder,
    Sidecar,
    note_bytes,
    read_note,
    read_sidecar,
)
from runner.shots import JsonValue


class Holdings:
    """What is known of one take's files.

    Raises:
        InTheWay: the sidecar's name is taken by a file that is not ours.
    """

    def __init__(self, folder: Folder, take: str, request_id: str, *, outputs: int) -> None:
        self._folder = folder
        self._take = take
        self._request_id = request_id
        self._notes = {index: self._read_note(index) for index in range(outputs)}
        self._sidecar = self._read_sidecar()
        self._landed: dict[int, Landed] = {}
        for landed in self._mine():
            if folder.digest(landed.file) == (landed.sha256, landed.bytes):
                self._landed[landed.index] = landed

    @property
    def landed(self) -> Mapping[int, Landed]:
        """The outputs of this job that are on disk with the bytes they arrived with, by their index."""
        return self._landed

    def part_name(self, index: int) -> str:
        """Return the hidden name under which an output grows; no take id has a `#`, so no two takes share one."""
        return f".{self._take}{f'#{index + 1}' if index else ''}.part"

    def final_name(self, index: int, extension: str) -> str:
        """Return the name of an output: the first carries the take's own name, the others a number."""
        return f"{self._take}.{f'{index + 1}.' if index else ''}{extension}"

    def remainder(self, index: int, url: str) -> Remainder | None:
        """Return what an earlier try of this job left of this link."""
        note = self._notes[index]
        if isinstance(note, Remainder) and (note.request_id, note.url) == (self._request_id, url):
            return note
        return None

    def forget(self, index: int) -> None:
        """Drop the note on an output before its hidden file changes; a claim on a file that exists stays."""
        if not isinstance(self._notes[index], Claim):
            self._drop_note(index)

    def remember(self, index: int, url: str, etag: str, size: int) -> None:
        """Note how the download of an output can be continued."""
        self._write_note(index, Remainder(self._request_id, url, etag, size))

    def admit(self, name: str) -> None:
        """Check that an output may get this name, if need be by moving an older file of ours aside.

        Raises:
            InTheWay: a file that is not ours has it.
        """
        if not self._folder.has(name):
            return
        known = name in {landed.file for landed in self._known()}
        if not known or not self._folder.is_file(name):
            raise InTheWay(f"clips/{name} is not a clip of ours; move it away and fetch again")

    def claim(self, landed: Landed) -> None:
        """Make room for an output and write down that the file about to appear is ours."""
        self.admit(landed.file)
        self._set_older_aside()
        if self._folder.has(landed.file):
            self._set_aside([landed], "changed")
        self._write_note(landed.index, Claim(self._request_id, landed))

    def land(self, landed: Landed, about: Mapping[str, JsonValue]) -> None:
        """Record that an output has its final name."""
        self._landed[landed.index] = landed
        self.settle(about)

    def settle(self, about: Mapping[str, JsonValue]) -> None:
        """Make the sidecar say exactly what has landed, and drop the notes that it replaces."""
        outputs = tuple(self._landed[index] for index in sorted(self._landed))
        current = self._sidecar
        if current is None or (current.request_id, current.outputs) != (self._request_id, outputs):
            self._set_older_aside()
            self._sidecar = Sidecar(self._take, self._request_id, outputs, about)
            self._folder.write_whole(self._sidecar_name, self._sidecar.to_bytes())
        for index in self._landed:
            self._drop_note(index)

    @property
    def _sidecar_name(self) -> str:
        return f"{self._take}.json"

    def _note_name(self, index: int) -> str:
        return f"{self.part_name(index)}.json"

    def _read_sidecar(self) -> Sidecar | None:
        if not self._folder.has(self._sidecar_name):
            return None
        data = self._folder.read(self._sidecar_name, limit=MOST_BYTES)
        found = read_sidecar(data, take=self._take) if data is not None else None
        if found is None:
            raise InTheWay(f"clips/{self._sidecar_name} is not a file of ours; move it away and fetch again")
        return found

    def _read_note(self, index: int) -> Claim | Remainder | None:
        data = self._folder.read(self._note_name(index), limit=MOST_BYTES)
        return read_note(data, take=self._take) if data is not None else None

    def _write_note(self, index: int, note: Claim | Remainder) -> None:
        self._notes[index] = note
        self._folder.write_whole(self._note_name(index), note_bytes(note))

    def _drop_note(self, index: int) -> None:
        self._notes[index] = None
        self._folder.remove(self._note_name(index))

    def _mine(self) -> Iterator[Landed]:
        if self._sidecar and self._sidecar.request_id == self._request_id:
            yield from self._sidecar.outputs
        yield from (claim.landed for claim in self._claims() if claim.request_id == self._request_id)

    def _known(self) -> Iterator[Landed]:
        if self._sidecar:
            yield from self._sidecar.outputs
        yield from (claim.landed for claim in self._claims())

    def _claims(self) -> Iterator[Claim]:
        return (note for note in self._notes.values() if isinstance(note, Claim))

    def _set_older_aside(self) -> None:
        """Move the clips of earlier paid jobs away, their sidecar last, so that a kill in between is resumed."""
        for claim in list(self._claims()):
            if claim.request_id != self._request_id:
                self._set_aside([claim.landed], _tag(claim.request_id))
                self._drop_note(claim.landed.index)
        older = self._sidecar
        if older and older.request_id != self._request_id:
            tag = self._set_aside(older.outputs, _tag(older.request_id))
            moved = tuple(replace(landed, file=self._aside(landed.file, tag)) for landed in older.outputs)
            self._folder.write_whole(f"{self._take}.{tag}.json", replace(older, outputs=moved).to_bytes())
            self._folder.remove(self._sidecar_name)
            self._sidecar = None

    def _set_aside(self, files: Iterable[Landed], wish: str) -> str:
        """Move files of ours to names nobody has, all with the same tag, and return the tag."""
        present = [landed.file for landed in files if self._folder.is_file(landed.file)]
        tag = next(tag for tag in _numbered(wish) if not self._taken(tag, present))
        for file in present:
            self._folder.move(file, self._aside(file, tag))
        return tag

    def _taken(self, tag: str, files: Iterable[str]) -> bool:
        names = [f"{self._take}.{tag}.json", *(self._aside(file, tag) for file in files)]
        return any(self._folder.has(name) for name in names)

    def _aside(self, file: str, tag: str) -> str:
        return f"{self._take}.{tag}{file.removeprefix(self._take)}"


def _tag(request_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "_", request_id[:8]) or "older"


def _numbered(wish: str) -> Iterator[str]:
    yield wish
    yield from (f"{wish}-{number}" for number in count(2))
