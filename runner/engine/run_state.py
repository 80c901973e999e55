"""The state of the run: every unfinished take, the slots they hold, the one way to move them, and how the run ends.

In: facts. Out: the same facts, durable first and then reported. A take moves in memory only after the journal has the
fact: memory can lag behind the state file but never run ahead of it. It knows no API.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from runner.domain import failpoints
from runner.domain.limits import Budget
from runner.domain.run_ending import Ending, EndingKind, Stop
from runner.domain.run_events import Event, FactRecorded, Listener, Message, Topic
from runner.domain.shots import Ticket
from runner.domain.states import (
    ACTIVE,
    Accepted,
    AdoptionUndone,
    CostSeen,
    Delivered,
    DeliveryFact,
    DeliveryState,
    Fact,
    NoteFact,
    StateFact,
    TakeState,
    advance,
    advance_delivery,
)
from runner.engine.hand_over import HandOver
from runner.engine.options import NO_PAST, EngineOptions, RunHistory
from runner.engine.pending import Lane, PendingQueue
from runner.engine.ports import Journal
from runner.engine.timers import Stopwatch
from runner.system.clock import Clock

UNSENT = frozenset({TakeState.PENDING, TakeState.SUBMITTING})


@dataclass(slots=True, eq=False)
class ActiveTake:
    """A take while the run handles it; it is mutable, and only one event loop sees it.

    It is made when a take leaves the queue for the first time, and forgotten when the run is done with the take.

    `born` is the monotonic time of its acceptance. `holds_slot` says that the API may be working on it, and `has_ended`
    that a look found it ended. `attempts` counts the submissions that were or may have been charged, and a new one. The
    stopwatch `watched` runs since its first look. `silent` runs while reads about it fail, `missing` while they find
    nothing, `denied` while they are refused, `mistaken` while they are about another job. `doubted` runs since its
    result first said that it has not ended, `empty` since that first named no output. `undelivered` runs since its clip
    first failed to come, `unfetched` while none of its bytes do. `at_hand` is how many bytes of the clip are on disk.
    `settings` are those of its job. `worked_until` is the monotonic time at which a look last found it at work, or once
    it was found ended, the middle between that and the look that found it; None if this run did not submit it.
    `cancel_asked` is the request id of the job that the API was asked to cancel.
    """

    ticket: Ticket
    state: TakeState
    delivery: DeliveryState
    request_id: str | None
    outputs: tuple[str, ...]
    cost: float | None
    finished_at: float | None
    born: float
    attempts: int
    is_adopted: bool
    holds_slot: bool = False
    has_ended: bool = False
    is_scout: bool = False
    cancel_asked: str = ""
    failures: int = 0
    at_hand: int = 0
    settings: str = ""
    worked_until: float | None = None
    watched: Stopwatch = field(default_factory=Stopwatch)
    silent: Stopwatch = field(default_factory=Stopwatch)
    missing: Stopwatch = field(default_factory=Stopwatch)
    denied: Stopwatch = field(default_factory=Stopwatch)
    mistaken: Stopwatch = field(default_factory=Stopwatch)
    doubted: Stopwatch = field(default_factory=Stopwatch)
    empty: Stopwatch = field(default_factory=Stopwatch)
    undelivered: Stopwatch = field(default_factory=Stopwatch)
    unfetched: Stopwatch = field(default_factory=Stopwatch)

    @property
    def id(self) -> str:
        """The take's id."""
        return self.ticket.take_id


class RunState:
    """Keeps the takes of one run and records what happens to them; `deadline` is when submitting stops, in wall time.

    `pending` are the takes to submit, in order: tickets, and takes that were put back. `live` are the others that the
    run or the API is busy with, by id. `slots_of` counts the slots that they hold by model, and `models` are those of
    all takes. `last_sent` is the wall time of the newest job of each model at the start. What is over is in the journal
    alone. `unfinished` are the ids that the run still has work for, `held` those of held takes, `jobs` the request ids
    of all takes. `whose` says which take has a clip, by its link and, once it is here, by its bytes. `model` is that of
    the first take.

    `changed` is set whenever another take may go. `finished` is set once nothing is left to do, and `left` once the run
    no longer waits for that. `is_stopped` says that no further POST begins, `is_paused` that none does for now, and
    `giving_up` that what is pending is left to the next run.
    """

    def __init__(
        self,
        tickets: Iterable[Ticket],
        clock: Clock,
        *,
        journal: Journal,
        listener: Listener,
        options: EngineOptions,
        past: RunHistory = NO_PAST,
        deadline: float | None = None,
    ) -> None:
        self.clock = clock
        self.options = options
        self._journal = journal
        self._listener = listener
        self._durable = HandOver()
        self.ending = Ending(EndingKind.FINISHED)
        self.is_stopped = self.is_paused = self.giving_up = False
        self.changed, self.finished, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.wants_cancel = asyncio.Event()
        self.cancelled_by = ""
        self.largest_clip = past.largest_clip
        self.left_behind = self.too_old = self.slots_held = 0
        self.reported_at = self.now
        self.model = ""
        self.pending: PendingQueue[Ticket | ActiveTake] = PendingQueue()
        self.slots_of: Counter[str] = Counter()
        self.models: set[str] = set()
        self.last_sent: dict[str, float] = {}
        self.live: dict[str, ActiveTake] = {}
        self.unfinished: set[str] = set()
        self.held: set[str] = set()
        self.jobs: set[str] = set()
        self.whose: dict[str, str] = {}
        self._said: set[str] = set()
        self._charged = Counter(charge.take_id for charge in past.spending.charges)
        for ticket in tickets:
            self._sort_in(ticket)
        self.budget = Budget(
            options.limits,
            wall=clock.wall,
            monotonic=clock.monotonic,
            spending=past.spending,
            active={live.id for live in self.live.values() if live.state in ACTIVE},
            deadline=deadline,
        )
        self._check_finished()

    def _sort_in(self, ticket: Ticket) -> None:
        self.model = self.model or ticket.model
        self.models.add(ticket.model)
        if ticket.submitted_at is not None:
            self.last_sent[ticket.model] = max(ticket.submitted_at, self.last_sent.get(ticket.model, 0.0))
        if ticket.request_id is not None:
            self.jobs.add(ticket.request_id)
        if self.options.download:
            self.whose.update(dict.fromkeys(ticket.outputs[:1], ticket.take_id))
        if ticket.state is TakeState.HELD:
            self.held.add(ticket.take_id)
        if ticket.state is TakeState.PENDING:
            self.queue(ticket)
        elif ticket.state in UNSENT | ACTIVE or self.wants_fetching(ticket):
            live = self.live[ticket.take_id] = self.active(ticket)
            if live.state in ACTIVE:
                self.take_slot(live)
        else:
            return
        self.unfinished.add(ticket.take_id)

    @property
    def tickets(self) -> Iterator[Ticket]:
        """The tickets of the pending takes, in order."""
        return (each if isinstance(each, Ticket) else each.ticket for each in self.pending)

    def next_ticket(self, lane: Lane) -> Ticket:
        """Return the ticket of the first pending take of a lane."""
        take = self.pending.head(lane)
        return take if isinstance(take, Ticket) else take.ticket

    def queue(self, take: Ticket | ActiveTake, *, first: bool = False) -> None:
        """Make a take the last one to be submitted, or with `first` the next."""
        if isinstance(take, Ticket):
            lane = Lane(is_rest=True, model=take.model)
        else:
            lane = Lane(is_rest=not take.is_scout, model=take.ticket.model)
        self.pending.add(take, lane, first=first)

    def claim(self, lane: Lane) -> ActiveTake:
        """Take the first pending take of a lane out of the queue, and count it as a job."""
        live = self.active(self.pending.pop(lane))
        self.live[live.id] = live
        self.take_slot(live)
        return live

    def active(self, take: Ticket | ActiveTake) -> ActiveTake:
        """Return a pending take as one that the run handles."""
        if isinstance(take, ActiveTake):
            return take
        age = self.clock.wall() - take.submitted_at if take.submitted_at is not None else 0.0
        return ActiveTake(
            take,
            take.state,
            take.delivery,
            take.request_id,
            take.outputs,
            take.cost,
            take.finished_at,
            # A wall clock that was set back must not give a job a negative age.
            born=self.now - max(age, 0.0),
            attempts=self._charged.pop(take.take_id, 0),
            is_adopted=take.adopted,
        )

    @property
    def now(self) -> float:
        """Monotonic time."""
        return self.clock.monotonic()

    def _is_over(self, live: ActiveTake) -> bool:
        if live.state is TakeState.SUCCEEDED:
            is_settled = live.delivery in {DeliveryState.DELIVERED, DeliveryState.UNDELIVERABLE}
            return not self.options.download or is_settled
        return live.state not in UNSENT | ACTIVE

    def wants_fetching(self, take: Ticket | ActiveTake) -> bool:
        """Return whether a take's clip is wanted and missing; what an earlier run could not fetch is tried again."""
        succeeded = take.state is TakeState.SUCCEEDED
        return succeeded and self.options.download and take.delivery is not DeliveryState.DELIVERED

    @property
    def submits_no_more(self) -> bool:
        """True once submitting has ended, since it was stopped or nothing is left to do."""
        return self.is_stopped or self.finished.is_set()

    @property
    def unended(self) -> Iterator[Ticket]:
        """The tickets of all takes that are pending or whose jobs have not ended."""
        yield from self.tickets
        yield from (live.ticket for live in self.live.values() if live.state in UNSENT | ACTIVE)

    @property
    def is_busy(self) -> bool:
        """True while there are takes to submit or jobs to watch."""
        return bool(self.pending) or self.slots_held > 0

    @property
    def has_other_work(self) -> bool:
        """True while something is left to do besides submitting, or a person has paused that.

        Jobs whose reads the API refuses do not count, nor do clips that have not come for long. Both are tried for as
        long as takes are pending, so each would wait for the other.
        """
        patient = self.now - self.options.refusal_limit
        return self.is_paused or any(
            live.id in self.unfinished
            and live.state not in UNSENT
            and live.denied.since is None
            and (live.unfetched.since is None or live.unfetched.since > patient)
            for live in self.live.values()
        )

    def take_slot(self, live: ActiveTake) -> None:
        """Count `live` as a job that the API may be working on."""
        if not live.holds_slot:
            live.holds_slot = True
            self.slots_held += 1
            self.slots_of[live.ticket.model] += 1

    def free_slot(self, live: ActiveTake) -> None:
        """Stop counting `live`; it does no harm if it held no slot."""
        if live.holds_slot:
            live.holds_slot = False
            self.slots_held -= 1
            self.slots_of[live.ticket.model] -= 1
            self.changed.set()

    async def record(self, live: ActiveTake, fact: Fact, *, goes_on: bool = False) -> None:
        """Make `fact` durable, then move `live` by it, then report it.

        `goes_on` says that another fact follows at once, so the take does not count as finished yet.

        Raises:
            IllegalTransition, DiskFailed: nothing was recorded and `live` has not moved.
        """
        at = self.clock.wall()
        await self._durable.result(self._journal.record(live.id, fact, at=at))
        failpoints.hit("state.recorded")
        if isinstance(fact, DeliveryFact):
            live.delivery = advance_delivery(live.delivery, fact)
            if isinstance(fact, Delivered):
                self.largest_clip = max(self.largest_clip, fact.bytes)
        elif not isinstance(fact, NoteFact):
            live.state = advance(live.state, fact)
            self._follow(live, fact)
            if live.state is not TakeState.SUBMITTING and live.state not in ACTIVE:
                self.free_slot(live)
        self.budget.note(live.id, fact)
        self._report(FactRecorded(live.id, fact, at, live.ticket.label))
        self.warn_of_cost()
        self.changed.set()
        if self._is_over(live) and not goes_on:
            self.unfinished.discard(live.id)
            self.live.pop(live.id, None)
            self._check_finished()

    def _follow(self, live: ActiveTake, fact: StateFact) -> None:
        """Keep the sets of ids that outlast the takes."""
        if isinstance(fact, Accepted):
            self.jobs.add(fact.request_id)
        elif isinstance(fact, AdoptionUndone):
            self.jobs.discard(fact.request_id)
        if live.state is TakeState.HELD:
            self.held.add(live.id)
        else:
            self.held.discard(live.id)

    async def note_late(self, take_id: str, fact: CostSeen) -> None:
        """Make a late cost durable, even of a take that this run does not handle: it was still paid for."""
        at = self.clock.wall()
        await self._durable.result(self._journal.record(take_id, fact, at=at))
        self.budget.note(take_id, fact)
        self._report(FactRecorded(take_id, fact, at))
        self.warn_of_cost()
        self.changed.set()

    def requeue(self, live: ActiveTake) -> None:
        """Queue a take that is to be paid for again, after those that were not tried yet."""
        self.jobs.discard(live.request_id or "")
        live.request_id, live.outputs, live.has_ended, live.is_adopted = None, (), False, False
        live.watched.is_over()
        live.doubted.is_over()
        self.unfinished.add(live.id)
        self.put_back(live, last=True)
        self.changed.set()

    def put_back(self, live: ActiveTake, *, last: bool = False) -> None:
        """Make `live` the next or the last to be submitted; leave it to the next run if this one gives up."""
        self.budget.give_back(live.id)
        self.free_slot(live)
        self.live.pop(live.id, None)
        self.queue(live, first=not last)
        if self.giving_up:
            self._give_up_pending()

    def withdraw(self, take_ids: Collection[str]) -> set[str]:
        """Leave those of the takes that are pending to the next run, and return their ids."""
        out = self.pending.take_out(lambda take: _id_of(take) in take_ids)
        found = {_id_of(take) for take in out}
        self.unfinished -= found
        self._check_finished()
        self.changed.set()
        return found

    def leave(self, live: ActiveTake, reason: str, *, is_old: bool = False) -> None:
        """Leave an active take to the next run: its end is not known, and nothing is lost.

        `is_old` says that the API does answer, but the job is older than `--job-limit`.
        """
        if is_old:
            self.too_old += 1
        else:
            self.left_behind += 1
        self.budget.leave(live.id)
        self.unfinished.discard(live.id)
        self.free_slot(live)
        self.say(f"{live.id} is left to the next run: {reason}")
        self._check_finished()
        # Set even if it held no slot: a submit may be waiting for this take's cost, which will not come now.
        self.changed.set()

    def end(self, kind: EndingKind, reason: str, how: Stop) -> None:
        """Submit no more and end the run as `how` says; the first reason given is the one reported.

        A reload is none: what ends the run meanwhile ends it for good.
        """
        if self.ending.kind in {EndingKind.FINISHED, EndingKind.RELOAD}:
            self.ending = Ending(kind, reason)
        self.stop_submitting()
        self._give_up_pending()
        if how is Stop.DETACH:
            self.left.set()
        elif how is Stop.CANCEL_QUEUED:
            flag = "--cutoff" if kind is EndingKind.LIMIT else "--on-interrupt"
            self.cancelled_by = self.cancelled_by or f"{flag} cancel-queued"
            self.wants_cancel.set()

    def pause(self, *, is_on: bool) -> bool:
        """Begin no further POST until the pause is over; return whether that changes anything."""
        is_changed = self.is_paused is not is_on and not self.submits_no_more
        if is_changed:
            self.is_paused = is_on
            self.changed.set()
        return is_changed

    def tune(self, options: EngineOptions) -> None:
        """Go on with other options; what is reserved stays counted."""
        self.options = options
        self.budget.tune(options.limits)
        self.warn_of_cost()
        self.changed.set()

    def stop_submitting(self) -> None:
        """Begin no further POST; one that is being sent still gets its answer."""
        self.is_stopped = True
        self.changed.set()

    def _give_up_pending(self) -> None:
        """Leave every take that was not sent, or is put back unsent, to the next run."""
        self.giving_up = True
        self.unfinished.difference_update(ticket.take_id for ticket in self.tickets)
        self.pending.clear()
        self._check_finished()

    def warn_of_cost(self) -> None:
        """Say once that the run has passed the sum of `--warn-cost`."""
        warning = self.budget.warning()
        if warning is not None:
            self.say(warning, Topic.COST)

    def say_once(self, about: str, text: str) -> None:
        """Show `text` unless one about the same thing was shown before."""
        if about not in self._said:
            self._said.add(about)
            self.say(text)

    def say(self, text: str, topic: Topic = Topic.REMARK) -> None:
        """Show the person a message that is not a fact about one take."""
        self._report(Message(text, topic))

    def _report(self, event: Event) -> None:
        self.reported_at = self.now
        self._listener.on_event(event)

    def _check_finished(self) -> None:
        if not self.unfinished:
            self.finished.set()
            self.changed.set()


def _id_of(take: Ticket | ActiveTake) -> str:
    return take.take_id if isinstance(take, Ticket) else take.id
