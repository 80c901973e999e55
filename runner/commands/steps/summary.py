"""What a run is about to do and what it did, as values: for the person who agrees, for a script, for the last lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.known_picks import picks_for_reports
from runner.commands.steps.run_activity import activity_of
from runner.domain.display import counted, listed, spent_words, tally
from runner.domain.errors import CannotCreate, DiskFailed, ShotrunnerError
from runner.domain.limits import Limits
from runner.domain.money import NOTHING_SPENT, Spending, total
from runner.domain.preview_names import preview_names
from runner.domain.records import RunRecord, Standing, TakeRecord
from runner.domain.run_ending import EXIT_CODES, Ending, EndingKind, exit_code_by
from runner.domain.run_events import RunEnded
from runner.domain.states import ACTIVE, IN_DOUBT, UNFINISHED, DeliveryState, TakeState
from runner.engine.options import EngineOptions
from runner.plan.actions import Action
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.system.escapes import command_line
from runner.system.private_files import read_private

if TYPE_CHECKING:
    from runner.output.csv_report import Frame
    from runner.output.write_reports import Reports
    from runner.plan.compare import Comparison
    from runner.plan.scope import Decision

POSTERS_SHOWN = 12
POSTER_BYTES = 200_000
"""How many posters a notebook shows, and how large each may be."""


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run is about to do, for the person who is asked to agree; amounts are US dollars.

    `submits` counts the jobs, each of them paid unless `simulated`; `host` is who is paid. `estimate` is what those
    with a price cost together, None if none has one, and `unpriced` counts the others. `spent` is what the run
    directory may have paid before, but for `unknown` submissions of which neither cost nor price is known. `remarks`
    are about takes whose rows changed or left the manifest. `duplicates` send the request of another take. With
    `says_simulated` the host says that it is a simulator; a person is asked nonetheless.
    """

    submits: int
    host: str
    simulated: bool
    remarks: tuple[str, ...] = ()
    estimate: float | None = None
    unpriced: int = 0
    spent: float = 0.0
    duplicates: tuple[str, ...] = ()
    unknown: int = 0
    says_simulated: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class RunSummary:
    """How a run ended and what it left behind; `exit_code` follows the documented table.

    `counts` and `deliveries` are over the takes the run was about; `clips` are the delivered files among them, in the
    manifest's order, `take_ids` names the take of each, and `labels` its short name. `held` are all of the run's held
    takes; `reports` is None where they could not be written, which `remarks` then say. `signal` is the number of the
    one that stopped it. `spending` is all that the run directory ever may have paid, `left` are the takes that were not
    submitted, and `cancelled` those that only a retry submits again. `stale` counts clips of rows that changed since;
    `failed` are the takes that failed or whose clips could not be downloaded. `flagged` are the takes the run was about
    with something odd about their clips; that is not a failure. `limits` held at the end, and `tuned` are the flags of
    `run` for what people changed on the way. `out` is the address of the store that the clips are in, empty if they
    are in the run directory.
    """

    run_dir: Path
    simulated: bool
    ending: Ending
    submitted: int
    counts: Mapping[TakeState, int]
    deliveries: Mapping[DeliveryState, int]
    clips: tuple[Path, ...]
    held: tuple[TakeRecord, ...]
    reports: Reports | None
    signal: int | None = None
    remarks: tuple[str, ...] = ()
    spending: Spending = NOTHING_SPENT
    left: tuple[TakeRecord, ...] = ()
    cancelled: tuple[TakeRecord, ...] = ()
    stale: int = 0
    dropped: int = 0
    failed: tuple[TakeRecord, ...] = ()
    flagged: tuple[Standing, ...] = ()
    take_ids: Mapping[Path, str] = field(default_factory=dict)
    labels: Mapping[Path, str] = field(default_factory=dict)
    name: str = ""
    out: str = ""
    limits: Limits = field(default_factory=Limits)
    tuned: tuple[str, ...] = ()

    def address_of(self, clip: Path) -> str:
        """Return where a clip is: its path, or its address in the store."""
        return f"{self.out}/{clip.relative_to(self.run_dir).as_posix()}" if self.out else str(clip)

    @property
    def exit_code(self) -> int:
        """0 complete, 2 some failed, 3 stopped on purpose, 4 a person is needed, 69, 74, 77, or 128 and a signal."""
        if self.signal is not None:
            return 128 + self.signal
        if code := EXIT_CODES.get(self.ending.kind):
            return code
        unrendered = UNFINISHED | {TakeState.CANCELLED}
        if self.ending.kind is EndingKind.LIMIT and any(self.counts.get(state) for state in unrendered):
            return 3
        lost = self.deliveries.get(DeliveryState.UNDELIVERABLE, 0)
        return 4 if self.held else exit_code_by(self.counts) or (2 if lost else 0)

    def __repr__(self) -> str:
        return f"<RunSummary {self.name}: {self._standing}; exit code {self.exit_code}; {self.run_dir}>"

    def _repr_html_(self) -> str:
        """Return counts, money and the posters of the first clips, for a notebook; it reads the run directory."""
        from runner.system.notebook_html import figures, paragraph

        stopped = f"stopped: {self.ending.reason}" if self.ending.reason else ""
        spent = spent_words(self.spending, simulated=self.simulated)
        said = (
            f"{self.name}: {self._standing}",
            spent,
            stopped,
            f"exit code {self.exit_code}; {self.run_dir}",
        )
        return "".join(map(paragraph, filter(None, said))) + figures(self._posters())

    def to_frame(self) -> Frame:
        """Return the table of the run's `report.csv` as a pandas frame, as it is now; raises as `report`."""
        from runner.commands.report import to_frame

        return to_frame(self.run_dir)

    @property
    def _standing(self) -> str:
        from runner.output.status_text import standings

        takes = counted(sum(self.counts.values()), "take")
        return f"{takes}: {tally(standings(self.counts, self.deliveries))}".rstrip(": ")

    def _posters(self) -> Iterator[tuple[str, bytes]]:
        """Yield the labels and the small posters of the first clips that have one."""
        place, left = RunDir(self.run_dir), POSTERS_SHOWN
        with suppress(ShotrunnerError, OSError), open_reader(place.state_file) as reader:
            for take in reader.each_take():
                if not (left and take.file and take.sha256 and place.path / take.file in self.labels):
                    continue
                with suppress(OSError):
                    poster = read_private(place.path / preview_names(take.sha256).small, limit=POSTER_BYTES)
                    yield take.label or take.take_id, poster
                    left -= 1


def ended_event(summary: RunSummary, *, at: float) -> RunEnded:
    """Return what followers of a run hear of its end."""
    return RunEnded(
        at=at,
        run_dir=summary.run_dir,
        name=summary.name,
        kind=summary.ending.kind,
        reason=summary.ending.reason,
        exit_code=summary.exit_code,
        simulated=summary.simulated,
        counts=summary.counts,
        deliveries=summary.deliveries,
        spending=summary.spending,
        page=summary.reports.html if summary.reports is not None else None,
    )


def foresee(decision: Decision, record: RunRecord, *, host: str, simulated: bool) -> RunEstimate:
    """Return what a run is about to do by its decision, for the person who is asked to agree."""
    prices = [step.estimate for step in decision.submits if step.estimate is not None]
    # Takes whose rows changed since they were sent, and that are not sent again.
    stays = {Action.STALE, Action.HELD}
    stale = {step.take_id for step in decision.steps if step.action in stays and step.changes}
    return RunEstimate(
        submits=len(decision.submits),
        estimate=total(prices) if prices else None,
        unpriced=len(decision.submits) - len(prices),
        spent=record.spending.committed,
        unknown=record.spending.unpriced,
        host=host,
        simulated=simulated,
        remarks=_remarks(decision.scope.comparison, stale),
        duplicates=decision.duplicates,
    )


def _needs_nothing(take: Standing, options: EngineOptions) -> bool:
    """Return whether a run has nothing left to do for a take by itself."""
    if take.state is TakeState.SUCCEEDED:
        return not options.download or take.delivery is DeliveryState.DELIVERED
    return take.state is not TakeState.PENDING and take.state not in ACTIVE


def count_finished(takes: Iterable[Standing], options: EngineOptions) -> int:
    """Return for how many takes a run has nothing left to do by itself."""
    return sum(1 for take in takes if _needs_nothing(take, options))


def _remarks(comparison: Comparison, stale: Collection[str]) -> tuple[str, ...]:
    from runner.plan.compare import older_id

    came_from = comparison.came_from
    renamed = [f"{take} (was {old})" for take, old in came_from.items() if older_id(old) != take]
    taken_back = [f"{take} (was kept as {old})" for take, old in came_from.items() if older_id(old) == take]
    replaced = [f"{take_id} (kept as {comparison.renames[take_id]})" for take_id in comparison.replaced]
    changed = [take_id for take_id in comparison.changed if take_id in stale]
    said = (
        ("renamed in the manifest, so nothing is paid for again", renamed),
        ("an edit was taken back, so nothing is paid for again", taken_back),
        ("ended without a clip and changed since, so sent again", replaced),
        (
            "changed after it was paid for, and kept: --stale renders it again, shotrunner accept keeps it",
            changed,
        ),
        ("no longer in the manifest; what was paid for is kept", comparison.removed),
        ("no longer in the manifest, so not sent", comparison.withdrawn),
    )
    return tuple(f"{why}: {listed(names)}" for why, names in said if names)


def sum_up(
    place: RunDir, about: Mapping[str, int], *, ending: Ending, signal: int | None, now: float
) -> RunSummary:
    """Bring the reports up to date, and return how the run ended for the takes `about`.

    `about` holds the submissions of each before the run. Of takes that are simply done, no record stays in memory.
    """
    counts, deliveries = Counter[TakeState](), Counter[DeliveryState]()
    clips: dict[Path, tuple[str, str]] = {}
    unusual: list[TakeRecord] = []
    submitted = -sum(about.values())
    with open_reader(place.state_file, checked=True) as reader:
        reports, failed = _reports(place, reader, now=now)
        for take in reader.each_take():
            if take.take_id in about:
                counts[take.state] += 1
                deliveries[take.delivery] += take.state is TakeState.SUCCEEDED
                submitted += take.attempts
                if _is_delivered(take) and take.file:
                    clips[place.path / take.file] = (take.take_id, take.label)
            if not (_is_delivered(take) or _is_rendered(take)) or take.is_stale or take.reason:
                unusual.append(take)
        header, spending, simulated = reader.header, reader.spending(), reader.nothing_paid
        flagged = tuple(take for take in reader.flagged() if take.take_id in about)
    mine = [take for take in unusual if take.take_id in about]
    return RunSummary(
        run_dir=place.path,
        name=header.name,
        out=header.out,
        simulated=simulated,
        ending=ending,
        submitted=submitted,
        counts=counts,
        deliveries=+deliveries,
        clips=tuple(clips),
        held=tuple(take for take in unusual if take.state in IN_DOUBT),
        stale=sum(1 for take in mine if take.is_stale and take.state is TakeState.SUCCEEDED),
        dropped=sum(1 for take in unusual if take.state is TakeState.DROPPED and take.position is not None),
        reports=reports,
        signal=signal,
        remarks=(*failed, *_odd_clips(take for take in mine if _is_delivered(take))),
        failed=tuple(
            take
            for take in mine
            if take.state is TakeState.FAILED or take.delivery is DeliveryState.UNDELIVERABLE
        ),
        flagged=flagged,
        take_ids={clip: take_id for clip, (take_id, _) in clips.items()},
        labels={clip: label for clip, (_, label) in clips.items()},
        spending=spending,
        left=tuple(take for take in mine if take.state is TakeState.PENDING),
        # Those of removed rows, or of rows that changed since, are no retry's.
        cancelled=tuple(
            take
            for take in mine
            if take.state is TakeState.CANCELLED and take.position is not None and not take.is_stale
        ),
    )


def _reports(place: RunDir, reader: Reader, *, now: float) -> tuple[Reports | None, tuple[str, ...]]:
    """Write the reports unless they are current; a page that a program holds open fails no finished run.

    Nor does a store that takes no report: the one here is written, and a remark says what to do.
    """
    from runner.commands.steps.stored_report import publish_reports, report_links
    from runner.output.write_reports import reports_are_current, reports_of, write_report

    picks, remarks = picks_for_reports(place)
    try:
        if reports_are_current(place.path, reader, picks=picks):
            return reports_of(place.path), remarks
        goes_on, header = activity_of(place, reader).goes_on, reader.header
        stored = stored_clips(place, out=header.out)
        links = report_links(place, header, stored, now=now)
        reports = write_report(place.path, reader, now=now, picks=picks, goes_on=goes_on, links=links)
    except (CannotCreate, DiskFailed) as error:
        return None, (
            *remarks,
            f"the report could not be written: {error.message}",
        )
    try:
        if stored is not None:
            publish_reports(place, reader, stored, now=now, picks=picks, goes_on=goes_on)
    except ShotrunnerError as error:
        again = command_line("report", place.path)
        return reports, (*remarks, f"the store has no new report: {error.message}; try again with: {again}")
    return reports, remarks


def _is_delivered(take: TakeRecord) -> bool:
    return take.delivery is DeliveryState.DELIVERED


def _is_rendered(take: TakeRecord) -> bool:
    return take.state is TakeState.SUCCEEDED and take.delivery is DeliveryState.NONE


def _odd_clips(delivered: Iterable[TakeRecord]) -> Iterator[str]:
    """Return a sentence for each thing that is unusual about clips, with their takes."""
    said: dict[str, list[str]] = {}
    for take in delivered:
        if take.reason:
            said.setdefault(take.reason, []).append(take.take_id)
    return (f"{remark}: {listed(take_ids)}" for remark, take_ids in said.items())
