"""A run and its copies: only one of them continues, and a person says which.

In: the path of a state file, the recorded place and the present place. Out: a refusal, or, after the person's choice,
a marker in the folders of the others. It knows no SQLite.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from runner.domain.errors import MOVED, FlagRequired
from runner.store.location import is_same, still_there
from runner.store.marker import read_marker, successor_of, write_marker


def refuse_other_place(path: Path, known: str, run_id: str, here: str) -> None:
    """Refuse a file that was last open in another folder than `here`, as a copy is, or that continues elsewhere.

    `known` is the recorded place. Without the refusal both might pay.

    Raises:
        StateFileUnusable: as said.
    """
    successor = successor_of(path)
    if successor is not None:
        raise FlagRequired(
            f"{path}: this run goes on in {successor.parent}, as its user has said; if both go on, both will pay for"
            " the same takes",
            flag=MOVED,
            condition="if this one goes on from now on, and the other never again",
            otherwise=f"if not, go on with the run in {successor.parent}",
        )
    if not known or not here:
        return
    original = still_there(known, run_id, path.name)
    # A second mount shows one folder under two paths, without a copy. A copy may also have replaced the original.
    if is_same(known, here) and (original is None or original.samefile(path.parent)):
        return
    if original is not None:
        raise FlagRequired(
            f"{path}: is a copy, and the run itself is still in {original}; if both go on, both will pay for the same"
            " takes",
            flag=MOVED,
            condition="if this copy goes on from now on, and the original never again",
            otherwise=f"if not, go on with the run in {original}",
        )
    raise FlagRequired(
        f"{path}: was moved or copied here; if another copy goes on too, both will pay for the same takes",
        flag=MOVED,
        condition="if it was moved or copied here on purpose and goes on nowhere else",
        otherwise="if not, go on where it came from",
    )


def let_others_go(path: Path, known: str, run_id: str) -> None:
    """Mark the other known folders of this run: the run continues at `path`, and not in them."""
    with suppress(OSError):
        original, successor = still_there(known, run_id, path.name), successor_of(path)
        for folder in {original, successor and successor.parent}:
            # A marker may name any folder; only a folder with this same run is written into.
            if folder is None or not folder.is_absolute() or read_marker(folder / path.name) != run_id:
                continue
            if (folder / path.name).is_file() and not folder.samefile(path.parent):
                write_marker(folder / path.name, run_id, successor=path)
