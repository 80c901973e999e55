"""Brings a run to this machine from its store, where another machine began it.

In: the address of its folder in the store, and a folder here. Out: its record, as `commands.restore` then completes it
from the log. The log is sealed first: no submission of any other machine can pass after that, however long it slept.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.commands.steps.find_run import is_recorded
from runner.commands.steps.open_run import OpenOptions
from runner.commands.steps.stored_run import holder_at
from runner.domain import failpoints
from runner.domain.disk_errors import file_error
from runner.domain.display import when
from runner.domain.errors import NotInStore, UsageError
from runner.domain.store_address import StoreAddress
from runner.object_store.record_copy import copies, get_newest, is_rehearsal
from runner.object_store.run_log import Part, RunLog, lines_of, newest_part
from runner.object_store.store import ObjectStore, open_store
from runner.store.marker import read_marker, write_marker
from runner.store.reader import open_reader
from runner.store.record_copy import let_continue, refuse_odd_files
from runner.store.run_dir import RunDir, make
from runner.store.witness import beside
from runner.system.escapes import command_line, visible
from runner.system.private_files import flush_folder, write_whole

_DRAFT = ".state.db.restored"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """What a store says of a run: who holds it since when (unix seconds), and what can be brought here.

    `copy` is the number of the newest copy of the record, None without one, and `lines` how many lines the log has
    since then.
    """

    address: StoreAddress
    run_id: str
    held_by: str
    since: float
    copy: int | None
    lines: int

    def sentences(self) -> Iterator[str]:
        """Yield what a person should know before the run is brought here."""
        yield f"run {visible(self.run_id)} is held by {visible(self.held_by)} since {when(self.since)}"
        if self.copy is None:
            yield "its record has no copy in the store yet"
        else:
            yield f"its newest copy is {self.copy:08d}, and the log has {self.lines:,} lines since then"


def look(address: StoreAddress) -> StoredRecord:
    """Return what a store says of its run, and change nothing.

    Raises:
        NotInStore: no run has used this folder of the store.
        StoreAway, StoreRefused, ExtraMissing: the store cannot be read.
    """
    store = open_store(address)
    part = _newest_part(store)
    newest = copies(store)[-1:]
    since = newest[0].number if newest else 0
    return StoredRecord(
        address,
        part.holder.run_id,
        f"{part.holder.machine}:{part.holder.folder}",
        part.since,
        newest[0].number if newest else None,
        sum(1 for _ in lines_of(store, since=since)),
    )


def bring(address: StoreAddress, folder: Path, *, opening: OpenOptions) -> RunDir:
    """Take the run over, and write its newest record and what the log knows beyond it into `folder`.

    It is safe to repeat after a kill. The folder becomes a run with the last step.

    Raises:
        UsageError: the folder holds a run.
        NotInStore: no run has used this folder of the store, or it has no copy of the record yet.
        RecordDamaged: neither copy can be read, or the log lacks a file.
        StoreAway, StoreRefused, ExtraMissing: the store cannot be used.
    """
    store = open_store(address)
    part = _newest_part(store)
    run_id = part.holder.run_id
    if is_recorded(folder) and (
        os.path.lexists(RunDir(folder).state_file) or read_marker(folder / "x") != run_id
    ):
        raise UsageError(f"{folder} holds a run already", advice="name a new folder with --run-dir")
    place = make(folder)
    with opening.locked(place):
        holder = holder_at(place.path, run_id=run_id, shard=part.holder.shard)
        session = uuid.uuid4().hex
        RunLog.open(store, holder, session=session).close()
        failpoints.hit("restore.sealed")
        try:
            _write(store, place, run_id=run_id, session=session)
        except OSError as error:
            raise file_error(error, place.path, "cannot be written") from error
    return place


def _newest_part(store: ObjectStore) -> Part:
    part = newest_part(store)
    if part is None:
        raise NotInStore(f"{store.address}: no run is there", advice="name the folder that --out named")
    return part


def _write(store: ObjectStore, place: RunDir, *, run_id: str, session: str) -> None:
    draft = place.path / _DRAFT
    number = get_newest(store, draft, refuse=refuse_odd_files)
    lines = [json.dumps(line) for line in lines_of(store, since=number)]
    if draft.exists():
        with open_reader(draft) as reader:
            if reader.header.out != str(store.address):
                raise UsageError(
                    f"{store.address} holds a run whose clips are in {reader.header.out}",
                    advice="name that address; a store that was renamed or copied cannot be continued",
                )
            lines.insert(0, json.dumps({"run": asdict(reader.header)}))
    # A witness beside the record: what it knows beyond it is entered like after any other loss. An older one stays.
    known = b"".join(path.read_bytes() for path in (beside(place.state_file),) if path.is_file())
    write_whole(beside(place.state_file), known + "\n".join(("", *lines, "")).encode())
    write_marker(place.state_file, run_id, simulated=is_rehearsal(store))
    if not draft.exists():
        raise NotInStore(
            f"{store.address} has no copy of the record yet",
            advice="make it again from the manifest: "
            + command_line("restore", "MANIFEST", "--run-dir", place.path),
        )
    let_continue(draft, session)
    draft.rename(place.state_file)
    flush_folder(place.path)
    failpoints.hit("restore.brought")
