"""Says what a run would do with each take, and why: this is the plan that a person reads before paying.

In: takes, their records, and how the two compare. Out: one `Step` per take, in the manifest's order, then the steps
of takes that left it. It knows no SQL, no terminal and no clock, and decides nothing that a run would not do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runner.domain.body_diff import Difference, differences
from runner.domain.money import estimate
from runner.domain.records import Standing
from runner.domain.shots import Take
from runner.domain.states import PAID, DeliveryState, TakeState
from runner.plan.compare import Comparison, ended_in_vain, older_id

S = TakeState
_CHANGED = "changed after it was paid for"


class Action(StrEnum):
    """What a run would do with a take."""

    SUBMIT = "submit"
    ADOPT = "adopt"
    WATCH = "watch"
    DOWNLOAD = "download"
    SKIP = "skip"
    STALE = "stale"
    HELD = "held"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Step:
    """What a run would do with one take; `estimate` is in US dollars, and None if it has no price or is not submitted.

    `changes` are the fields in which the row differs from what was sent; `was` is the id on record of a renamed take.
    """

    take_id: str
    shot_id: str
    model: str
    action: Action
    reason: str
    changes: tuple[Difference, ...] = ()
    estimate: float | None = None
    was: str | None = None
    is_removed: bool = False


def steps(
    takes: Sequence[Take],
    recorded: Mapping[str, Standing],
    comparison: Comparison,
    *,
    files_missing: Collection[str] = (),
    download: bool = True,
) -> tuple[Step, ...]:
    """Return what a run would do with every take, every record whose row is gone, and every older render.

    `files_missing` are the ids on record of delivered takes whose clips are not on disk.
    """
    planner = _Planner(recorded, comparison, files_missing, download=download)
    return (*map(planner.step, takes), *planner.removed(), *planner.older({take.id for take in takes}))


class _Planner:
    def __init__(
        self,
        recorded: Mapping[str, Standing],
        comparison: Comparison,
        files_missing: Collection[str],
        *,
        download: bool,
    ) -> None:
        self._recorded, self._comparison = recorded, comparison
        self._missing, self._download = files_missing, download
        self._came_from = comparison.came_from
        self._taken_over = frozenset(self._came_from.values())
        self._renewed, self._changed = frozenset(comparison.renewed), frozenset(comparison.changed)
        self._new = frozenset((*comparison.new, *comparison.replaced))
        self._without_clip = {
            record.fingerprint: record for record in recorded.values() if ended_in_vain(record)
        }

    def step(self, take: Take) -> Step:
        """Return what a run would do with one take."""
        was = self._came_from.get(take.id)
        record = self._recorded.get(was or take.id)
        if record is None:
            return self._submit(take, "new")
        same = record.fingerprint == take.fingerprint
        changes = () if same else differences(record.model, record.body, take.model, take.body)
        if take.id in self._new:
            if was is None and record.take_id in self._taken_over:
                return self._submit(take, "new")
            # Its record makes room.
            is_paid = record.state in PAID
            why = _CHANGED if is_paid else f"{record.state} before, and its row changed"
            return self._submit(take, _called(was, why), changes, was=was)
        if take.id in self._renewed:
            return self._submit(take, _failed(record) if record.state is S.FAILED else "new", changes)
        action, reason = self._standing(record)
        if take.id in self._changed:
            action, reason = self._of_changed(take, record, action, reason, is_renamed=was is not None)
        elif was and action in {Action.SUBMIT, Action.SKIP}:
            action = Action.ADOPT
        elif action is Action.SUBMIT:
            return self._submit(take, reason)
        return Step(take.id, take.shot_id, take.model, action, _called(was, reason), changes, was=was)

    def removed(self) -> Iterator[Step]:
        """Yield what a run would do with records whose rows are gone; records that were never sent are left out."""
        for take_id in (*self._comparison.removed, *self._comparison.withdrawn):
            record = self._recorded[take_id]
            if record.state is not S.PENDING or record.attempts:
                action, reason = self._standing(record)
                action = Action.SKIP if action is Action.SUBMIT else action
                yield _without_row(take_id, record, action, f"no longer in the manifest; {reason}")

    def older(self, planned: Collection[str]) -> Iterator[Step]:
        """Yield what a run would still do with older renders; complete and ended ones are left out."""
        for take_id, record in self._recorded.items():
            now = self._comparison.renames.get(take_id, take_id)
            action, reason = self._standing(record)
            if older_id(now) and now not in planned and action not in {Action.SUBMIT, Action.SKIP}:
                yield _without_row(now, record, action, f"an older render; {reason}")

    def _submit(
        self, take: Take, reason: str, changes: tuple[Difference, ...] = (), *, was: str | None = None
    ) -> Step:
        price = estimate(take.price, take.body)
        reason += self._said_before(take)
        return Step(take.id, take.shot_id, take.model, Action.SUBMIT, reason, changes, price, was)

    def _said_before(self, take: Take) -> str:
        """Return a remark if a take's exact request was sent before under another id and gave no clip."""
        before = self._without_clip.get(take.fingerprint)
        if before is None or before.take_id == take.id:
            return ""
        ended = "failed" if before.state is S.FAILED else f"was {before.state}"
        return f"; the same request {ended} before, as {before.take_id}"

    def _of_changed(
        self, take: Take, record: Standing, action: Action, reason: str, *, is_renamed: bool
    ) -> tuple[Action, str]:
        """Return what becomes of a take whose row changed after it was sent, from what else a run would do with it."""
        if action is Action.HELD:
            return action, reason
        if record.kept_for != take.fingerprint:
            return Action.STALE, f"{_CHANGED}; {reason}{self._said_before(take)}"
        kept = "kept as it is, though its row changed"
        if action is Action.SKIP:
            return Action.ADOPT if is_renamed else action, kept
        return action, f"{kept}; {reason}"

    def _standing(self, record: Standing) -> tuple[Action, str]:
        match record.state:
            case S.PENDING:
                return Action.SUBMIT, "not submitted yet" if record.attempts else "new"
            case S.SUBMITTING | S.HELD:
                return Action.HELD, record.reason or "submitted without an answer; perhaps paid for"
            case S.QUEUED | S.RUNNING:
                return Action.WATCH, f"{record.state} as {record.request_id}"
            case S.SUCCEEDED:
                return self._clip(record)
            case S.FAILED:
                return Action.SKIP, _failed(record)
            case S.CANCELLED | S.DROPPED:
                return Action.SKIP, f"{record.state} before"

    def _clip(self, record: Standing) -> tuple[Action, str]:
        is_missing = record.take_id in self._missing
        if record.delivery is DeliveryState.DELIVERED and not is_missing:
            return Action.SKIP, "complete"
        if not self._download:
            return Action.SKIP, "rendered; its clip stays at the API"
        if is_missing:
            return Action.DOWNLOAD, "file missing"
        if record.delivery is DeliveryState.UNDELIVERABLE:
            return Action.DOWNLOAD, f"could not be fetched before: {record.reason}"
        return Action.DOWNLOAD, "rendered, not fetched yet"


def _without_row(take_id: str, record: Standing, action: Action, reason: str) -> Step:
    return Step(take_id, record.shot_id, record.model, action, reason, is_removed=True)


def _called(was: str | None, reason: str) -> str:
    return f"was {was}; {reason}" if was else reason


def _failed(record: Standing) -> str:
    why = ": ".join(filter(None, (record.failure and record.failure.value, record.reason)))
    return f"failed before: {why or 'unknown'}"
