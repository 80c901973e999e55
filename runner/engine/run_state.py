"""The state of the run: every unfinished take, the slots they hold, and the one way to move them.

In: facts. Out: the same facts, durable first and then reported. A take moves in memory only after the journal has the
fact: memory can lag behind the state file but never run ahead of it. It knows no API.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.domain import failpoints
from runner.domain.limits import Budget
from runner.domain.run_events import Event, FactRecorded, Listener, Message
from runner.domain.shots import Ticket
from runner.domain.states import (
    OUT_THERE,
    CostSeen,
    Delivered,
    DeliveryState,
    Fact,
    FetchStarted,
    FileGone,
    NoteFact,
    TakeState,
    Undeliverable,
    advance,
    advance_delivery,
)
from runner.engine.history import NO_PAST, RunHistory
from runner.engine.options import EngineOptions
from runner.engine.ports import Journal
from runner.engine.timers import Stopwatch
from runner.system.clock import Clock

_CLIP_SETTLED = frozenset({DeliveryState.DELIVERED, DeliveryState.UNDELIVERABLE})


@dataclass(slots=True)
class ActiveTake:
    """A take while the run handles it; it is mutable, and only one event loop sees it.

    `born` is the monotonic time of its acceptance. `holds_slot` says that the API may be working on it, and `has_ended`
    that a look found it ended. `attempts` counts the submissions that were or may have been charged, and a new one.
    The stopwatch `watched` runs since its first look. `silent` runs while reads about it fail, `missing` while they
    find nothing, `denied` while they are refused, `mistaken` while they are about another job. `doubted` runs since its
    result first said that it has not ended, `empty` since that first named no output, `unfetched` while its clip does
    not come. `at_hand` is how many bytes of the clip have come so far.
    """

    ticket: Ticket
    state: TakeState
    delivery: DeliveryState
    request_id: str | None
    outputs: tuple[str, ...]
    born: float = 0.0
    holds_slot: bool = False
    has_ended: bool = False
    attempts: int = 0
    failures: int = 0
    watched: Stopwatch = field(default_factory=Stopwatch)
    silent: Stopwatch = field(default_factory=Stopwatch)
    missing: Stopwatch = field(default_factory=Stopwatch)
    denied: Stopwatch = field(default_factory=Stopwatch)
    mistaken: Stopwatch = field(default_factory=Stopwatch)
    doubted: Stopwatch = field(default_factory=Stopwatch)
    empty: Stopwatch = field(default_factory=Stopwatch)
    unfetched: Stopwatch = field(default_factory=Stopwatch)
    cost: float | None = None
    finished_at: float | None = None
    at_hand: int = 0
    fetch_trouble_since: float | None = None
    is_adopted: bool = False

    @property
    def id(self) -> str:
        """The take's id."""
        return self.ticket.take_id


class RunState:
    """Keeps the takes of one run and records what happens to them."""

    def __init__(
        self,
        tickets: Iterable[Ticket],
        *,
        journal: Journal,
        clock: Clock,
        listener: Listener,
        options: EngineOptions,
        past: RunHistory = NO_PAST,
        deadline: float | None = None,
    ) -> None:
        """`deadline` is the wall time at which submitting stops."""
        self._journal = journal
        self._clock = clock
        self._listener = listener
        self._options = options
        self._unfinished: set[str] = set()
        self._charged = Counter(charge.take_id for charge in past.spending.charges)
        self.largest_clip = past.largest_clip
        self.giving_up = False
        self.left_behind = 0
        self.too_old = 0
        self.told_at = clock.monotonic()
        self.pending: deque[ActiveTake] = deque()
        self.slots_held = 0
        self.changed = asyncio.Event()
        self.finished = asyncio.Event()
        self.takes = [self._live(ticket) for ticket in tickets]
        self._by_id = {live.id: live for live in self.takes}
        self.allowance = Budget(
            options.limits,
            wall=clock.wall,
            monotonic=clock.monotonic,
            spending=past.spending,
            out_there={live.id for live in self.takes if live.state in OUT_THERE},
            deadline=deadline,
        )
        for live in self.takes:
            self._enter(live)
        self._check_finished()

    def _live(self, ticket: Ticket) -> ActiveTake:
        age = self._clock.wall() - ticket.submitted_at if ticket.submitted_at is not None else 0.0
        return ActiveTake(
            ticket,
            ticket.state,
            ticket.delivery,
            ticket.request_id,
            ticket.outputs,
            # A wall clock that was set back must not give a job a negative age.
            born=self._clock.monotonic() - max(age, 0.0),
            attempts=self._charged[ticket.take_id],
            is_adopted=ticket.adopted,
        )

    def _enter(self, live: ActiveTake) -> None:
        if not self._is_over(live) or self.wants_fetching(live):
            self._unfinished.add(live.id)
        if live.state is TakeState.PENDING:
            self.pending.append(live)
        elif live.state in OUT_THERE:
            self.take_slot(live)

    def _is_over(self, live: ActiveTake) -> bool:
        if live.state is TakeState.SUCCEEDED:
            return not self._options.download or live.delivery in _CLIP_SETTLED
        return live.state not in {TakeState.PENDING, TakeState.SUBMITTING} | OUT_THERE

    def wants_fetching(self, live: ActiveTake) -> bool:
        """Return whether a take's clip is wanted and missing; what an earlier run could not fetch is tried again."""
        succeeded = live.state is TakeState.SUCCEEDED
        return succeeded and self._options.download and live.delivery is not DeliveryState.DELIVERED

    def is_done_with(self, live: ActiveTake) -> bool:
        """Return whether this run does nothing more about a take, whatever its state."""
        return live.id not in self._unfinished

    @property
    def is_busy(self) -> bool:
        """True while there are takes to submit or jobs to watch."""
        return bool(self.pending) or self.slots_held > 0

    @property
    def has_other_work(self) -> bool:
        """True while something is left to do beside submitting.

        Jobs whose reads the API refuses do not count, nor do clips that have not come for long. Both are tried for as
        long as takes are pending, so each would wait for the other.
        """
        waiting = {TakeState.PENDING, TakeState.SUBMITTING}
        patient = self._clock.monotonic() - self._options.refusal_limit
        return any(
            live.id in self._unfinished
            and live.state not in waiting
            and live.denied.since is None
            and (live.unfetched.since is None or live.unfetched.since > patient)
            for live in self.takes
        )

    @property
    def has_room(self) -> bool:
        """True while the API may be given another job."""
        return self.slots_held < self._options.jobs

    def take_slot(self, live: ActiveTake) -> None:
        """Count `live` as a job that the API may be working on."""
        if not live.holds_slot:
            live.holds_slot = True
            self.slots_held += 1

    def free_slot(self, live: ActiveTake) -> None:
        """Stop counting `live`; it does no harm if it held no slot."""
        if live.holds_slot:
            live.holds_slot = False
            self.slots_held -= 1
            self.changed.set()

    async def record(self, live: ActiveTake, fact: Fact, *, goes_on: bool = False) -> None:
        """Make `fact` durable, then move `live` by it, then report it.

        `goes_on` says that another fact follows at once, so the take does not count as finished yet.

        Raises:
            IllegalTransition, DiskFailed: nothing was recorded and `live` has not moved.
        """
        at = self._clock.wall()
        # Shielded: a worker that is cancelled must not take back what is on its way to the disk.
        await asyncio.shield(_noted(asyncio.wrap_future(self._journal.record(live.id, fact, at=at))))
        failpoints.hit("board.recorded")
        self._move(live, fact)
        self.allowance.note(live.id, fact)
        self.tell(FactRecorded(live.id, fact, at))
        self.warn_of_cost()
        self.changed.set()
        if self._is_over(live) and not goes_on:
            self._unfinished.discard(live.id)
            self._check_finished()

    async def note_late(self, take_id: str, fact: CostSeen) -> None:
        """Make a late cost durable, even of a take that this run does not handle: it was paid for all the same."""
        live = self._by_id.get(take_id)
        if live is not None:
            await self.record(live, fact)
            return
        await asyncio.wrap_future(self._journal.record(take_id, fact, at=self._clock.wall()))
        self.allowance.note(take_id, fact)
        self.warn_of_cost()
        self.changed.set()

    def _move(self, live: ActiveTake, fact: Fact) -> None:
        if isinstance(fact, FetchStarted | Delivered | Undeliverable | FileGone):
            live.delivery = advance_delivery(live.delivery, fact)
            if isinstance(fact, Delivered):
                self.largest_clip = max(self.largest_clip, fact.bytes)
        elif not isinstance(fact, NoteFact):
            live.state = advance(live.state, fact)
            if live.state is not TakeState.SUBMITTING and live.state not in OUT_THERE:
                self.free_slot(live)

    def again(self, live: ActiveTake) -> None:
        """Queue a take that shall be paid for once more, behind those that were not yet tried."""
        live.request_id, live.outputs, live.has_ended, live.is_adopted = None, (), False, False
        live.watched.is_over()
        live.doubted.is_over()
        self._unfinished.add(live.id)
        self.pending.append(live)
        self.changed.set()
        if self.giving_up:
            self.give_up_pending()

    def put_back(self, live: ActiveTake, *, last: bool = False) -> None:
        """Make `live` the next or the last to be submitted; leave it to the next run if this one gives up."""
        self.allowance.give_back(live.id)
        self.free_slot(live)
        (self.pending.append if last else self.pending.appendleft)(live)
        if self.giving_up:
            self.give_up_pending()

    @property
    def unfinished(self) -> int:
        """How many takes the run still has work for."""
        return len(self._unfinished)

    def leave(self, live: ActiveTake, reason: str, *, is_old: bool = False) -> None:
        """Leave an active take to the next run: its end is not known, and nothing is lost.

        `is_old` says that the API does answer, but the job is older than `--job-limit`.
        """
        if is_old:
            self.too_old += 1
        else:
            self.left_behind += 1
        self.allowance.leave(live.id)
        self._unfinished.discard(live.id)
        self.free_slot(live)
        self.say(f"{live.id} is left to the next run: {reason}")
        self._check_finished()
        # Set even if it held no slot: a submit may be waiting for this take's cost, which will not come now.
        self.changed.set()

    def give_up_pending(self) -> None:
        """Leave every take that was not sent, or is put back unsent, to the next run."""
        self.giving_up = True
        for live in self.pending:
            self._unfinished.discard(live.id)
        self.pending.clear()
        self._check_finished()

    def warn_of_cost(self) -> None:
        """Say once that the run has passed the sum of `--warn-cost`."""
        warning = self.allowance.warning()
        if warning is not None:
            self.say(warning)

    def say(self, text: str) -> None:
        """Show the person a message that is not a fact about one take."""
        self.tell(Message(text))

    def tell(self, event: Event) -> None:
        """Pass an event on."""
        self.told_at = self._clock.monotonic()
        self._listener.on_event(event)

    def _check_finished(self) -> None:
        if not self._unfinished:
            self.finished.set()
            self.changed.set()


def _noted(recording: asyncio.Future[None]) -> asyncio.Future[None]:
    # A cancelled waiter never reads the result. The journal refuses all that follows, so the failure shows anyway.
    recording.add_done_callback(lambda done: done.cancelled() or done.exception())
    return recording
