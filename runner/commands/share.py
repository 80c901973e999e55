"""A page for others, with its clips and posters: picks or all takes, without money, ids and errors.

In: a run directory or its manifest. Out: one folder or one zip that can leave this machine. It reads the record alone,
and asks no API. Clips in a store are downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from runner.commands.steps.clip_files import LocalCopies, private_folder, stored_clips
from runner.commands.steps.find_run import find_run_to_read
from runner.domain.errors import UsageError
from runner.domain.picks import Decision
from runner.domain.preview_names import PREVIEWS, preview_names
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState
from runner.output.clip_links import file_link
from runner.output.html_report import write_shared_page
from runner.output.share_files import Content, write_folder, write_zip
from runner.output.share_view import SharedTake, file_names, shared_card, shared_head, suffix_of
from runner.store.picks_file import read_picks
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock

Find: TypeAlias = Callable[[str, str | None], Path | None]


@dataclass(frozen=True, slots=True)
class Shared:
    """What was handed over: how many `takes` of how many `shots`, and the `bytes` of their clips.

    `missing` are the labels of takes that belong to it but whose clips are not here.
    """

    path: Path
    takes: int
    shots: int
    bytes: int
    missing: tuple[str, ...]


def share(
    target: str | Path,
    out: Path,
    *,
    simulated: bool | None = None,
    picks_only: bool | None = None,
    prompts: bool = False,
    decide: bool = False,
    force: bool = False,
    clock: Clock | None = None,
) -> Shared:
    """Write a page for others to `out`, a zip if its name says so and else a folder.

    `target` and `simulated` are those of `report`. `picks_only` takes only picked takes; None does that as soon as one
    is picked. `prompts` shows prompts, `decide` lets the other person pick and reject. `force` writes over other files.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file cannot be read.
        UsageError: no take fits, or `out` is a folder of the run itself.
        CannotCreate: something else is in the place, or it cannot be written.
        DiskFailed: the disk is full or failing.
    """
    place = find_run_to_read(target, simulated=simulated)
    _refuse_own(place, out)
    now = (clock or SystemClock()).wall()
    decisions = read_picks(place.path).decisions
    with open_reader(place.state_file) as reader:
        header, simulated, takes = reader.header, reader.nothing_paid, reader.takes()
    wanted = _wanted(takes, decisions, picks_only=picks_only)
    with _files_of(place, header.out) as find:
        here = [take for take in wanted if _clip_of(find, take) is not None]
        if not here:
            raise UsageError(
                "no clip of these takes is here", advice="get clips that are missing with shotrunner fetch"
            )
        shared, files = _laid_out(find, here, decisions)
        page = BytesIO()
        cards = (shared_card(each, prompts=prompts) for each in shared)
        head = shared_head(header, shared, simulated=simulated, made=now, decide=decide)
        write_shared_page(page, cards, head)
        contents = [*files, Content("index.html", page.getvalue())]
        if out.suffix.lower() == ".zip":
            write_zip(out, contents, now=now, force=force)
        else:
            write_folder(out, contents, force=force)
    return Shared(
        out,
        takes=len(here),
        shots=len({take.shot_id for take in here}),
        bytes=sum(take.bytes or 0 for take in here),
        missing=tuple(take.label for take in wanted if take not in here),
    )


def _wanted(
    takes: Sequence[TakeRecord], decisions: Mapping[str, Decision], *, picks_only: bool | None
) -> list[TakeRecord]:
    """Return the takes to show; of all takes, those that delivered a clip and are still in the manifest."""
    picked = [take for take in takes if decisions.get(take.take_id) is Decision.PICK]
    if picks_only and not picked:
        raise UsageError("no take is picked yet", advice="pick takes first, or add --all")
    if picked and picks_only is not False:
        return picked
    return [take for take in takes if take.delivery is DeliveryState.DELIVERED and take.position is not None]


@contextmanager
def _files_of(place: RunDir, out: str) -> Iterator[Find]:
    """Yield what gives a run's file on this disk by its path in the record, None if there is no such plain file."""
    stored = stored_clips(place, out=out)
    if stored is None:
        yield lambda file, _: _plain(place.path / file)
        return
    with private_folder() as folder:
        copies = LocalCopies(stored, folder)

        def find(file: str, sha256: str | None) -> Path | None:
            if (kept := _plain(place.path / file)) is not None:
                return kept
            is_there = file in stored.previews or stored.has(file)
            return copies.of(file, sha256=sha256) if is_there else None

        yield find


def _clip_of(find: Find, take: TakeRecord) -> Path | None:
    """Return the clip of a take on this disk, None if it has none."""
    if take.delivery is not DeliveryState.DELIVERED or take.file is None or file_link(take.file) is None:
        return None
    return find(take.file, take.sha256)


def _plain(path: Path) -> Path | None:
    return path if path.is_file() and not path.is_symlink() else None


def _refuse_own(place: RunDir, out: Path) -> None:
    """Refuse the run directory, what holds it, and its own folders: the two would be mixed."""
    run, there = place.path.resolve(), out.resolve()
    own = (run / "clips", run / PREVIEWS, place.simulator.resolve())
    if run.is_relative_to(there) or any(there.is_relative_to(folder) for folder in own):
        raise UsageError(f"{out} holds the run itself", advice="name a folder or a zip beside the run")


def _laid_out(
    find: Find, takes: Sequence[TakeRecord], decisions: Mapping[str, Decision]
) -> tuple[list[SharedTake], list[Content]]:
    """Return the takes with the names of their files, and the files themselves; a missing poster is left out."""
    names, shared, files = file_names(takes), [], []
    for take in takes:
        stem, pictures = names[take.take_id], preview_names(take.sha256 or "")
        given = {
            f"clips/{stem}{suffix_of(take.file or '')}": _clip_of(find, take),
            f"posters/{stem}.small.jpg": find(pictures.small, None),
            f"posters/{stem}.large.jpg": find(pictures.large, None),
        }
        clip, small, large = (name if path else None for name, path in given.items())
        files += [Content(name, path) for name, path in given.items() if path]
        shared.append(SharedTake(take, clip or "", small, large, decisions.get(take.take_id)))
    return shared, files
