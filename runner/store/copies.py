"""A run and the copies of it: only one of them goes on, and a person says which.

In: the path of a state file, the place on record and the place it is in. Out: a refusal, or, once a person has said
that this one goes on, a word in the folders of the others. It knows no SQLite.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from runner.domain.errors import MOVED, FlagRequired
from runner.store.location import is_same, still_there
from runner.store.marker import read_marker, successor_of, write_marker


def refuse_other_place(path: Path, known: str, run_id: str, here: str) -> None:
    """Refuse a file that was last open in another folder than `here`, as a copy is, or that goes on elsewhere.

    `known` is the place on record. Both might pay.

    Raises:
        StateFileUnusable: as said.
    """
    successor = successor_of(path)
    if successor is not None:
        raise FlagRequired(
            f"{path}: this run goes on in {successor.parent}, as its user has said; if both go on, both will pay for"
            " the same takes",
            flag=MOVED,
            condition="if this one goes on from now on, and the other nevermore",
            otherwise=f"if not, go on with the run in {successor.parent}",
        )
    if not known or not here:
        return
    original = still_there(known, run_id, path.name)
    # One folder under two paths, by a second mount, is no copy; a copy may stand where one set aside had been.
    if is_same(known, here) and (original is None or original.samefile(path.parent)):
        return
    if original is not None:
        raise FlagRequired(
            f"{path}: is a copy, and the run itself is still in {original}; if both go on, both will pay for the same"
            " takes",
            flag=MOVED,
            condition="if this copy goes on from now on, and the original nevermore",
            otherwise=f"if not, go on with the run in {original}",
        )
    raise FlagRequired(
        f"{path}: was moved or copied here; if another copy goes on too, both will pay for the same takes",
        flag=MOVED,
        condition="if it was moved or copied here on purpose and goes on nowhere else",
        otherwise="if not, go on where it came from",
    )


def let_others_go(path: Path, known: str, run_id: str) -> None:
    """Mark the folders of the same run that are known here: it goes on at `path`, and not in them."""
    with suppress(OSError):
        original, successor = still_there(known, run_id, path.name), successor_of(path)
        for folder in {original, successor and successor.parent}:
            # A marker may name any folder; only one that holds this very run is written into.
            if folder is None or not folder.is_absolute() or read_marker(folder / path.name) != run_id:
                continue
            if (folder / path.name).is_file() and not folder.samefile(path.parent):
                write_marker(folder / path.name, run_id, successor=path)
