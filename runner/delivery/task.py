"""One clip from its link to its place: a function of picklable values, which is safe to repeat anywhere.

In: a ticket, and how the run delivers. Out: the answer for the engine, and what a look into the clip found. The order
in a store is that of a disk: clips and previews come first, and the sidecar last. So a sidecar there proves its files,
and a task that finds its own has nothing left to do.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from runner.delivery.looks import Found, look_into
from runner.delivery.place import RunPlace, source_here
from runner.delivery.ports import ClipSource, ClipStore, MakesInspector
from runner.domain import failpoints
from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.errors import DiskFailed, NotInStore, StoreAway
from runner.domain.job_files import JobFiles
from runner.domain.preview_names import preview_names
from runner.domain.shots import Ticket
from runner.system.file_digest import digest_of

NONE, POSTERS, ALL = KEEP_LOCAL = ("none", "posters", "all")
"""What stays on this machine of clips that are in a store: nothing, the previews, or all."""


@dataclass(frozen=True, slots=True)
class DeliveryTask:
    """How the clips of a run are delivered.

    Without `store` they stay in the folder of `source`. Without `inspector` no one looks into them here. `place` is
    the folder of the run, for a task that may run where it cannot be seen; None for one that runs in this process.
    """

    source: ClipSource
    store: ClipStore | None = None
    keep_local: str = POSTERS
    inspector: MakesInspector | None = None
    place: RunPlace | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for the engine, and what was found in the clip, if someone looked."""

    answer: FetchAnswer
    found: Found | None = None


def deliver(ticket: Ticket, task: DeliveryTask) -> Outcome:
    """Bring the clips of one take to their place, and look into the first.

    Raises:
        DiskFailed: the disk of the run is full or failing.
        StoreRefused: the store refuses, and so it would refuse every clip.
        NotDoneThere: this process cannot do it.
    """
    source, is_scratch = source_here(task.source, task.place, has_store=task.store is not None)
    work = _Delivery(ticket, replace(task, source=source))
    try:
        return work.kept() if task.store is None else work.stored(task.store)
    except StoreAway as error:
        return Outcome(FetchTrouble(error.message, unreachable=True))
    except NotInStore as error:
        return Outcome(FetchTrouble(error.message))
    except FileNotFoundError as error:
        # A worker that was given up did the same meanwhile, and removed its files; the next try finds the sidecar.
        return Outcome(FetchTrouble(f"{error.filename} was removed on its way to the store"))
    except DiskFailed as error:
        if not is_scratch:
            raise
        return Outcome(FetchTrouble(f"on a worker: {error.message}", unreachable=True))


@dataclass(frozen=True, slots=True)
class _Delivery:
    ticket: Ticket
    task: DeliveryTask

    @property
    def _folder(self) -> Path:
        return self.task.source.folder

    def kept(self) -> Outcome:
        """Download to where the clips stay."""
        answer = self.task.source(self.ticket)
        files = (
            None if isinstance(answer, FetchTrouble) or self.task.inspector is None else self._downloaded()
        )
        return Outcome(answer, self._look(files) if files else None)

    def stored(self, store: ClipStore) -> Outcome:
        """Download what the store lacks, and put it there."""
        name = self.task.source.sidecar_of(self.ticket)
        data = store.read(name) if store.size_of(name) is not None else None
        known = None if data is None else self.task.source.read(self.ticket, data)
        if data is not None and known is None:
            said = f"{name} in the store is not a file of this run; move it away and fetch again"
            return Outcome(FetchTrouble(said, permanent=True))
        if known is not None and self._is_whole(store, known):
            return self._found_again(store, known)
        answer = self.task.source(self.ticket)
        if isinstance(answer, FetchTrouble):
            return Outcome(answer)
        if known is not None and known.request_id != self.ticket.request_id:
            self._keep_older(store, known)
        files = self._downloaded()
        if files is None:
            return Outcome(FetchTrouble(f"{name} was changed while its clip was on its way to the store"))
        found = self._look(files)
        for clip in files.clips:
            store.put_file(self._folder / clip.name, clip.name, sha256=clip.sha256)
        failpoints.hit("delivery.uploaded")
        self._put_previews(store, files)
        store.put_bytes(files.sidecar, files.data)
        failpoints.hit("delivery.stored")
        self._tidy(files)
        return Outcome(answer, found)

    def _is_whole(self, store: ClipStore, known: JobFiles) -> bool:
        is_ours = known.request_id == self.ticket.request_id and known.is_complete
        return is_ours and all(store.size_of(clip.name) == clip.bytes for clip in known.clips)

    def _found_again(self, store: ClipStore, files: JobFiles) -> Outcome:
        """Return the outcome of a task that was done before, but whose answer did not arrive."""
        found, clip = None, files.clips[0]
        if self.task.inspector is not None:
            if not (self._folder / clip.name).is_file():
                (self._folder / clip.name).parent.mkdir(parents=True, exist_ok=True)
                store.get_file(clip.name, self._folder / clip.name)
            found = self._look(files)
            self._put_previews(store, files)
        self._tidy(files)
        return Outcome(files.delivered, found)

    def _downloaded(self) -> JobFiles | None:
        """Return what the sidecar on this disk lists."""
        with suppress(OSError):
            data = (self._folder / self.task.source.sidecar_of(self.ticket)).read_bytes()
            files = self.task.source.read(self.ticket, data)
            return files if files is not None and files.request_id == self.ticket.request_id else None
        return None

    def _look(self, files: JobFiles) -> Found | None:
        make = self.task.inspector
        return None if make is None else look_into(files.clips[0], self._folder, make)

    def _previews(self, files: JobFiles) -> list[str]:
        names = preview_names(files.clips[0].sha256)
        made = (names.small, names.large, names.first, names.last, names.motion)
        return [name for name in made if (self._folder / name).is_file()]

    def _put_previews(self, store: ClipStore, files: JobFiles) -> None:
        for name in self._previews(files):
            store.put_file(self._folder / name, name, sha256=digest_of(self._folder / name))

    def _keep_older(self, store: ClipStore, known: JobFiles) -> None:
        """Give the clips of an earlier paid job other names in the store, before the new ones take theirs."""
        for number in count(1):
            older = self.task.source.aside(self.ticket, known.data, number=number)
            if older is None or store.size_of(older.sidecar) is None:
                break
            if store.read(older.sidecar) == older.data:
                return
        if older is None:
            return
        with tempfile.TemporaryDirectory(prefix=".older-", dir=self._folder) as folder:
            for index, (clip, kept) in enumerate(zip(known.clips, older.clips, strict=True)):
                with suppress(NotInStore):
                    store.get_file(clip.name, Path(folder, str(index)))
                    # One that is damaged is kept as it is: the new clip must not wait for it.
                    store.put_file(
                        Path(folder, str(index)), kept.name, sha256=digest_of(Path(folder, str(index)))
                    )
        store.put_bytes(older.sidecar, older.data)

    def _tidy(self, files: JobFiles) -> None:
        """Remove what is not to stay on this disk, the sidecar last."""
        if self.task.keep_local == ALL:
            return
        unwanted = [clip.name for clip in files.clips]
        if self.task.keep_local == NONE:
            unwanted += self._previews(files)
        for name in (*unwanted, files.sidecar):
            (self._folder / name).unlink(missing_ok=True)
