"""Puts all files of a folder into a store, as a delivery does.

`python -m tests.benchmarks.put_files FOLDER ADDRESS`
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from runner.domain.store_address import store_address
from runner.engine.options import EngineOptions
from runner.object_store.store import ObjectStore, open_store


def put(store: ObjectStore, path: Path) -> None:
    """Put one file; its hash, which a delivery has from the download, is computed here."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    store.put_file(path, f"clips/{path.name}", sha256=sha256)


def main(arguments: Sequence[str] | None = None) -> int:
    """Put the files, as many at once as a run downloads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.put_files", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("address", type=store_address)
    given = parser.parse_args(arguments)
    with ThreadPoolExecutor(EngineOptions().fetches_at_once) as pool:
        list(pool.map(partial(put, open_store(given.address)), sorted(given.folder.iterdir())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
