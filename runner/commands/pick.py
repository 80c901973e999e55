"""Choosing takes: decisions go into the user's own `picks.csv`, and several people's files become one.

In: a run, and words of a person or a file. Out: what changed, and how far choosing has come. It writes that file alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.find_run import find_run, find_run_to_read
from runner.commands.steps.stored_report import publish_picks
from runner.domain.display import counted, iso, listed
from runner.domain.errors import ShotrunnerError, UsageError
from runner.domain.picks import Decision, Pick, Picks, newest, settled
from runner.domain.take_names import NamedTake, TakeNames
from runner.store.picks_file import (
    PICKS,
    OpenPicks,
    open_picks,
    picks_lock,
    read_others,
    take_names,
    write_picks,
)
from runner.store.picks_table import PicksTable, Record, moment, read_table
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock
from runner.system.csv_cells import guard


@dataclass(frozen=True, slots=True)
class ShotChoices:
    """What was decided about the takes of one shot; each take is in one of the four."""

    shot: str
    picked: tuple[NamedTake, ...]
    rejected: tuple[NamedTake, ...]
    maybe: tuple[NamedTake, ...]
    undecided: tuple[NamedTake, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """A run's takes with what counts as decided about them, shot by shot."""

    place: RunDir
    names: TakeNames
    picks: Picks

    @property
    def shots(self) -> tuple[ShotChoices, ...]:
        """All shots in board order, without takes whose rows left the manifest undecided."""
        decisions = self.picks.decisions
        found = []
        for shot, takes in self.names.shots.items():
            listed_takes = [take for take in takes if not take.is_gone or take.take_id in decisions]
            by = {
                said: tuple(take for take in listed_takes if decisions.get(take.take_id) is said)
                for said in (*Decision, None)
            }
            if listed_takes:
                pick, reject = by[Decision.PICK], by[Decision.REJECT]
                found.append(ShotChoices(shot, pick, reject, by[Decision.MAYBE], by[None]))
        return tuple(found)

    def label(self, take_id: str) -> str:
        """Return the short name of a take, or its id if it is not on record."""
        take = self.names.by_id.get(take_id)
        return take.label if take else take_id

    def word(self, take_id: str) -> str:
        """Return a name of a take that means no other one."""
        label = self.label(take_id)
        return take_id if label in self.names.shots or label in self.names.by_id else label


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision or an import changed: the rows that are new in the file, and all choices after it.

    `before` is what counted until then. `rows` is how many rows an imported file has, and `read_as` counts its words
    that were taken for a decision without being one. `remarks` say what did not reach the store of the clips.
    """

    choices: Choices
    changed: tuple[Pick, ...]
    before: Mapping[str, Decision]
    rows: int = 0
    read_as: Mapping[tuple[str, Decision], int] | None = None
    remarks: tuple[str, ...] = ()


def choices_of(target: Path, *, simulated: bool | None = None) -> Choices:
    """Return what was decided about the takes of a run; the parameters are those of `report`.

    Raises:
        FileMissing, StateFileUnusable: as for `status`.
        PicksInvalid: a cell of `picks.csv` cannot be read.
    """
    place = find_run_to_read(target, simulated=simulated)
    names, found = _opened(place)
    return Choices(place, names, settled(found.table.rows, names))


def decide(
    target: Path,
    words: Sequence[str],
    decision: Decision | None,
    *,
    who: str,
    note: str | None = None,
    settle: bool = False,
    dry_run: bool = False,
    simulated: bool | None = None,
    clock: Clock | None = None,
) -> Decided:
    """Record what `who` decides about takes; None takes back what they decided, and their note becomes a comment.

    `words` are takes as `meant_takes` understands them. Without a `note` an earlier one stays. With `settle` the
    decisions of all others on these takes are taken back.

    Raises:
        UsageError: a word means no take, or a take has no clip to decide about.
        PicksInvalid, FileMissing, StateFileUnusable: as for `choices_of`.
    """
    place = find_run(target, simulated=simulated)
    with picks_lock(place.path, dry_run=dry_run):
        names, found = _opened(place)
        takes = meant_takes(names, words)
        _refuse_unfinished(takes, decision)
        now = iso((clock or SystemClock()).wall())
        rows: list[Pick] = []
        for take in takes:
            said = [row for row in found.table.rows if row.take == take.take_id and not row.is_comment]
            mine = next((row for row in reversed(said) if row.who == who), None)
            kept = mine.note if mine and note is None else note or ""
            # What they say now counts, even if a clock that was fast gave their earlier row a later time.
            when = mine.when if mine and mine.moment > now.removesuffix("Z") else now
            rows += _row(take, decision, kept, who, when)
            others = {row.who: row for row in said if row.who != who and row.decision is not None}
            for other in others.values() if settle else ():
                rows += _row(take, None, other.note, other.who, _behind(other, now))
        return _merged(place, names, found, rows, dry_run=dry_run)


def _refuse_unfinished(takes: Iterable[NamedTake], decision: Decision | None) -> None:
    unfinished = [take.label for take in takes if take.finished_at is None]
    if unfinished and decision is not None:
        raise UsageError(
            f"there is no clip yet to decide about: {listed(unfinished)}; nothing was recorded",
            advice="see where they stand with shotrunner status",
        )


def _row(take: NamedTake, decision: Decision | None, note: str, who: str, when: str) -> list[Pick]:
    """Return the row of a decision; one that is taken back leaves its note as a comment."""
    said = Pick(take.shot_id, take.take_id, decision, note if decision else "", who, when)
    return [said, replace(said, note=note)] if note and not decision else [said]


def _behind(row: Pick, now: str) -> str:
    """Return a time behind a row's own, which is usually now; a later import of the same row then changes nothing."""
    if row.moment < now.removesuffix("Z"):
        return now
    try:
        behind = datetime.fromisoformat(row.when) + timedelta(milliseconds=1)
    except OverflowError:
        # The last moment that there is.
        return row.when
    return moment(behind.isoformat()) or now


def import_picks(
    target: Path,
    source: Path,
    *,
    who: str,
    dry_run: bool = False,
    simulated: bool | None = None,
) -> Decided:
    """Merge another file into a run's: a `picks.csv`, or a `report.csv` whose column `pick` was filled in.

    Rows that name no one are of `who`, and rows without a time are of the time when the file was last changed. Of a
    report only what differs from what counts now is a decision.

    Raises:
        FileMissing: the file cannot be read.
        PicksInvalid, StateFileUnusable: as for `choices_of`, of either file.
    """
    place = find_run(target, simulated=simulated)
    when = "" if not source.exists() else iso(source.stat().st_mtime)
    table = read_others(source, who=who, when=when)
    with picks_lock(place.path, dry_run=dry_run):
        names, found = _opened(place)
        rows = _new_rows(table, found.table, names)
        done = _merged(place, names, found, rows, dry_run=dry_run)
    return replace(done, rows=len(table.rows), read_as=table.read_as)


def take_over(
    place: RunDir, rows: Iterable[Sequence[str]], *, who: str, clock: Clock | None = None
) -> Decided:
    """Merge decisions that an open page sent, each as the cells of a `picks.csv`, as an import of that file would.

    Raises:
        UsageError: a take is not on record.
        PicksInvalid, StateFileUnusable: a cell cannot be read, or as for `choices_of`.
    """
    when = iso((clock or SystemClock()).wall())
    table = read_table(
        PicksTable(records=tuple(Record(tuple(map(guard, row))) for row in rows)).to_bytes(),
        file="the page",
        who=who,
        when=when,
    )
    with picks_lock(place.path):
        names, found = _opened(place)
        new = _new_rows(table, found.table, names)
        if strangers := sorted({row.take for row in new if row.take not in names.by_id}):
            raise UsageError(f"not on record: {listed(strangers)}; nothing was kept")
        return _merged(place, names, found, new, dry_run=False)


def _new_rows(table: PicksTable, present: PicksTable, names: TakeNames) -> tuple[Pick, ...]:
    """Return what another file says, beside what is `present`."""
    rows = table.named(names).rows
    if table.is_report:
        counts = settled(present.rows, names).decisions
        rows = tuple(row for row in rows if row.decision is not counts.get(row.take))
    if not table.has_comments:
        decided = {(row.take, row.who) for row in present.rows if row.decision is not None}
        # In a file without a column for comments a lone note is the person's newest word: the decision was taken back.
        back = [row for row in rows if row.is_comment and (row.take, row.who) in decided]
        rows = (*(replace(row, note="") for row in back), *rows)
    return rows


def _opened(place: RunDir) -> tuple[TakeNames, OpenPicks]:
    names, found = take_names(place.path), open_picks(place.path)
    return names, replace(found, table=found.table.named(names))


def _merged(
    place: RunDir, names: TakeNames, found: OpenPicks, rows: Iterable[Pick], *, dry_run: bool
) -> Decided:
    rows, before = tuple(rows), settled(found.table.rows, names).decisions
    merged = found.table.merged(rows)
    remarks: tuple[str, ...] = ()
    if not dry_run and write_picks(found, rows):
        remarks = _published(place)
    after: PicksTable = merged.table
    choices = Choices(place, names, settled(after.rows, names))
    return Decided(choices, merged.changed, before, remarks=remarks)


def _published(place: RunDir) -> tuple[str, ...]:
    """Copy the picks of a run to the store of its clips; if that fails they are safe here, and a remark says so."""
    try:
        if (stored := stored_clips(place)) is not None:
            publish_picks(place, stored)
    except ShotrunnerError as error:
        return (f"{PICKS} is written here, but not in the store: {error.message}; the next report copies it",)
    return ()


def counting(choices: Choices, take_id: str) -> Pick | None:
    """Return the row whose decision on a take counts, None if none does."""
    return newest(row for row in choices.picks.rows if row.take == take_id).get(take_id)


def meant_takes(names: TakeNames, words: Sequence[str]) -> tuple[NamedTake, ...]:
    """Return the takes that words name, each once: ids, labels, or a shot and then numbers of its takes.

    A shot without a number means its take if it has a single one.

    Raises:
        UsageError: a word means no take, or a shot has several.
    """
    found: dict[str, NamedTake] = {}
    shot, is_open = "", False
    for word in words:
        if numbered := names.numbered(shot, word):
            found[numbered.take_id], is_open = numbered, False
            continue
        if is_open and word.isdecimal() and word not in names.shots:
            raise _no_take(names, word, shot)
        if is_open:
            found |= _single(names, shot)
        is_open = word in names.shots
        if is_open:
            shot = word
        elif take := names.find(word):
            found[take.take_id] = _sure(names, word, take)
        else:
            raise _no_take(names, word, shot)
    return tuple((found | (_single(names, shot) if is_open else {})).values())


def _single(names: TakeNames, shot: str) -> dict[str, NamedTake]:
    takes = names.shots[shot]
    if len(takes) > 1:
        numbers = listed([str(take.number) for take in takes])
        raise UsageError(
            f"shot {shot!r} has {counted(len(takes), 'take')}; which?",
            advice=f"name them by number: {numbers}",
        )
    return {take.take_id: _sure(names, shot, take) for take in takes}


def _sure(names: TakeNames, word: str, take: NamedTake) -> NamedTake:
    """Return the take that a word means; refuse a word that is the label of another one as well."""
    other = names.labelled(word)
    if other is not None and other is not take:
        raise UsageError(
            f"{word!r} means two takes: {take.take_id} of shot {take.shot_id}, and take {other.number} of shot"
            f" {other.shot_id}",
            advice=f"write {take.shot_id} {take.number}, or {other.shot_id} {other.number}",
        )
    return take


def _no_take(names: TakeNames, word: str, shot: str) -> UsageError:
    if shot and word.isdecimal():
        numbers = listed([str(take.number) for take in names.shots[shot]])
        return UsageError(f"shot {shot!r} has no take {word}", advice=f"it has {numbers}")
    import difflib

    known = {name: None for take in names.by_id.values() for name in (take.shot_id, take.label, take.take_id)}
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.4)
    hint = f"did you mean {listed(close)}?" if close else f"the shots are {listed(tuple(names.shots))}"
    return UsageError(f"there is no take {word!r}", advice=hint)
