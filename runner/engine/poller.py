"""Polling: it looks at active jobs, spaced by what is known about their length, and reads their results.

A failed look never fails a paid take.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from runner.domain import failpoints
from runner.domain import states as facts
from runner.domain.api_answers import CancelAnswer, FailureKind, JobStatus, NotReady, RequestFailure, folded
from runner.domain.job_match import ITS_RECORD, disowned
from runner.domain.job_settings import settings_of
from runner.domain.records import PastJob
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import FailureClass, TakeState
from runner.engine.context import EngineContext
from runner.engine.overdue import Overdue
from runner.engine.poll_pace import NOTHING_KNOWN, Durations, RetryQuota, Sample
from runner.engine.run_state import ActiveTake
from runner.engine.timers import Stopwatch, TimerQueue

_NOT_BELIEVED = frozenset({FailureKind.STRANGE, FailureKind.TOO_LARGE})
"""Answers that are not believed although the API does answer: this job is asked about again, the others continue."""

_DENIALS_THAT_COUNT = 3
_SLOWER = 2.0
_SPREAD = 5.0
_MOST_WORDS = 20


class Poller:
    """Looks at every accepted take until its result is known; `succeeded` is called with those that have a clip.

    `durations` are how long earlier jobs took.
    """

    def __init__(
        self,
        context: EngineContext,
        *,
        durations: Iterable[PastJob],
        succeeded: Callable[[ActiveTake], None],
    ) -> None:
        self._context = context
        self._state = context.state
        self._options = context.state.options
        self._durations = Durations(durations)
        self._succeeded = succeeded
        self.overdue = Overdue(context.state, self._durations)
        self._agenda: TimerQueue[ActiveTake] = TimerQueue(context.state.clock)
        self._quota = RetryQuota()
        self._looking = 0
        self._has_looked = asyncio.Event()
        self._strange: set[str] = set()
        self._failed: Counter[FailureClass] = Counter()

    def watch(self, live: ActiveTake) -> None:
        """Put an active take on the agenda; the first look is due when its job may have ended."""
        age, pace = self._state.now - live.born, self._options.pace
        live.settings = sys.intern(settings_of(live.ticket.body))
        # The age of a job of an earlier run is by the wall clock, which may have been set since; it teaches nothing.
        live.worked_until = live.born if age < pace.floor else None
        first = pace.first(self._known(live), chance=self._context.chance())
        # After a resume all takes are overdue at once; they are spread over the shortest interval.
        spread = pace.floor * self._context.chance() if age > first else 0.0
        self._agenda.add(live, after=max(first - age, spread))

    def poll_now(self) -> None:
        """Look at everything within a few seconds: what happened meanwhile is not known."""
        self._agenda.poll_now(lambda: self._options.pace.floor * _SPREAD * self._context.chance())

    async def run(self) -> None:
        """Look at whatever is due, until cancelled; an answer that is slow to come delays no other look.

        Raises:
            ExceptionGroup: of the failures of looks.
        """
        async with asyncio.TaskGroup() as looks:
            while True:
                live = await self._agenda.next()
                await self._context.breaker.passes()
                while self._looking >= self._most_at_once():
                    self._has_looked.clear()
                    await self._has_looked.wait()
                self._looking += 1
                looks.create_task(self._ask_about(live)).add_done_callback(self._looked)

    def _most_at_once(self) -> int:
        # Where reads fail, each may hang until its deadline, and a service that is coming back is not overrun.
        is_in_doubt = self._context.breaker.is_in_doubt
        return self._options.looks_in_doubt if is_in_doubt else self._options.looks_at_once

    def _looked(self, _look: asyncio.Task[None]) -> None:
        self._looking -= 1
        self._has_looked.set()

    async def _ask_about(self, live: ActiveTake) -> None:
        if self.overdue.is_too_old(live):
            hours = f"{self._options.job_limit / 3600:g} h"
            self._state.leave(live, f"its job is older than {hours} (--job-limit)", is_old=True)
        # Once a look has shown that a job ended, only its result matters.
        elif live.has_ended:
            await self._collect(live)
        else:
            await self._look(live)

    async def _look(self, live: ActiveTake) -> None:
        assert live.request_id is not None
        asked_at = self._state.now
        live.watched.goes_on(asked_at)
        answer = await self._context.queue.look(live.request_id)
        if isinstance(answer, RequestFailure):
            await self._handle_failure(live, answer)
            return
        self._answered(live)
        if answer.status is JobStatus.ENDED:
            live.has_ended = True
            if live.worked_until is not None:
                live.worked_until = (live.worked_until + asked_at) / 2.0
            failpoints.hit("watch.ended")
            await self._collect(live)
            return
        if answer.status is JobStatus.RUNNING and live.state is TakeState.QUEUED:
            await self._state.record(live, facts.Started())
        elif answer.status is JobStatus.QUEUED and live.state is TakeState.RUNNING:
            await self._state.record(live, facts.Requeued())
        elif answer.status is JobStatus.UNKNOWN:
            self._report_unknown_status(live, answer.word)
        if self.overdue.notice(live, answer.word) or answer.status is JobStatus.UNKNOWN:
            # Its result may be there although the look does not call it ended, and asking is free.
            ended = await self._context.result(live)
            if isinstance(ended, facts.Ended) and not self._may_name_more(live, ended):
                await self._close(live, ended)
                return
        self._look_later(live, seen_at=asked_at)

    def _may_name_more(self, live: ActiveTake, ended: facts.Ended) -> bool:
        """Return whether to ask again about a job without an output: its links may come later than its status."""
        if ended.failure is not FailureClass.NO_OUTPUT:
            return False
        return live.empty.goes_on(self._state.now) < self._options.empty_grace

    def _answered(self, live: ActiveTake) -> None:
        self._context.breaker.answered()
        self._context.account.answered()
        self._quota.earn()
        live.failures = 0
        for trouble in (live.denied, live.silent, live.missing, live.mistaken):
            trouble.is_over()

    def _report_unknown_status(self, live: ActiveTake, word: str) -> None:
        if word not in self._strange and len(self._strange) < _MOST_WORDS:
            self._strange.add(word)
            self._state.say(
                f"the API calls {live.id} {word!r}, an unknown status; asking for its result, and still looking"
            )

    def _look_later(self, live: ActiveTake, *, seen_at: float) -> None:
        """Plan the next look at a job that was at work at `seen_at`."""
        if live.worked_until is not None:
            live.worked_until = seen_at
        known, took = self._known(live), self._state.now - seen_at
        interval = self._interval(live, seen_at)
        # A look that came early after a jump of the clock does not begin the dense part of the watch.
        if seen_at - live.born < known.soonest:
            live.watched.is_over()
        # The interval counts from the request, but an API that is slow to answer is left alone for as long.
        self._agenda.add(live, after=max(interval - took, min(took, self._options.pace.floor_of(known))))

    def _interval(self, live: ActiveTake, seen_at: float) -> float:
        """Return the seconds from `seen_at`, when the job was at work, to the next look at it."""
        watched = live.watched.goes_on(self._state.now)
        age, chance = seen_at - live.born, self._context.chance()
        return self._options.pace.next(self._known(live), age=age, watched=watched, chance=chance)

    def _known(self, live: ActiveTake) -> Sample:
        return self._durations.of(live.ticket.model, live.settings)

    async def _collect(self, live: ActiveTake) -> None:
        """Read the result; the slot is freed first, since the API has ended its work, unless failures are counted."""
        if not self._options.failure_limit.limits:
            self._state.free_slot(live)
        answer = await self._context.result(live)
        match answer:
            case facts.Ended() if self._may_name_more(live, answer):
                self._answered(live)
                self._agenda.add(live, after=self._options.pace.floor)
            case facts.Ended():
                self._answered(live)
                await self._close(live, answer)
            case NotReady():
                self._not_yet(live, answer)
            case RequestFailure():
                await self._handle_failure(live, answer)
            case _:
                assert_never(answer)

    def _not_yet(self, live: ActiveTake, answer: NotReady) -> None:
        """Take `ended` back: the API says that the job continues, so it may be working after all."""
        if not answer.is_known:
            self._report_unknown_status(live, answer.word)
        self.overdue.notice(live, answer.word)
        if self._too_long(live.doubted):
            reason = f"its status says that it ended, but its result still says {answer.word!r}"
            self._state.leave(live, reason)
            return
        self._state.take_slot(live)
        live.has_ended = False
        self._look_later(live, seen_at=self._state.now)

    async def _close(self, live: ActiveTake, ended: facts.Ended) -> None:
        """Record the end; pay for another attempt where a policy says so, else report it to scouts and limits."""
        age = max(0.0, self._state.now - live.born)
        # The server's own times are believed only as far as this machine's clock allows.
        if ended.seconds is not None and ended.seconds > age:
            ended = replace(ended, seconds=None)
        failpoints.hit("watch.result")
        undone = disowned(live.ticket, ended) if live.is_adopted else None
        if undone is not None:
            await self._disown(live, undone)
            return
        failed = ended.outcome is TakeState.FAILED
        # A person who has asked for a cancel wants no other attempt.
        is_wanted = live.cancel_asked != live.request_id
        is_retried = failed and is_wanted and self._options.may_retry(ended.failure, attempts=live.attempts)
        await self._state.record(live, ended, goes_on=is_retried)
        for remark in ended.remarks:
            self._state.say(f"{live.id}: {remark}")
        live.outputs, live.finished_at = ended.outputs, self._state.clock.wall()
        live.cost = live.ticket.cost if ended.cost is None else ended.cost
        if is_retried:
            wish = facts.RetryRequested(f"--retries {self._options.retries}", ended.reason)
            await self._state.record(live, wish)
            self._state.requeue(live)
            return
        if live.state is TakeState.SUCCEEDED:
            self._learn(live, ended.seconds)
            self._succeeded(live)
        self._context.scouts.settled(live, ended)
        if ended.failure is not None:
            self._trip(live, ended.failure)

    def _learn(self, live: ActiveTake, seconds: float | None) -> None:
        """Keep how long a job took: as the API says, or else as far as looks have shown."""
        if seconds is None and live.worked_until is not None:
            seconds = live.worked_until - live.born
        if seconds is not None:
            self._durations.add(PastJob(live.ticket.model, live.settings, seconds))

    async def _disown(self, live: ActiveTake, undone: facts.AdoptionUndone) -> None:
        """Hold a take again when its adopted job is another take's: what that job made is not its clip."""
        await self._state.record(live, undone)
        live.request_id, live.has_ended, live.is_adopted = None, False, False

    async def _handle_failure(self, live: ActiveTake, trouble: RequestFailure) -> None:
        """Handle a read that was not answered; nothing here fails a job that may still run."""
        live.failures += 1
        given_up = self._too_long(live.silent)
        why, kind, now = trouble.reason, trouble.kind, self._state.now
        if kind is not FailureKind.STRANGE:
            live.mistaken.is_over()
        if kind is FailureKind.ACCOUNT:
            given_up = await self._deny(live, why) or given_up
        elif kind is FailureKind.MISSING and live.missing.goes_on(now) >= self._options.missing_grace:
            failure = FailureClass.EXPIRED if live.has_ended else FailureClass.MISSING
            await self._state.record(live, facts.Vanished(failure, why, trouble.evidence))
            self._trip(live, failure)
            return
        elif kind in {FailureKind.TRANSIENT, FailureKind.THROTTLED}:
            self._context.breaker.failed(live.ticket.model, why)
        elif kind is FailureKind.STRANGE and self._too_long(live.mistaken) and live.is_adopted:
            assert live.request_id is not None
            await self._disown(live, facts.AdoptionUndone(live.request_id, ITS_RECORD, why))
            return
        elif kind in _NOT_BELIEVED:
            # The API does answer, so the other jobs continue.
            self._context.breaker.answered()
            self._state.say_once(f"not believed: {live.id}", f"{live.id}: {why}; not believed, asking again")
        if given_up:
            answers = kind in _NOT_BELIEVED | {FailureKind.ACCOUNT}
            self._state.leave(live, why if answers else f"the API has not answered about it: {why}")
            return
        self._agenda.add(live, after=max(trouble.retry_after or 0.0, self._retried_in(live, kind)))

    def _retried_in(self, live: ActiveTake, kind: FailureKind) -> float:
        """Return the seconds until the next read about a job whose read failed.

        A failed read says nothing about the job, so the wait is no longer than after an answer. It is shorter while the
        quota for retries lasts, and up to twice as long where the API is busy. What is refused or not believed is asked
        about less and less often, since nothing changes.
        """
        chance = self._context.chance()
        backoff = self._options.backoff.delay(live.failures, chance=chance)
        now = self._state.now
        if live.has_ended:
            # It lacks only its result, however long the job took.
            pace = self._options.pace.next(
                NOTHING_KNOWN, age=0.0, watched=live.silent.goes_on(now), chance=chance
            )
        else:
            pace = self._interval(live, now)
        if kind is FailureKind.TRANSIENT:
            return min(pace, backoff) if self._quota.spend() else pace
        if kind is FailureKind.THROTTLED:
            return max(pace, min(_SLOWER * pace, backoff))
        return max(self._options.pace.floor, backoff)

    async def _deny(self, live: ActiveTake, reason: str) -> bool:
        """Handle a refused read; return whether to leave its job to the next run: not while the account is doubted."""
        lasted = live.denied.goes_on(self._state.now)
        await self._context.account.read_refused(live.id, live.ticket.model, reason)
        if self._context.account.is_doubted:
            return False
        if live.denied.count == _DENIALS_THAT_COUNT:
            text = f"{live.id}: the API refuses to report its status: {reason}; asking again"
            self._state.say_once(f"denied: {folded(reason)}", text)
        return lasted >= self._options.refusal_limit

    def _too_long(self, trouble: Stopwatch) -> bool:
        return trouble.goes_on(self._state.now) >= self._options.outage_limit

    def _trip(self, live: ActiveTake, failure: FailureClass) -> None:
        self._failed[failure] += 1
        tripped = self._options.failure_limit.tripped(self._failed)
        if tripped:
            self._state.end(EndingKind.HALTED, f"{tripped}, the last was {live.id}", Stop.DRAIN)

    async def cancel_queued(self) -> None:
        """Ask the API, once it is wanted, to cancel what has not started; a later look shows the outcome."""
        await self._state.wants_cancel.wait()
        for live in list(self._state.live.values()):
            if live.state is TakeState.QUEUED and live.cancel_asked != live.request_id:
                await self.cancel(live, by=self._state.cancelled_by)
        self.poll_now()
        await asyncio.Event().wait()

    async def cancel(self, live: ActiveTake, *, by: str) -> CancelAnswer | RequestFailure:
        """Ask the API to cancel an active job, record its word, and return it; the word proves nothing."""
        assert live.request_id is not None
        request_id = live.cancel_asked = live.request_id
        answer = await self._context.queue.cancel(request_id)
        outcome = answer.outcome if isinstance(answer, CancelAnswer) else answer.reason
        if isinstance(answer, RequestFailure):
            live.cancel_asked = ""
        await self._state.record(live, facts.CancelRequested(by, outcome))
        return answer
