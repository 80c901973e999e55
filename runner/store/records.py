"""What readers of the state file get: one frozen record per take, attempt and event, and the run's header.

It knows how the rows are named, not how they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.shots import JsonValue
from runner.states import DeliveryState, FailureClass, TakeState


@dataclass(frozen=True, slots=True)
class RunHeader:
    """Which run a state file belongs to.

    `manifest` is the resolved path of the manifest that made it, `api_base` the origin its jobs live at,
    `columns` the CSV headers of the newest manifest (empty for YAML), `created_at` unix seconds.
    """

    run_id: str
    name: str
    manifest: str
    simulated: bool
    api_base: str
    created_at: float
    version: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TakeRecord:
    """Everything recorded about one take. Times are unix seconds, `cost` is USD, `seconds` how long the job took.

    `position` is the take's place in the newest manifest, None once it is no longer in it. `result` is the API's
    final record verbatim. `file` is relative to the run directory. `attempts` counts submissions begun.
    """

    take_id: str
    shot_id: str
    model: str
    body: str
    fingerprint: str
    seed: int | None
    point: Mapping[str, JsonValue]
    tags: tuple[str, ...]
    notes: str
    cells: Mapping[str, str]
    position: int | None
    state: TakeState
    delivery: DeliveryState
    failure: FailureClass | None
    reason: str
    attempts: int
    request_id: str | None
    submitted_at: float | None
    finished_at: float | None
    seconds: float | None
    not_before: float
    cost: float | None
    outputs: tuple[str, ...]
    result: str | None
    file: str | None
    sha256: str | None
    bytes: int | None
    cancel_requested: str | None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One submission of a take; `outcome` is the name of the fact that closed it, None while it is open."""

    attempt: str
    take_id: str
    number: int
    epoch: int
    fingerprint: str
    started_at: float
    ended_at: float | None
    outcome: str | None
    request_id: str | None
    evidence: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One fact as it was recorded, in order of `seq`."""

    seq: int
    at: float
    take_id: str
    fact: str
    details: Mapping[str, JsonValue]
    before: str
    after: str
