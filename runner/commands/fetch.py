"""Clips of a run that are missing or not whole are downloaded again; the manifest is not needed.

It never submits: the engine gets succeeded takes alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.commands.steps.clip_hooks import hooking
from runner.commands.steps.inspect_clips import inspecting
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.open_for_decision import fitting, named, open_for_decision
from runner.commands.steps.recheck_failed import RecheckResult, recheck
from runner.commands.steps.request import RunRequest
from runner.commands.steps.restore_stored import restore_sidecars_of
from runner.commands.steps.run_log import run_log
from runner.commands.steps.session import run_engine
from runner.commands.steps.stored_run import refuse_if_elsewhere
from runner.commands.steps.summary import RunSummary, ended_event, sum_up
from runner.commands.steps.sync_record import name_files
from runner.commands.verify import Finding, Flaw, find_flaws, mark_flawed, wants_fetching, without_sidecar
from runner.domain import failpoints
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.run_ending import EndingKind, exit_code_by
from runner.domain.states import RETRYABLE, DeliveryState, TakeState
from runner.media.clips.restore_sidecars import give_own_names
from runner.plan.selection import ALL, Choice
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch was about and how it ended; `restored` are takes whose sidecar was written again.

    `without_clip` counts the takes it was about that have no clip to fetch, by where they stand.
    """

    summary: RunSummary
    findings: tuple[Finding, ...]
    restored: tuple[str, ...]
    without_clip: Mapping[TakeState, int]

    @property
    def untouched(self) -> tuple[Finding, ...]:
        """What stands in place of a sidecar: it may be another program's, so it is left alone."""
        return tuple(finding for finding in self.findings if finding.flaw is Flaw.OTHER_SIDECAR)

    @property
    def exit_code(self) -> int:
        """0 if every clip it was about is here, 2 if not; 69, 77, or 128 and a signal if it was cut short.

        4 while a take is held, and 3 while one is active or not sent yet, as of a run.
        """
        short = self.summary.ending.kind is not EndingKind.FINISHED or self.summary.signal is not None
        if short and self.summary.exit_code >= 64:
            return self.summary.exit_code
        if code := exit_code_by(self.without_clip):
            return code
        deliveries = self.summary.deliveries
        return 0 if sum(deliveries.values()) == deliveries.get(DeliveryState.DELIVERED, 0) else 2


def fetch(
    place: RunDir, take_ids: Sequence[str] = (), *, request: RunRequest, choice: Choice = ALL
) -> Fetched:
    """Download the clips of succeeded takes that are not here whole: of `take_ids`, else of `choice`, else of all.

    With a template of names in the request, all files of the run are given their new names first.

    Raises:
        UsageError: the template does not suit the takes, or a named take has no clip to fetch, also after a second
            look where it was given up.
        RunInUse: a runner works on this run.
        RunElsewhere: another folder or machine continues it, whose clips in the store are the ones to keep.
    """
    with open_reader(place.state_file) as reader:
        origin = reader.header.api_base
        take_ids = fitting(
            reader.takes(),
            take_ids,
            choice,
            lambda take: _may_have_a_clip(take, origin),
            none="has a clip",
            decisions=decisions_for(place, choice),
        )
    with open_for_decision(place, request.opening, request.clock) as record:
        state, reader = record.state, record.reader
        refuse_if_elsewhere(state)
        give_own_names(place.path, reader.takes())
        renamed = name_files(state, request.name_template, clock=request.clock)
        findings = find_flaws(place, _meant(reader, take_ids))
        mark_flawed(place, record, findings)
        takes = _meant(reader, take_ids)
        again = recheck(request, place, state, takes, insist=bool(take_ids))
        takes = _meant(reader, take_ids) if again.asked else takes
        _refuse_without_clip(takes if take_ids else (), again)
        restored = restore_sidecars_of(place, without_sidecar(takes, findings))
        wanted = [take for take in takes if wants_fetching(take)]
        about = {take.take_id: take.attempts for take in wanted}
        # A fetch is what a person is sent to for the clips that a run left, so it looks into all of them.
        with (
            inspecting(request, place, state, patience=math.inf) as inspection,
            hooking(request, place) as hooks,
        ):
            ending, signal = run_engine(request, place, state, about, inspection=inspection, hooks=hooks)
        failpoints.hit("upkeep.fetched")
        notes = () if wanted else state.notes
    summary = sum_up(place, about, ending=ending, signal=signal, now=request.clock.wall())
    found = tuple(remark for each in (inspection, hooks) if each is not None for remark in each.remarks)
    remarks = (*notes, *renamed, *again.remarks, *summary.remarks, *found)
    # Dropped ones were given up, and what was never sent and left the manifest will not be.
    others: Counter[TakeState] = Counter(
        take.state
        for take in takes
        if take.state not in {TakeState.SUCCEEDED, TakeState.DROPPED}
        and not (take.state is TakeState.PENDING and take.position is None)
    )
    fetched = Fetched(replace(summary, remarks=remarks), findings, restored, others)
    if wanted:
        ended = ended_event(fetched.summary, at=request.clock.wall())
        with run_log(place, request.clock) as log:
            log.on_event(replace(ended, exit_code=fetched.exit_code))
    return fetched


def _meant(reader: Reader, take_ids: Sequence[str]) -> Sequence[TakeRecord]:
    takes = reader.takes()
    return named(takes, take_ids) if take_ids else takes


def _may_have_a_clip(take: TakeRecord, origin: str) -> bool:
    linked = take.state in RETRYABLE and bool(take.links(origin).taken)
    return take.state is TakeState.SUCCEEDED or take.is_given_up or linked


def _refuse_without_clip(takes: Sequence[TakeRecord], again: RecheckResult) -> None:
    any_clip = any(take.state is TakeState.SUCCEEDED for take in takes)
    for take in takes:
        # A choice may hold some that were given up: they were asked about, and the others are fetched.
        if take.state is not TakeState.SUCCEEDED and not (any_clip and take.take_id in again.lost):
            said = again.lost.get(take.take_id)
            more = f", and asked again the API says: {said}" if said else ""
            raise UsageError(f"take {take.take_id} has no clip to fetch: it is {take.state}{more}")
