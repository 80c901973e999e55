"""A page for others, with its clips and posters: picks or all takes, without money, ids and errors.

In: a run directory or its manifest. Out: one folder or one zip that can leave this machine. It reads the record alone,
and downloads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from runner.commands.steps.find_run import find_run
from runner.domain.errors import UsageError
from runner.domain.picks import Decision
from runner.domain.preview_names import PREVIEWS, preview_names
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState
from runner.output.html_report import write_shared_page
from runner.output.report_view import file_link
from runner.output.share_files import Content, write_folder, write_zip
from runner.output.share_view import SharedTake, file_names, shared_card, shared_head, suffix_of
from runner.store.picks_file import read_picks
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock


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
    place = find_run(target, simulated=simulated)
    _refuse_own(place, out)
    now = (clock or SystemClock()).wall()
    decisions = read_picks(place.path).decisions
    with open_reader(place.state_file) as reader:
        header, simulated, takes = reader.header, reader.nothing_paid, reader.takes()
    wanted = _wanted(takes, decisions, picks_only=picks_only)
    here = [take for take in wanted if _clip_of(place, take) is not None]
    if not here:
        raise UsageError(
            "no clip of these takes is here", advice="get clips that are missing with shotrunner fetch"
        )
    shared, files = _laid_out(place, here, decisions)
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


def _clip_of(place: RunDir, take: TakeRecord) -> Path | None:
    """Return the clip of a take if it is a plain file in the run directory."""
    if take.delivery is not DeliveryState.DELIVERED or take.file is None or file_link(take.file) is None:
        return None
    return _plain(place.path / take.file)


def _plain(path: Path) -> Path | None:
    return path if path.is_file() and not path.is_symlink() else None


def _refuse_own(place: RunDir, out: Path) -> None:
    """Refuse the run directory, what holds it, and its own folders: the two would be mixed."""
    run, there = place.path.resolve(), out.resolve()
    own = (run / "clips", run / PREVIEWS, place.simulator.resolve())
    if run.is_relative_to(there) or any(there.is_relative_to(folder) for folder in own):
        raise UsageError(f"{out} holds the run itself", advice="name a folder or a zip beside the run")


def _laid_out(
    place: RunDir, takes: Sequence[TakeRecord], decisions: Mapping[str, Decision]
) -> tuple[list[SharedTake], list[Content]]:
    """Return the takes with the names of their files, and the files themselves; a missing poster is left out."""
    names, shared, files = file_names(takes), [], []
    for take in takes:
        stem, pictures = names[take.take_id], preview_names(take.sha256 or "")
        given = {
            f"clips/{stem}{suffix_of(take.file or '')}": _clip_of(place, take),
            f"posters/{stem}.small.jpg": _plain(place.path / pictures.small),
            f"posters/{stem}.large.jpg": _plain(place.path / pictures.large),
        }
        clip, small, large = (name if path else None for name, path in given.items())
        files += [Content(name, path) for name, path in given.items() if path]
        shared.append(SharedTake(take, clip or "", small, large, decisions.get(take.take_id)))
    return shared, files
