"""A run that is known here only by its folder in a store: the newest copy of its record is read, and never written.

In: an address. Out: a private run directory with that copy and the picks, which leaves when the process ends. What the
run has done since the copy was made is not in it.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from runner.domain.errors import NotInStore, UsageError
from runner.domain.store_address import StoreAddress, is_store_address, store_address
from runner.store.marker import write_marker
from runner.store.picks_file import PICKS
from runner.store.reader import open_reader
from runner.store.record_copy import refuse_odd_files
from runner.store.run_dir import RunDir
from runner.system.escapes import command_line
from runner.system.private_files import write_whole

_BELOW = re.compile(r"(.+)/\.shotrunner/state/[0-9]+\.db\.gz\Z")
_MARK = ".copied-from-store"
_ONE_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")


def address_in(target: str | Path) -> StoreAddress | None:
    """Return the address that a target is, None if it is a path.

    Raises:
        UsageError: it is meant as an address, and is not one of a folder.
    """
    text = str(target)
    if is_store_address(text):
        return store_address(text)
    # A path keeps one of the two slashes, and all arguments that name a run are paths.
    found = _ONE_SLASH.match(text)
    if found is None or not isinstance(target, Path) or target.exists():
        return None
    root = "/" if found[1].lower() == "file" else ""
    return store_address(f"{found[1]}://{root}{text[found.end() :]}")


def refuse_address(target: str | Path) -> None:
    """Refuse an address where a command writes into a run or sends something.

    Raises:
        UsageError: the target is an address.
    """
    if address := address_in(target):
        raise UsageError(
            f"{address} is a run in a store, which can only be read from there",
            advice=f"continue it here with: {command_line('restore', str(address), '--run-dir', 'FOLDER')}",
        )


@cache
def run_in_store(address: StoreAddress) -> RunDir:
    """Return a run directory with the newest copy of the record at an address; each is read once in a process.

    Raises:
        NotInStore: there is no copy of a record.
        RecordDamaged: no copy there is whole.
        StoreAway, StoreRefused, ExtraMissing: the store cannot be read.
    """
    from runner.object_store.record_copy import get_newest, is_rehearsal
    from runner.object_store.store import open_store

    store = open_store(address)
    folder = Path(tempfile.mkdtemp(prefix="shotrunner-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place = RunDir(folder)
    get_newest(store, place.state_file, refuse=refuse_odd_files)
    if not place.state_file.exists():
        raise NotInStore(
            f"{address} holds no record of a run",
            advice="give the folder of the store that the run named with --out",
        )
    with suppress(NotInStore):
        write_whole(folder / PICKS, store.read(PICKS))
    with open_reader(place.state_file, checked=True) as reader:
        write_marker(place.state_file, reader.header.run_id, simulated=is_rehearsal(store))
    write_whole(folder / _MARK, f"{address}\n")
    return place


def runs_below(address: StoreAddress) -> list[StoreAddress]:
    """Return the runs whose folders are below an address, such as shards; only itself if a run or nothing is there.

    Everything below the address is listed, so it takes a request for each thousand files.

    Raises:
        StoreAway, StoreRefused, ExtraMissing: the store cannot be read.
    """
    from runner.object_store.record_copy import copies
    from runner.object_store.store import open_store

    store = open_store(address)
    if copies(store):
        return [address]
    folders = {found[1] for name in store.sizes("") if (found := _BELOW.match(name))}
    return [address.under(folder) for folder in sorted(folders)] or [address]


def copied_from(place: RunDir) -> StoreAddress | None:
    """Return the address that a run directory was read from, None if it is a run's own: nothing in a copy stays."""
    try:
        return StoreAddress((place.path / _MARK).read_text("utf-8").strip())
    except OSError:
        return None


def name_of(address: StoreAddress) -> str:
    """Return the last part of an address, for the names of files that are made here."""
    return address.path.rpartition("/")[2]
