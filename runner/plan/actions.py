"""Says what a run would do with each take, and why: this is the plan that a person reads before paying.

In: takes, their records, and how the two compare. Out: one `Step` per take, in the manifest's order, then the steps
of takes that left it. It knows no SQL, no terminal and no clock, and decides nothing that a run would not do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runner.domain.body_diff import Difference, differences
from runner.domain.money import estimate
from runner.domain.shots import Take
from runner.domain.states import ACTIVE, DeliveryState, TakeState
from runner.plan.compare import Comparison, Recorded, ended_in_vain, older_id

S = TakeState


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


class Known(Recorded, Protocol):
    """What a step needs to know of a recorded take beyond a comparison."""

    @property
    def shot_id(self) -> str:
        """Its shot."""
        ...

    @property
    def model(self) -> str:
        """The model it was sent to."""
        ...

    @property
    def body(self) -> str:
        """What was sent."""
        ...

    @property
    def delivery(self) -> DeliveryState:
        """The state of its clip."""
        ...

    @property
    def reason(self) -> str:
        """Why it is in its state, in a few words."""
        ...

    @property
    def request_id(self) -> str | None:
        """Its job's id."""
        ...


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
    recorded: Mapping[str, Known],
    comparison: Comparison,
    *,
    files_missing: Collection[str] = (),
    download: bool = True,
) -> tuple[Step, ...]:
    """Return what a run would do with every take, every record whose row is gone, and every older render.

    `files_missing` are the ids on record of delivered takes whose clips are not on disk.
    """
    planner = _Planner(recorded, comparison, files_missing, download)
    return (*map(planner.step, takes), *planner.removed(), *planner.older({take.id for take in takes}))


class _Planner:
    def __init__(
        self,
        recorded: Mapping[str, Known],
        comparison: Comparison,
        files_missing: Collection[str],
        download: bool,  # noqa: FBT001 - one call
    ) -> None:
        self._recorded = recorded
        self._came_from = comparison.came_from
        self._taken_over = frozenset(self._came_from.values())
        self._renames = comparison.renames
        self._renewed = frozenset(comparison.renewed)
        self._changed = frozenset(comparison.changed)
        self._new = frozenset((*comparison.new, *comparison.replaced))
        self._removed = (*comparison.removed, *comparison.withdrawn)
        self._in_vain = {record.fingerprint: record for record in recorded.values() if ended_in_vain(record)}
        self._missing = files_missing
        self._download = download

    def step(self, take: Take) -> Step:
        """Return what a run would do with one take."""
        was = self._came_from.get(take.id)
        record = self._recorded.get(was or take.id)
        if record is None:
            return self._submit(take, "new")
        same = record.fingerprint == take.fingerprint
        changes = () if same else differences(record.model, record.body, take.model, take.body)
        if take.id in self._new:
            # Its record became another take, or makes room.
            mine = was is not None or record.take_id not in self._taken_over
            reason = _called(was, _why_again(record)) if mine else "new"
            return self._submit(take, reason, changes if mine else (), was=was)
        if take.id in self._renewed:
            failed = record.state is S.FAILED
            return self._submit(take, f"failed before: {_why(record)}" if failed else "new", changes)
        if take.id in self._changed:
            return self._of_changed(take, record, changes, was)
        action, reason = self._standing(record)
        if was and action not in {Action.HELD, Action.WATCH, Action.DOWNLOAD}:
            action = Action.ADOPT
        if action is Action.SUBMIT:
            return self._submit(take, reason)
        return Step(take.id, take.shot_id, take.model, action, _called(was, reason), was=was)

    def removed(self) -> Iterator[Step]:
        """Yield what a run would do with records whose rows are gone; records that were never sent are left out."""
        for take_id in self._removed:
            record = self._recorded[take_id]
            if record.state is S.PENDING and not record.attempts:
                continue
            action, reason = self._standing(record)
            if action is Action.SUBMIT:
                action = Action.SKIP
            yield Step(
                take_id,
                record.shot_id,
                record.model,
                action,
                f"no longer in the manifest; {reason}",
                is_removed=True,
            )

    def older(self, planned: Collection[str]) -> Iterator[Step]:
        """Yield what a run would still do with older renders; complete and ended ones are left out."""
        for take_id, record in self._recorded.items():
            now = self._renames.get(take_id, take_id)
            action, reason = self._standing(record)
            if older_id(now) is None or now in planned or action in {Action.SUBMIT, Action.SKIP}:
                continue
            reason = f"an older render; {reason}"
            yield Step(now, record.shot_id, record.model, action, reason, is_removed=True)

    def _submit(
        self, take: Take, reason: str, changes: tuple[Difference, ...] = (), *, was: str | None = None
    ) -> Step:
        price = estimate(take.price, take.body)
        reason += self._said_before(take)
        return Step(take.id, take.shot_id, take.model, Action.SUBMIT, reason, changes, price, was)

    def _said_before(self, take: Take) -> str:
        """Say if a take's exact request was paid for in vain under another id: a person who pays again should know."""
        before = self._in_vain.get(take.fingerprint)
        if before is None or before.take_id == take.id:
            return ""
        ended = "failed" if before.state is S.FAILED else f"was {before.state}"
        return f"; the same request {ended} before, as {before.take_id}"

    def _of_changed(
        self, take: Take, record: Known, changes: tuple[Difference, ...], was: str | None
    ) -> Step:
        action, reason = self._standing(record)
        if action is not Action.HELD:
            if record.kept_for == take.fingerprint:
                kept = "kept as it is, though its row changed"
                reason = kept if action is Action.SKIP else f"{kept}; {reason}"
                action = Action.ADOPT if was and action is Action.SKIP else action
            else:
                action = Action.STALE
                reason = f"changed after it was paid for; {reason}{self._said_before(take)}"
        return Step(take.id, take.shot_id, take.model, action, _called(was, reason), changes, was=was)

    def _standing(self, record: Known) -> tuple[Action, str]:
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
                return Action.SKIP, f"failed before: {_why(record)}"
            case S.CANCELLED | S.DROPPED:
                return Action.SKIP, f"{record.state} before"

    def _clip(self, record: Known) -> tuple[Action, str]:
        if record.delivery is DeliveryState.DELIVERED and record.take_id not in self._missing:
            return Action.SKIP, "complete"
        if not self._download:
            return Action.SKIP, "rendered; its clip stays at the API"
        if record.take_id in self._missing:
            return Action.DOWNLOAD, "file missing"
        if record.delivery is DeliveryState.UNDELIVERABLE:
            return Action.DOWNLOAD, f"could not be fetched before: {record.reason}"
        return Action.DOWNLOAD, "rendered, not fetched yet"


def _called(was: str | None, reason: str) -> str:
    return f"was {was}; {reason}" if was else reason


def _why_again(record: Known) -> str:
    before = "changed after it was paid for" if record.state in ACTIVE | {S.SUCCEEDED} else ""
    return before or f"{record.state} before, and its row changed"


def _why(record: Known) -> str:
    return ": ".join(filter(None, (record.failure and record.failure.value, record.reason))) or "unknown"


def blocked(steps: Sequence[Step], refusals: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the same steps, but those of `refusals` (take id to reason) are blocked instead of submitted."""
    return tuple(
        Step(
            step.take_id,
            step.shot_id,
            step.model,
            Action.BLOCKED,
            f"{refusals[step.take_id]}; {step.reason}",
            step.changes,
            step.estimate,
        )
        if step.action is Action.SUBMIT and step.take_id in refusals
        else step
        for step in steps
    )
