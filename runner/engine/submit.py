"""Submitting: one take at a time through a narrow window, each written down before its first byte.

In: pending takes, a free slot, an open gate. Out: one fact per attempt. What it must not do is try again: only a
proof that nothing was sent puts a take back to pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

from runner import failpoints
from runner.answers import SubmitAnswer
from runner.engine.board import Live
from runner.engine.means import Means
from runner.engine.options import EndingKind, Stop
from runner.engine.policies import OnUnknown
from runner.engine.ports import Room
from runner.engine.spell import Spell
from runner.errors import IllegalTransition, ShotrunnerError
from runner.pacing import RETRY_AFTER_CEILING
from runner.states import (
    Accepted,
    AccountTurnedAway,
    FailureClass,
    LateAnswer,
    LostContact,
    NotSent,
    PayAgain,
    Refused,
    RefusedForNow,
    SubmissionStarted,
    TakeState,
)

_TIME_STEP = 20.0
_MB = 1_000_000


class Submitter:
    """Gives pending takes to the API, in order, as slots come free."""

    def __init__(
        self,
        means: Means,
        *,
        epoch: int,
        new_attempt: Callable[[], str],
        accepted: Callable[[Live], None],
        extra_paid: int,
        room: Room | None = None,
    ) -> None:
        self._means = means
        self._board = means.board
        self._gate = means.gate
        self._epoch = epoch
        self._new_attempt = new_attempt
        self._accepted = accepted
        self._stopped = False
        self._abandoned = asyncio.Event()
        self._any_accepted = False
        self._refused_because: list[str] = []
        self._unsent = Spell()
        self._throttled = Spell()
        # Held takes of earlier runs count: the limit is on what a person has to sort out, not on one process.
        self._unknown = sum(1 for live in means.board.takes if live.state is TakeState.HELD)
        self._extra_paid = extra_paid
        self._room = room or (lambda: None)
        self._gate.rest(self._wished_before())

    def _wished_before(self) -> float:
        """Return the pause that the API asked an earlier run for, as far as it still lies ahead."""
        now = self._means.clock.wall()
        wishes = [live.ticket.not_before - now for live in self._board.pending]
        return min(max([0.0, *wishes]), RETRY_AFTER_CEILING)

    def stop(self) -> None:
        """Begin no further POST; one that is in the air is seen through."""
        self._stopped = True
        self._board.changed.set()

    def abandon(self) -> None:
        """Wait no longer for the POST in the air: its take is held, since it may have been charged."""
        self.stop()
        self._abandoned.set()

    async def run(self) -> None:
        """Submit until the run is finished or `stop` was called; run once per place in the window."""
        while (live := await self._next()) is not None:
            await self._submit(live)
            self._board.changed.set()

    async def _next(self) -> Live | None:
        """Return the next take with its slot taken, or None when there will be none."""
        while not self._stopped:
            # Not before all is finished: a take that failed may come back to be paid for once more.
            if self._board.finished.is_set():
                return None
            wait = self._wait()
            if wait == 0.0:
                if self._is_affordable(self._board.pending[0]) and self._has_room_for_its_clip():
                    return self._claim()
                wait = None
            if not self._stopped:
                await self._change_within(wait)
        return None

    def _has_room_for_its_clip(self) -> bool:
        """Return whether the clips of all jobs out there and of one more will fit; if not, the submitting ends.

        What is out there is seen through: its clips are those that there is room for.
        """
        room = self._room()
        needed = self._board.largest_clip * (self._board.slots_held + 1)
        if room is None or (room > 0 and room >= needed):
            return True
        reason = f"too little room for clips: {max(room, 0) // _MB} MB to spare"
        reason += f", {-(-needed // _MB)} MB needed" if needed else ""
        self._means.end(EndingKind.DISK, f"{reason}; free the disk first", Stop.DRAIN)
        return False

    def _is_affordable(self, live: Live) -> bool:
        """Return whether the limits let `live` go; where they never will, the submitting ends."""
        hurdle = self._board.allowance.hurdle(live.ticket)
        if hurdle is not None and not hurdle.may_ease:
            self._means.end(EndingKind.LIMIT, hurdle.reason, self._means.options.at_limit)
        return hurdle is None

    def _claim(self) -> Live:
        """Take the next take's slot and reserve its price, in one step with the question whether it may go."""
        live = self._board.pending.popleft()
        self._board.take_slot(live)
        self._board.allowance.reserve(live.ticket)
        self._board.warn_of_cost()
        return live

    async def watch_the_time(self) -> None:
        """End the submitting when its time is up, also while it waits for something else."""
        allowance = self._board.allowance
        while left := allowance.time_left():
            # In short steps: the limit is by the wall clock, which goes on while the machine sleeps or is set.
            await self._means.clock.sleep(min(left, _TIME_STEP))
        if left is None:
            return
        how = self._means.options.at_limit
        # With nothing left to submit the limit stops nothing, but for jobs that it shall cancel.
        if self._board.pending or (how is Stop.CANCEL_QUEUED and self._board.slots_held):
            self._means.end(EndingKind.LIMIT, allowance.time_is_up(), how)

    def _wait(self) -> float | None:
        """Return the seconds until the next take may go: 0 for now, None for until something changes."""
        if not (self._board.pending and self._board.has_room and self._gate.is_open):
            return None
        if not self._means.vanguard.lets_pass(self._board.pending[0]):
            return None
        return self._gate.rest_left()

    async def _change_within(self, seconds: float | None) -> None:
        self._board.changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._board.changed.wait()
        except TimeoutError:
            return

    async def _submit(self, live: Live) -> None:
        attempt = self._new_attempt()
        live.attempts += 1
        failpoints.hit("submit.claimed")
        post = asyncio.ensure_future(self._post(live, attempt))
        abandoned = asyncio.ensure_future(self._abandoned.wait())
        try:
            await asyncio.wait({post, abandoned}, return_when=asyncio.FIRST_COMPLETED)
            if not post.done():
                post.cancel()
                await asyncio.wait({post})
        finally:
            abandoned.cancel()
        if post.cancelled():
            answer: SubmitAnswer = LostContact(
                attempt, "sending", "the run was told to leave before the answer came"
            )
        else:
            answer = post.result()
        failpoints.hit("submit.answered")
        if live.state is TakeState.SUBMITTING or not isinstance(answer, LostContact):
            await self._settle(live, answer)
        else:
            self._board.put_back(live)

    async def _post(self, live: Live, attempt: str) -> SubmitAnswer:
        async def begin() -> None:
            started = SubmissionStarted(attempt, live.ticket.fingerprint, self._epoch)
            # Shielded: whoever gives up on the POST must still learn whether the intent is on record.
            await asyncio.shield(asyncio.ensure_future(self._board.record(live, started)))
            failpoints.hit("submit.begun")

        return await self._means.queue.submit(live.ticket, attempt=attempt, begin=begin)

    async def _settle(self, live: Live, answer: SubmitAnswer) -> None:
        if not isinstance(answer, NotSent):
            self._unsent.is_over()
        if not isinstance(answer, RefusedForNow):
            self._throttled.is_over()
        match answer:
            case Accepted():
                await self._keep(live, answer)
            case NotSent():
                await self._put_back(live, answer)
                self._not_sent(live, answer)
            case RefusedForNow():
                await self._put_back(live, answer)
                self._rest(answer)
            case AccountTurnedAway(reason=reason):
                await self._put_back(live, answer)
                self._means.end(EndingKind.ACCOUNT, reason, Stop.DRAIN)
            case Refused():
                await self._board.record(live, answer)
                self._refused(answer)
            case LostContact():
                await self._hold(live, answer)
            case _:
                assert_never(answer)

    async def _keep(self, live: Live, answer: Accepted) -> None:
        """Make the receipt durable before anything uses it; whatever goes wrong, the id is never thrown away."""
        try:
            await self._board.record(live, answer)
        except IllegalTransition as refusal:
            await self._keep_beside(live, answer, str(refusal))
            return
        except ShotrunnerError as failure:
            self._board.say(
                f"{live.id} was accepted as request {answer.request_id}, which could not be written down "
                f"({failure}); keep this id"
            )
            raise
        failpoints.hit("submit.recorded")
        self._any_accepted = True
        live.request_id = answer.request_id
        live.born = self._means.clock.monotonic()
        self._accepted(live)

    async def _keep_beside(self, live: Live, answer: Accepted, refusal: str) -> None:
        """Keep an id that cannot become the take's: another take has it, or somebody has decided meanwhile."""
        reason = f"the API answered with request id {answer.request_id}, which cannot be taken: {refusal}"
        try:
            await self._hold(live, LostContact(answer.attempt, "answering", reason, answer.request_id))
        except IllegalTransition:
            await self._board.record(live, LateAnswer(answer.attempt, answer.request_id))
            self._board.say(f"{live.id}: {reason}")
            self._board.leave(live, "another runner has taken it over")

    async def _put_back(self, live: Live, answer: NotSent | RefusedForNow | AccountTurnedAway) -> None:
        # A connection that never came about has not awaited `begin`, so there may be no attempt to close.
        if live.state is TakeState.SUBMITTING:
            await self._board.record(live, answer)
        self._board.put_back(live)

    def _not_sent(self, live: Live, answer: NotSent) -> None:
        """Wait for the service, longer each time: reads may be answered where submits are not."""
        if answer.hopeless:
            self._means.end(EndingKind.OUTAGE, answer.reason, Stop.DRAIN)
            return
        lasted = self._unsent.goes_on(self._means.clock.monotonic())
        if lasted >= self._means.options.outage_limit:
            self._means.end(EndingKind.OUTAGE, answer.reason, Stop.DRAIN)
        self._gate.shut(live.ticket.model, answer.reason)
        if self._unsent.count > 1:
            backoff = self._means.options.backoff
            self._gate.rest(backoff.delay(self._unsent.count, chance=self._means.chance()))

    def _rest(self, answer: RefusedForNow) -> None:
        """Pause all submits, longer after each refusal in a row."""
        lasted = self._throttled.goes_on(self._means.clock.monotonic())
        own = self._means.options.throttled.delay(self._throttled.count, chance=self._means.chance())
        wished = min(answer.not_before - self._means.clock.wall(), RETRY_AFTER_CEILING)
        self._gate.rest(max(own, wished))
        if self._throttled.count == 1:
            self._board.say(
                f"the API asked for a pause ({answer.reason}); submitting goes on in {max(own, wished):.0f} s"
            )
        if lasted >= self._means.options.outage_limit:
            self._means.end(EndingKind.OUTAGE, answer.reason, Stop.DRAIN)

    def _refused(self, answer: Refused) -> None:
        """Stop where the API says that it refuses every submit, or has accepted nothing yet and refuses all alike."""
        if answer.hopeless:
            self._means.end(EndingKind.HALTED, f"the API cannot take submits: {answer.reason}", Stop.DRAIN)
        if answer.hopeless or self._any_accepted:
            return
        self._refused_because.append(answer.reason)
        alike = self._refused_because[-self._means.options.same_refusals :]
        all_alike = len(alike) == self._means.options.same_refusals and len(set(alike)) == 1
        if answer.failure is FailureClass.REFUSED or all_alike:
            self._means.end(EndingKind.HALTED, f"the API refuses everything: {answer.reason}", Stop.DRAIN)

    async def _hold(self, live: Live, answer: LostContact) -> None:
        options = self._means.options
        pays_again = options.on_unknown is OnUnknown.PAY_AGAIN and self._extra_paid < options.max_extra_paid
        # Paid again it would only be lost again.
        if pays_again and not answer.hopeless:
            await self._pay_again(live, answer)
            return
        await self._board.record(live, answer)
        self._unknown += 1
        if answer.hopeless:
            self._means.end(EndingKind.ACCOUNT, answer.reason, Stop.DRAIN)
        elif options.on_unknown is OnUnknown.STOP:
            self._means.end(EndingKind.UNKNOWNS, f"{live.id} was left without an answer", Stop.DRAIN)
        elif self._unknown >= options.max_unknown:
            text = f"{self._unknown} submits were left without an answer"
            self._means.end(EndingKind.UNKNOWNS, text, Stop.DRAIN)
        elif self._board.is_busy:
            self._gate.shut(live.ticket.model, answer.reason)

    async def _pay_again(self, live: Live, answer: LostContact) -> None:
        """Put a held take back by the flag that says so in its name; it may be paid for twice."""
        self._extra_paid += 1
        await self._board.record(live, answer, goes_on=True)
        await self._board.record(live, PayAgain("--on-unknown pay-again"))
        self._board.again(live)
        self._gate.shut(live.ticket.model, answer.reason)
