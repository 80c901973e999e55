"""What readers of the state file get: one frozen record per take, attempt and event, and the run's header."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain.body_diff import Difference, differences
from runner.domain.clip_checks import Flag, Probe
from runner.domain.labels import take_label
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.output_links import OutputLinks, output_links
from runner.domain.states import OVER, DeliveryState, FailureClass, TakeState, is_given_up
from runner.system.canonical_json import JsonValue, parsed_json


@dataclass(frozen=True, slots=True)
class RunHeader:
    """Which run a state file belongs to.

    `manifest` is the resolved path of the manifest that made it, and `api_base` the origin of its jobs' API. `columns`
    are the CSV headers of the newest manifest (empty for YAML), `created_at` is in unix seconds. `out` is the address
    of the store that its clips go to, empty if that is its own folder. `shard` is its part of the board, such as `2/5`,
    empty for all of it.
    """

    run_id: str
    name: str
    manifest: str
    simulated: bool
    api_base: str
    created_at: float
    version: str
    columns: tuple[str, ...] = ()
    out: str = ""
    shard: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision needs to know of a recorded take: what was sent, where it stands, and which clip it has.

    `file` is relative to the run directory. `attempts` counts begun submissions. `wanted` is the fingerprint of what
    the manifest asks for now, if that is not what was sent; `kept_for` is the one for which a person keeps the clip
    anyway. `price_now` is the price (JSON text, empty if there is none) of what the manifest asks for now. `number` is
    the take's number within its shot, from 1. `flags` say what is odd about the clip that is here. `stem` is the name
    of the take's files without an ending, empty if that is its id.
    """

    take_id: str
    shot_id: str
    model: str
    body: str
    fingerprint: str
    tags: tuple[str, ...]
    state: TakeState
    delivery: DeliveryState
    failure: FailureClass | None
    reason: str
    attempts: int
    request_id: str | None
    outputs: tuple[str, ...]
    file: str | None
    sha256: str | None
    bytes: int | None
    wanted: str | None
    kept_for: str | None
    price_now: str
    number: int
    flags: tuple[Flag, ...]
    stem: str

    @property
    def label(self) -> str:
        """The take's short name for people, such as `s010_t02`."""
        return take_label(self.shot_id, self.number, self.take_id)

    @property
    def file_stem(self) -> str:
        """The name of the take's files without an ending."""
        return self.stem or self.take_id

    @property
    def present_stem(self) -> str:
        """The name that the delivered clip and its sidecar have now: another one until a rename is done."""
        return self.file.rpartition("/")[2].rpartition(".")[0] if self.file else self.file_stem

    @property
    def is_given_up(self) -> bool:
        """True for a failed take whose clip may still exist; its id is known, and a look is free."""
        return is_given_up(self.state, self.failure) and self.request_id is not None

    @property
    def may_have_a_clip(self) -> bool:
        """True for a take that ended without a clip but whose job has an id, so that its record may name one."""
        return self.state in OVER and self.request_id is not None

    @property
    def is_stale(self) -> bool:
        """True for a take made from another body than its row asks for now, unless a person kept it for that."""
        return self.wanted is not None and self.wanted != self.kept_for


@dataclass(frozen=True, slots=True)
class PastJob:
    """How many `seconds` a job of `model` took, with `settings` as `domain.job_settings` words them."""

    model: str
    settings: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TakeOutcome:
    """What became of a take, to be counted; `point` are its swept inputs, `seconds` is how long its job took."""

    take_id: str
    shot_id: str
    model: str
    tags: tuple[str, ...]
    point: Mapping[str, JsonValue]
    state: TakeState
    delivery: DeliveryState
    failure: FailureClass | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TakeFigures:
    """What the figures of a whole run are made from, of one take; the fields mean what those of `TakeRecord` do."""

    take_id: str
    model: str
    state: TakeState
    delivery: DeliveryState
    failure: FailureClass | None
    reason: str
    position: int | None
    attempts: int
    submitted_at: float | None
    finished_at: float | None
    seconds: float | None
    cost: float | None
    flags: tuple[Flag, ...]
    is_stale: bool


@dataclass(frozen=True, slots=True)
class JobSpan:
    """When a job of `model` was submitted and ended, in unix seconds; `ended_at` is None while it is at the API."""

    model: str
    submitted_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class TakeRecord(Standing):
    """Everything recorded about one take; times are unix seconds, `cost` is USD, `seconds` is how long the job took.

    `position` is the take's place in the newest manifest, None once it is no longer in it. `result` is the API's final
    record as it came; above 1 MiB only what matters. `estimate` (USD) is by `price`, a JSON text, empty if there is
    none. A sent take keeps those of its latest submission; one that waits has the newest. `estimate_now` is always the
    newest. `schema` is the hash of the model's schema at the latest submission, or else at the last check; None if an
    older program noted none. `probe` is what was measured of the clip that is here, None if it was not looked into.
    """

    seed: int | None
    point: Mapping[str, JsonValue]
    notes: str
    cells: Mapping[str, str]
    position: int | None
    submitted_at: float | None
    finished_at: float | None
    seconds: float | None
    not_before: float
    cost: float | None
    result: str | None
    cancel_requested: str | None
    wanted_model: str | None = None
    wanted_body: str | None = None
    estimate: float | None = None
    price: str = ""
    estimate_now: float | None = None
    schema: str | None = None
    probe: Probe | None = None

    def links(self, origin: str) -> OutputLinks:
        """Return what the kept record of its job names as outputs; `origin` is the API's."""
        # If the job did not end well, a link counts only if something says that it is an output.
        sure = self.state is not TakeState.SUCCEEDED
        return output_links(parsed_json(self.result), sent=self.body, origin=origin, only_sure=sure)

    def stale_fields(self) -> tuple[Difference, ...]:
        """Return the fields in which the row differs from what was sent; empty if it does not."""
        if self.wanted_model is None or self.wanted_body is None:
            return ()
        return differences(self.model, self.body, self.wanted_model, self.wanted_body)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One submission of a take; `outcome` is the name of the fact that closed it, None while it is open.

    `estimate` (USD), `price` (JSON text) and `schema` are those at its start; the latter two are None if an older
    program noted none.
    """

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
    estimate: float | None = None
    cost: float | None = None
    price: str | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One runner's session, which its `epoch` names; times are unix seconds.

    `limit_s` is how many seconds from `window_began_at` it might submit, None without a limit. `ending` says how it
    ended; it is None for one that was killed, that failed, or that still runs. `settings` are those that hold now, or
    held at its end, after any order; they are empty if an older program noted none.
    """

    epoch: int
    began_at: float
    version: str
    limit_s: float | None = None
    window_began_at: float | None = None
    ended_at: float | None = None
    ending: str | None = None
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order that a session has answered; times are unix seconds.

    `by` gave it at `at` to the session of `epoch`, which answered at `obeyed_at`. `wish` is the order as JSON, which a
    newer program may have made. `changed` says whether anything was different then, and `says` are sentences.
    """

    id: str
    epoch: int
    at: float
    obeyed_at: float
    by: str
    wish: Mapping[str, JsonValue]
    changed: bool
    says: tuple[str, ...]


def pause_of(orders: Iterable[OrderRecord]) -> OrderRecord | None:
    """Return the pause that holds after the orders of one session, which come in their order; None if none does."""
    pause = None
    for order in orders:
        verb = order.wish.get("order")
        if verb == "resume":
            pause = None
        elif verb == "pause" and order.changed:
            pause = order
    return pause


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run's record says when a command begins: takes, money, sessions, and the ids of all takes ever sent.

    `name_template` is what the names of files are made from, empty if they are the takes' ids. With `nothing_paid` all
    of its jobs went to a simulator.
    """

    takes: Sequence[Standing] = ()
    spending: Spending = NOTHING_SPENT
    sessions: Sequence[SessionRecord] = ()
    sent: frozenset[str] = frozenset()
    name_template: str = ""
    nothing_paid: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What a run was made from when it left nothing to do, so that the same command again need not read it all.

    `manifest` is the SHA-256 of its file, `files` those of the files it names, `schemas` those of its models' files.
    `limits` are what it was allowed to ask for, as text. `events` is the number of the newest fact: a record with a
    newer one is another matter. `downloads` says whether clips were part of it.
    """

    version: str
    manifest: str
    files: Mapping[str, str]
    schemas: Mapping[str, str]
    private_media: bool
    limits: str
    events: int
    downloads: bool


@dataclass(frozen=True, slots=True)
class CostsUntold:
    """At the wall time `asked_at` the API named no cost of jobs, of which the last had ended at `ended_at`."""

    asked_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """A model's schema file by the SHA-256 of its bytes, and when a run first checked takes against it."""

    model: str
    sha256: str
    first_seen: float


def schema_of(take: TakeRecord, schemas: Iterable[SchemaRecord]) -> str | None:
    """Return the hash of the schema by which a take was sent, or else last checked; None if unknown.

    If an older program sent it and noted none, it is known only if the run had seen a single one by then. Of two,
    either may have been used.
    """
    if take.schema is not None:
        return take.schema
    known = [each for each in schemas if each.model == take.model]
    if take.attempts:
        sent = take.submitted_at
        known = [each for each in known if sent is not None and each.first_seen <= sent]
    return known[0].sha256 if len(known) == 1 else None


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
