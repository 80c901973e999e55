"""Submit results: what the answer to a POST does to its take and to the takes behind it.

Each answer is one fact, durable before its POST counts as answered, and then a pause, a question or the end of the
submitting. It sends nothing. A take goes back to pending only if the attempt was proved free. POSTs that were in the
air together may meet the same trouble, which counts once: an *echo* of it makes no pause longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from runner.domain import failpoints
from runner.domain import states as facts
from runner.domain.api_answers import SubmitAnswer
from runner.domain.errors import IllegalTransition, RunInUse, ShotrunnerError
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import FailureClass, TakeState
from runner.engine.circuit_breaker import PROBE_EVERY
from runner.engine.context import EngineContext
from runner.engine.options import OnUnknown
from runner.engine.poll_pace import OutageTest
from runner.engine.run_state import ActiveTake
from runner.engine.submit_window import Post, SubmitWindow
from runner.engine.timers import Stopwatch
from runner.system.backoff import RETRY_AFTER_CEILING

_SHARE_IN_A_ROW = 10
_TROUBLE = (facts.NotSent, facts.RefusedForNow, facts.AccountTurnedAway, facts.LostContact)
"""Answers that are not about the take, but about the way, the service or the account."""


class SubmitResultHandler:
    """Handles every answer; `accepted` is called with a take once its receipt is durable."""

    def __init__(
        self,
        context: EngineContext,
        *,
        window: SubmitWindow,
        accepted: Callable[[ActiveTake], None],
        extra_paid: int,
    ) -> None:
        """`extra_paid` is how many unknown submits earlier runs have paid again."""
        self._context = context
        self._state = context.state
        self._options = context.state.options
        self._breaker = context.breaker
        self._window = window
        self._accepted = accepted
        self._unsent, self._throttled = Stopwatch(), Stopwatch()
        self._lost_in_a_row = 0
        self._extra_paid = extra_paid
        self._paying_again: set[str] = set()

    async def settle(self, live: ActiveTake, answer: SubmitAnswer, post: Post) -> None:
        """Record what became of the attempt, then do what follows from it for the other takes."""
        is_echo = self._window.is_echo(post)
        # The window narrows before the first await, in which another POST could begin.
        if isinstance(answer, _TROUBLE) and not is_echo:
            self._window.troubled(now=self._state.now, throttled=isinstance(answer, facts.RefusedForNow))
        if not isinstance(answer, facts.NotSent):
            self._unsent.is_over()
        if not isinstance(answer, facts.RefusedForNow):
            self._throttled.is_over()
        if not isinstance(answer, facts.LostContact | facts.NotSent):
            self._lost_in_a_row = 0
        if isinstance(answer, facts.NotSent | facts.RefusedForNow | facts.AccountTurnedAway | facts.Refused):
            # It is proved to be free, so --retries does not count this attempt.
            live.attempts -= 1
        match answer:
            case facts.Accepted():
                self._context.refusals.accepted()
                self._context.account.answered()
                await self._keep(live, answer)
            case facts.NotSent():
                await self._put_back(live, answer)
                await self._not_sent(live, answer, is_echo=is_echo)
            case facts.RefusedForNow():
                await self._put_back(live, answer)
                self._rest(answer, is_echo=is_echo)
            case facts.AccountTurnedAway():
                await self._turned_away(live, answer)
            case facts.Refused():
                await self._refused(live, answer)
            case facts.LostContact() if self._may_pay_again(answer):
                await self._pay_again(live, answer, is_echo=is_echo)
            case facts.LostContact():
                await self._hold(live, answer, is_echo=is_echo)
            case _:
                assert_never(answer)

    async def _keep(self, live: ActiveTake, answer: facts.Accepted) -> None:
        """Make the receipt durable before anything uses it; whatever fails, the id is never thrown away."""
        try:
            await self._state.record(live, answer)
        except IllegalTransition as refusal:
            await self._keep_beside(live, answer, str(refusal))
            return
        except ShotrunnerError as failure:
            self._state.say(
                f"{live.id} was accepted as request {answer.request_id}, which could not be recorded "
                f"({failure}); keep this id"
            )
            raise
        failpoints.hit("submit.recorded")
        for remark in answer.remarks:
            self._state.say(f"{live.id}: {remark}")
        live.request_id = answer.request_id
        live.born = self._state.now
        self._accepted(live)

    async def _keep_beside(self, live: ActiveTake, answer: facts.Accepted, refusal: str) -> None:
        """Keep an id that cannot become the take's: another take has it, or a person has decided meanwhile."""
        reason = f"the API answered, but its request id {answer.request_id} cannot be taken: {refusal}"
        try:
            # It must never be paid again, since the API did accept it.
            await self._hold(live, facts.LostContact(answer.attempt, "answering", reason, answer.request_id))
        except (IllegalTransition, RunInUse) as taken_over:
            await self._state.record(live, facts.LateAnswer(answer.attempt, answer.request_id))
            self._state.say(f"{live.id}: {reason}")
            self._state.leave(live, "another runner has taken it over")
            if isinstance(taken_over, RunInUse):
                raise

    async def _put_back(self, live: ActiveTake, answer: facts.StateFact, *, last: bool = False) -> None:
        # A connection that failed has not awaited `begin`, so there may be no attempt to close.
        if live.state is TakeState.SUBMITTING:
            await self._state.record(live, answer)
        self._state.put_back(live, last=last)

    async def _not_sent(self, live: ActiveTake, answer: facts.NotSent, *, is_echo: bool) -> None:
        """Wait for the service, longer each time, since it may answer reads but no submits."""
        if answer.hopeless:
            await self._breaker.raise_if_barred(live.ticket.model)
            self._state.end(EndingKind.OUTAGE, answer.reason, Stop.DRAIN)
        if answer.hopeless or is_echo:
            return
        self._end_if_too_long(self._unsent, answer.reason)
        self._breaker.doubt_submits(live.ticket.model, answer.reason)
        beyond = self._unsent.count - OutageTest.IN_A_ROW
        if beyond > 0:
            self._breaker.rest(self._options.backoff.delay(beyond, chance=self._context.chance()))

    def _rest(self, answer: facts.RefusedForNow, *, is_echo: bool) -> None:
        """Pause all submits, longer after each refusal in a row."""
        wished = min(answer.not_before - self._state.clock.wall(), RETRY_AFTER_CEILING)
        if is_echo:
            self._breaker.rest(wished)
            return
        self._end_if_too_long(self._throttled, answer.reason)
        own = self._options.throttled.delay(self._throttled.count, chance=self._context.chance())
        self._breaker.rest(max(own, wished))
        if self._throttled.count == 1:
            self._state.say(
                f"the API asked for a pause ({answer.reason}); submitting continues in {max(own, wished):.0f} s"
            )

    def _end_if_too_long(self, trouble: Stopwatch, reason: str) -> None:
        """Note that `trouble` goes on, and end the submitting once it has lasted as long as an outage may."""
        if trouble.goes_on(self._state.now) >= self._options.outage_limit:
            self._state.end(EndingKind.OUTAGE, reason, Stop.DRAIN)

    async def _refused(self, live: ActiveTake, answer: facts.Refused) -> None:
        """Fail a take that was refused, unless other takes are refused in the same way."""
        refusals = self._context.refusals
        streak = () if refusals.is_own_fault(live, answer) else refusals.note(live, answer)
        await self._state.record(live, answer, goes_on=bool(streak))
        if streak:
            await refusals.put_back(streak)

    async def _turned_away(self, live: ActiveTake, answer: facts.AccountTurnedAway) -> None:
        """Put back a take that was refused because of the account, and check that with a free question."""
        refusals = self._context.refusals
        if refusals.is_own_fault(live, answer):
            await self._state.record(live, facts.Refused(answer.attempt, FailureClass.REFUSED, answer.reason))
            return
        await self._put_back(live, answer, last=True)
        if await self._context.account.confirms(live.ticket.model, answer.reason):
            return
        streak = refusals.note(live, answer)
        if streak:
            await refusals.put_back(streak)

    async def _hold(self, live: ActiveTake, answer: facts.LostContact, *, is_echo: bool = False) -> None:
        """Hold a take; submit no more where too much is in doubt, else wait until the service answers."""
        await self._state.record(live, answer)
        # A person must decide on these takes, including those of earlier runs and of undone adoptions.
        held = self._state.held - self._paying_again
        if answer.hopeless:
            self._state.end(EndingKind.ACCOUNT, answer.reason, Stop.DRAIN)
        elif self._options.on_unknown is OnUnknown.STOP:
            self._state.end(EndingKind.UNKNOWNS, f"{live.id} was left without an answer", Stop.DRAIN)
        elif len(held) >= self._options.max_unknown:
            text = f"{len(held)} submits were left without an answer"
            self._state.end(EndingKind.UNKNOWNS, text, Stop.DRAIN)
        elif self._state.is_busy:
            self._ask_for_free(live, answer, is_echo=is_echo)

    def _may_pay_again(self, answer: facts.LostContact) -> bool:
        # A run that submits no more would leave the payment to the next one, and may have cut the answer off itself.
        # A hopeless submit would only be lost again. An answer that names a job means that there is one to pay for.
        may = self._options.on_unknown is OnUnknown.PAY_AGAIN and not self._state.giving_up
        has_room = self._extra_paid + len(self._paying_again) < self._options.max_extra_paid
        return may and has_room and not (answer.hopeless or answer.candidates)

    async def _pay_again(self, live: ActiveTake, answer: facts.LostContact, *, is_echo: bool) -> None:
        """Put back a held take, as the flag `pay-again` asks; it may be paid for twice."""
        # It counts at once, since parallel submits must not pass the bound together.
        self._paying_again.add(live.id)
        try:
            await self._state.record(live, answer, goes_on=True)
            await self._state.record(live, facts.PayAgain("--on-unknown pay-again"))
        finally:
            self._paying_again.discard(live.id)
        self._extra_paid += 1
        self._state.requeue(live)
        self._ask_for_free(live, answer, is_echo=is_echo)

    def _ask_for_free(self, live: ActiveTake, answer: facts.LostContact, *, is_echo: bool) -> None:
        """Submit nothing before the API answers a free question, asked at once, or later after many lost answers.

        The more lost answers a person allows, the more of them in a row count as accidental.
        """
        self._lost_in_a_row += not is_echo
        by_chance = min(OutageTest.IN_A_ROW, max(1, self._options.max_unknown // _SHARE_IN_A_ROW))
        wait = 0.0 if self._lost_in_a_row <= by_chance else PROBE_EVERY
        self._breaker.doubt_submits(live.ticket.model, answer.reason, wait=wait)
