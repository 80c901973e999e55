"""Finds the owner of each file in the clips folder: this job, an older job of the same take, or a stranger.

    this job, same bytes    already downloaded
    this job, other bytes   moved aside as `changed`
    an older request        moved aside under its request id
    unknown                 NameConflict

A name that no other take can have belongs to the job if its sidecar lists the name. An older program gave further
outputs names that another take can have (`s010.2.mp4`). Such a file also needs the bytes in the sidecar.

The sidecar names an output before the file gets the name: otherwise a kill between the two would make the clip look
like a stranger's. So the sidecar only announces an output, and the hash proves it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TypeAlias

from runner.media.clips import clip_names as names
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.part_file import PartFile, write_whole
from runner.media.clips.sidecar import (
    MOST_OUTPUTS,
    TRIAL,
    DeliveredFile,
    PartialDownload,
    RejectedNote,
    Sidecar,
    note_bytes,
    read_note,
    read_rejected_note,
    read_sidecar,
    write_sidecar,
)
from runner.media.http.response import Version
from runner.system.canonical_json import JsonValue

About: TypeAlias = Callable[[], Mapping[str, JsonValue]]
"""Returns the other contents of a sidecar; it is called only when one is written."""


class ClipOwnership:
    """All that is known about one take's files; `stem` is their name without an ending, empty if that is its id.

    `landed` are the outputs of this job that are on disk with their original bytes, by their index.

    Raises:
        NameConflict: a stranger's file has the sidecar's name.
    """

    def __init__(self, folder: Folder, take: str, request_id: str, *, stem: str = "") -> None:
        self._folder = folder
        self._take = take
        self._stem = stem or take
        self._request_id = request_id
        name = names.sidecar_name(self._stem)
        data = folder.read(name)
        self._sidecar = read_sidecar(data, take=take, stem=self._stem)
        if data is not None and self._sidecar is None and not is_left_over(folder, data, stem=self._stem):
            raise NameConflict(f"clips/{name} is not a file of this run; move it away and fetch again")
        mine = self._sidecar if self._sidecar and self._sidecar.request_id == request_id else None
        self._promised = {landed.index: landed for landed in mine.outputs} if mine else {}
        self.landed = {index: landed for index, landed in self._promised.items() if self._has(landed)}

    def remainder(self, index: int, url: str) -> PartialDownload | None:
        """Return the note that an earlier try of this job left about this link."""
        note = read_note(self._folder.read(names.part_note_name(self._take, index)))
        return note if note and (note.request_id, note.url) == (self._request_id, url) else None

    def forget(self, index: int) -> None:
        """Remove the note on an output, before its hidden file changes."""
        self._folder.remove(names.part_note_name(self._take, index))

    def remember(self, index: int, url: str, size: int, version: Version, stalled: int) -> None:
        """Note how the download of an output can be continued."""
        note = PartialDownload(self._request_id, url, size, version, stalled)
        write_whole(self._folder, names.part_note_name(self._take, index), note_bytes(note))

    def keep_rejected(self, index: int, start: bytes) -> str:
        """Keep the start of a rejected download instead of an older one, and return its name."""
        self.drop_rejected(index)
        free = (names.rejected_name(self._take, index, number=number) for number in count(1))
        name = next(name for name in free if not self._folder.has(name))
        note = note_bytes(RejectedNote(name, hashlib.sha256(start).hexdigest()))
        write_whole(self._folder, names.rejected_note_name(self._take, index), note)
        write_whole(self._folder, name, start, over=False)
        return name

    def drop_rejected(self, index: int) -> None:
        """Remove the kept start of a rejected download; a stranger's or a changed file stays."""
        note_name = names.rejected_note_name(self._take, index)
        note = read_rejected_note(self._folder.read(note_name))
        if note and names.stem_of(note.file) == self._take and self._folder.holds(note.file, note.sha256):
            self._folder.remove(note.file)
        self._folder.remove(note_name)

    def admit(self, name: str) -> bool:
        """Return whether an older file of this take must be moved before an output may get this name.

        Raises:
            NameConflict: a stranger's file has it.
        """
        if not self._folder.has(name):
            return False
        known = {landed.file for landed in self._sidecar.outputs} if self._sidecar else set()
        if name not in known or not self._folder.is_file(name):
            raise NameConflict(f"clips/{name} is not a clip of this run; move it away and fetch again")
        return True

    def promise(self, landed: DeliveredFile, about: About) -> None:
        """Make room for an output, and write to the sidecar that the coming file belongs to the job."""
        occupied = self.admit(landed.file)
        if self._sidecar and self._sidecar.request_id != self._request_id:
            self._set_older_aside(self._sidecar)
        if occupied and self._folder.has(landed.file):
            self._set_aside([landed], "changed")
        self._promised[landed.index] = landed
        self._write_sidecar(about)
        # If a power loss undid the sidecar, the clip would look like a stranger's and stay forever.
        self._folder.sync()

    def land(self, landed: DeliveredFile) -> None:
        """Note that an output has its final name."""
        self.landed[landed.index] = landed

    def settle(self, about: About) -> None:
        """Make the sidecar list exactly the downloaded outputs."""
        self._promised = dict(self.landed)
        self._write_sidecar(about)

    def _write_sidecar(self, about: About) -> None:
        outputs = tuple(self._promised[index] for index in sorted(self._promised))
        if self._sidecar is None or self._sidecar.outputs != outputs:
            self._sidecar = Sidecar(self._take, self._request_id, outputs, about())
            write_sidecar(self._folder, self._sidecar, stem=self._stem)

    def _set_older_aside(self, older: Sidecar) -> None:
        """Move the clips of an earlier paid job aside, their sidecar last, so that a killed move is resumed."""
        word = self._set_aside(older.outputs, names.set_aside_word(older.request_id))
        moved = tuple(replace(landed, file=self._aside(landed, word)) for landed in older.outputs)
        write_sidecar(self._folder, replace(older, outputs=moved), stem=self._stem, aside=word)
        self._folder.sync()
        self._folder.remove(names.sidecar_name(self._stem))
        self._sidecar = None

    def _set_aside(self, files: Iterable[DeliveredFile], wish: str) -> str:
        """Move files of this take to free names, all with the same word, and return the word."""
        present = [landed for landed in files if self._is_ours(landed)]
        words = chain([wish], (f"{wish}-{number}" for number in count(2)))
        word = next(word for word in words if not self._is_taken(word, present))
        for landed in present:
            self._folder.move(landed.file, self._aside(landed, word))
        return word

    def _is_taken(self, word: str, files: Iterable[DeliveredFile]) -> bool:
        wanted = [names.sidecar_name(self._stem, aside=word), *(self._aside(one, word) for one in files)]
        return any(map(self._folder.has, wanted))

    def _is_ours(self, landed: DeliveredFile) -> bool:
        is_own_name = names.stem_of(landed.file) == self._stem
        return self._folder.is_file(landed.file) if is_own_name else self._has(landed)

    def _has(self, landed: DeliveredFile) -> bool:
        return self._folder.digest(landed.file) == (landed.sha256, landed.bytes)

    def _aside(self, landed: DeliveredFile, word: str) -> str:
        return names.clip_name(self._stem, landed.index, names.extension_of(landed.file), aside=word)


def is_left_over(folder: Folder, sidecar: bytes, *, stem: str) -> bool:
    """Return whether a sidecar is that of another take whose files have other names by now.

    A kill in the middle of a change of names leaves one: its files went first, and it stayed behind.
    """
    found = read_sidecar(sidecar, take=None, stem=stem)
    return found is not None and not any(folder.has(landed.file) for landed in found.outputs)


def try_clip(clips: Path, stems: Iterable[str]) -> str:
    """Deliver a few bytes under names as long as those of the longest of `stems`, and return the longest name.

    It takes the steps of a real clip, so what would fail after payment fails before it. It makes the folder if it is
    missing, and leaves no file.

    Raises:
        NameConflict: the folder is a link or a file.
        OSError: the disk or the folder cannot store it.
    """
    longest = max((len(os.fsencode(stem)) for stem in stems), default=0)
    # The trial has its own take id, or it would meet the clip of a real take.
    take, last = f"trial-{secrets.token_hex(8)}".ljust(longest, "0"), MOST_OUTPUTS - 1
    # No extension of a clip is longer.
    final = names.clip_name(take, last, "webm")
    with Folder(clips) as folder:
        holdings = ClipOwnership(folder, take, TRIAL)
        try:
            holdings.keep_rejected(last, b"trial")
            holdings.drop_rejected(last)
            holdings.remember(last, "", 0, Version(), 0)
            holdings.remainder(last, "")
            holdings.forget(last)
            with PartFile(folder, names.part_name(take, last)) as part:
                part.write(b"trial")
                landed = DeliveredFile(last, final, part.sha256, part.size)
                part.flush()
                holdings.promise(landed, dict)
                part.place(final)
                holdings.land(landed)
            holdings.settle(dict)
            folder.sync()
        finally:
            for name in (final, names.sidecar_name(take)):
                folder.remove(name)
    return final
