"""Opens the state file of a run without mistaking one run for another; it knows no engine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

from runner.commands.steps.known_jobs import forget_outside, known_outside, refuse_lost_record, second_places
from runner.domain.errors import MOVED, FlagRequired, ShotrunnerError, UsageError
from runner.domain.records import RunHeader
from runner.domain.states import DeliveryState
from runner.store.disk_failure import SafetyOptions
from runner.store.location import place_of
from runner.store.lock import RunLock
from runner.store.marker import read_marker
from runner.store.open_file import Opening
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import REPORT, RunDir
from runner.store.state_file import StateFile
from runner.store.witness import Testimony
from runner.system.clock import Clock, SystemClock
from runner.system.version import __version__
from runner.system.web_links import is_same_api


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How one call opens state files to write: what its user has agreed to, and whose own folders may keep ids.

    `moved` says that the run was moved or copied here on purpose, `network` that it may lie on a network share;
    `environ` names the user's folders. `lock` is the run's own, where the caller holds it over several openings.
    `new_run` says that a run whose folder is gone is forgotten, whatever it may have paid for. `clock` dates what a
    person decides.
    """

    moved: bool = False
    network: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    lock: RunLock | None = None
    new_run: bool = False
    clock: Clock = field(default_factory=SystemClock)

    def locked(self, run_dir: RunDir) -> AbstractContextManager[object]:
        """Return the run's lock to be entered, or what stands for it where the caller holds it already."""
        return RunLock(run_dir.path) if self.lock is None else nullcontext()

    def at(self, run_dir: RunDir) -> Opening:
        """Return how a new state file is opened in `run_dir`, and what it keeps for bad times."""
        try:
            place = place_of(run_dir.path)
        except OSError:
            # What keeps it from being looked at, the opening itself will say.
            place = ""
        provision = SafetyOptions(second_places=second_places(self.environ, run_dir.path))
        return Opening(provision=provision, place=place, network=self.network)


DEFAULT_OPTIONS = OpenOptions()
"""No flag is given, and ids are kept in the run directory alone."""


def open_state(run_dir: RunDir, *, header: RunHeader, opening: OpenOptions = DEFAULT_OPTIONS) -> StateFile:
    """Return the run's state file, made with `header` on the first run.

    Raises:
        UsageError: the folder belongs to another manifest, another API, or to a run of the other kind.
        StateFileUnusable: the file is not a state file, not whole, or was moved without --moved.
    """
    if not os.path.lexists(run_dir.state_file):
        refuse_lost_record(run_dir, _told(run_dir, opening))
        if opening.new_run:
            forget_outside(run_dir, opening.environ)
        return StateFile.create(run_dir.state_file, header, opening.at(run_dir))
    state = open_recorded(run_dir, opening)
    try:
        recorded = state.header
        if recorded.api_base != header.api_base:
            with open_reader(run_dir.state_file, checked=True) as reader:
                # A wrong address that led nowhere must not bind the run: nothing lives there, so it can be corrected.
                if not reader.has_sent():
                    recorded = replace(recorded, api_base=header.api_base)
        refuse_other_run(recorded, header, run_dir, moved=opening.moved)
        if header.out and header.out != recorded.out:
            with open_reader(run_dir.state_file, checked=True) as reader:
                refuse_other_store(reader, header.out)
            recorded = replace(recorded, out=header.out)
        # Its own report stands in for the manifest this once, and is written again when the run ends.
        if header.manifest != REPORT:
            recorded = replace(recorded, manifest=header.manifest)
        if recorded != state.header:
            state.note_header(recorded)
    except ShotrunnerError:
        state.close()
        raise
    return state


def open_recorded(run_dir: RunDir, opening: OpenOptions, *, restoring: bool = False) -> StateFile:
    """Return the state file of a run that is on record; `restoring` takes one that knows less than its witnesses.

    Raises:
        StateFileUnusable: the file is not a state file, not whole, or was moved without --moved.
    """
    told = () if restoring else _told(run_dir, opening)
    return StateFile.open(run_dir.state_file, replace(opening.at(run_dir), moved=opening.moved, told=told))


def _told(run_dir: RunDir, opening: OpenOptions) -> Sequence[Testimony]:
    """Return what witnesses know; of one of another run nothing, if its user says that this is a new one."""
    known, mine = known_outside(run_dir, opening.environ), read_marker(run_dir.state_file)
    return [each for each in known if not (opening.new_run and each.header and each.header.run_id != mine)]


def refuse_other_run(recorded: RunHeader, asked: RunHeader, run_dir: RunDir, *, moved: bool) -> None:
    """Refuse a run directory for the run that is asked for.

    Raises:
        UsageError: the folder belongs to another manifest, another API, or to a run of the other kind.
        FlagRequired: it may be the same board, moved or copied, and no flag says so.
    """
    elsewhere = "choose another folder with --run-dir"
    renamed = f"{elsewhere}, or give this manifest a name of its own"
    if recorded.simulated != asked.simulated:
        kind = "a simulated" if recorded.simulated else "a paid"
        message = f"{run_dir.path} holds {kind} run, which cannot go on as the other kind"
        raise UsageError(message, advice=elsewhere)
    if asked.manifest != REPORT and not _is_one_file(run_dir, recorded.manifest, asked.manifest):
        if recorded.name != asked.name:
            message = f"{run_dir.path} belongs to another manifest: {recorded.manifest}"
            raise UsageError(message, advice=renamed)
        if not moved:
            raise FlagRequired(
                f"{run_dir.path} was made for the manifest {recorded.manifest}, as seen from there, and not for"
                f" {asked.manifest}",
                flag=MOVED,
                condition="if it is the same board, and one of the two was moved or copied on purpose",
                otherwise=f"if not, {renamed}",
            )
    if not is_same_api(recorded.api_base, asked.api_base):
        raise UsageError(
            f"{run_dir.path} was run against {recorded.api_base}, not {asked.api_base}",
            advice="use the same API base, or another folder with --run-dir",
        )


def refuse_other_store(reader: Reader, asked: str) -> None:
    """Refuse another place for the clips of a run that has delivered some.

    Raises:
        UsageError: its clips are elsewhere.
    """
    if any(take.delivery is DeliveryState.DELIVERED for take in reader.standings(delivered=True)):
        there = reader.header.out or "its own folder"
        raise UsageError(
            f"the clips of this run are in {there}, and not in {asked}",
            advice="leave out --out to continue there, or choose another folder with --run-dir",
        )


def _is_one_file(run_dir: RunDir, recorded: str, asked: str) -> bool:
    """Return whether two paths, as seen from a run, name one file: an archive may write accents in the other way."""
    if recorded == asked or normalize("NFC", recorded) != normalize("NFC", asked):
        return recorded == asked
    before = run_dir.path / recorded
    return not before.exists() or before.samefile(run_dir.path / asked)


def new_header(
    run_dir: RunDir,
    manifest: Path,
    *,
    name: str,
    simulated: bool,
    api_base: str,
    now: float = 0.0,
    out: str = "",
) -> RunHeader:
    """Return the header of a run; the manifest is named relative to the folder, so that a tree can be moved whole."""
    relative = os.path.relpath(manifest.resolve(), run_dir.path.resolve())
    return RunHeader(uuid.uuid4().hex, name, relative, simulated, api_base, now, __version__, out=out)
