"""Polling: it looks at active jobs, spaced by what is known of their length, and reads their results.

In: accepted takes. Out: started, requeued, ended and vanished facts, and succeeded takes for the downloader. A failed
look never fails a paid take.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from runner.domain import failpoints
from runner.domain.api_answers import (
    CancelAnswer,
    FailureKind,
    JobStatus,
    NotReady,
    RequestFailure,
    StatusReply,
    folded,
)
from runner.domain.job_match import ITS_RECORD, disowned
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import (
    AdoptionUndone,
    CancelRequested,
    Ended,
    FailureClass,
    Requeued,
    RetryRequested,
    Started,
    TakeState,
    Vanished,
)
from runner.engine.context import EngineContext
from runner.engine.overdue import Overdue
from runner.engine.poll_pace import Durations, RetryQuota
from runner.engine.retry_policy import may_retry
from runner.engine.run_state import ActiveTake
from runner.engine.timers import Stopwatch, TimerQueue

_NOT_TAKEN = frozenset({FailureKind.STRANGE, FailureKind.TOO_LARGE})
"""Answers that are not believed although the API does answer: this job is asked about again, the others go on."""

_DENIALS_THAT_COUNT = 3
_SLOWER = 2.0
_SPREAD = 5.0
_MOST_WORDS = 20

_UNSEEN_SHARE = 0.9
"""A job that had ended at its first look took at most its age; the guess errs low, or durations could only grow."""


class Poller:
    """Looks at every accepted take until its result is known."""

    def __init__(
        self, means: EngineContext, *, durations: Durations, succeeded: Callable[[ActiveTake], None]
    ) -> None:
        self._means = means
        self._board = means.board
        self._breaker = means.breaker
        self._durations = durations
        self._succeeded = succeeded
        self.overdue = Overdue(
            means.board, clock=means.clock, durations=durations, limit=means.options.job_limit
        )
        self._agenda: TimerQueue[ActiveTake] = TimerQueue(means.clock)
        self._quota = RetryQuota()
        self._strange: set[str] = set()
        self._mistaken: set[str] = set()
        self._denials: set[str] = set()
        self._failed: Counter[FailureClass] = Counter()
        self._wants_cancel = asyncio.Event()
        self._cancelled_by = ""

    def watch(self, live: ActiveTake) -> None:
        """Put an active take on the agenda; the first look is due when its job may have ended."""
        age = self._means.clock.monotonic() - live.born
        first = self._means.options.pace.first(
            self._durations.soonest(live.ticket.model), chance=self._means.chance()
        )
        # After a resume all takes are overdue at once; they are spread over the shortest interval.
        spread = self._means.options.pace.floor * self._means.chance() if age > first else 0.0
        self._agenda.add(live, after=max(first - age, spread))

    def poll_now(self) -> None:
        """Look at everything soon, spread over a few seconds: what happened meanwhile is not known."""
        floor = self._means.options.pace.floor
        self._agenda.poll_now(lambda: floor * _SPREAD * self._means.chance())

    async def run(self) -> None:
        """Look at whatever is due, until cancelled; run one of these for each call allowed at once."""
        while True:
            live = await self._agenda.next()
            await self._breaker.passes()
            if self.overdue.is_too_old(live):
                hours = f"{self._means.options.job_limit / 3600:g} h"
                self._board.leave(live, f"its job is older than {hours} (--job-limit)", is_old=True)
                continue
            # Once a look has shown that a job ended, only its result matters.
            await (self._collect(live) if live.has_ended else self._look(live))

    async def _look(self, live: ActiveTake) -> None:
        assert live.request_id is not None
        first = live.watched.since is None
        live.watched.goes_on(self._means.clock.monotonic())
        answer = await self._means.queue.look(live.request_id)
        if isinstance(answer, RequestFailure):
            await self._handle_failure(live, answer)
            return
        self._answered(live)
        if answer.status is JobStatus.ENDED:
            live.has_ended = True
            failpoints.hit("watch.ended")
            await self._collect(live, found_at_once=first)
            return
        await self._note(live, answer)
        is_due = self.overdue.notice(live, answer.word)
        if (is_due or answer.status is JobStatus.UNKNOWN) and await self._has_result(
            live, found_at_once=first
        ):
            return
        self._again(live)

    async def _has_result(self, live: ActiveTake, *, found_at_once: bool) -> bool:
        """Read and take the result of a job that a look does not call ended, if there is one; asking is free."""
        answer = await self._means.result(live)
        if not isinstance(answer, Ended) or self._may_name_more(live, answer):
            return False
        await self._close(live, answer, found_at_once=found_at_once)
        return True

    def _may_name_more(self, live: ActiveTake, ended: Ended) -> bool:
        """Return whether to ask again about a job without an output: its links may come later than its status."""
        if ended.failure is not FailureClass.NO_OUTPUT:
            return False
        return live.empty.goes_on(self._means.clock.monotonic()) < self._means.options.empty_grace

    def _answered(self, live: ActiveTake) -> None:
        self._breaker.answered()
        self._means.account.answered()
        self._quota.earn()
        live.failures = 0
        live.denied.is_over()
        live.silent.is_over()
        live.missing.is_over()
        live.mistaken.is_over()

    async def _note(self, live: ActiveTake, seen: StatusReply) -> None:
        """Record that a job started or waits again, and report an unknown status word."""
        if seen.status is JobStatus.RUNNING and live.state is TakeState.QUEUED:
            await self._board.record(live, Started())
        elif seen.status is JobStatus.QUEUED and live.state is TakeState.RUNNING:
            await self._board.record(live, Requeued())
        elif seen.status is JobStatus.UNKNOWN:
            self._report_unknown_status(live, seen.word)

    def _report_unknown_status(self, live: ActiveTake, word: str) -> None:
        if word not in self._strange and len(self._strange) < _MOST_WORDS:
            self._strange.add(word)
            self._board.say(
                f"the API calls {live.id} {word!r}, an unknown status; asking for its result, and still looking"
            )

    def _again(self, live: ActiveTake) -> None:
        now, pace = self._means.clock.monotonic(), self._means.options.pace
        wait = pace.next(live.watched.goes_on(now), chance=self._means.chance())
        # A look that came early after a jump of the clock does not begin the dense part of the watch.
        early = (self._durations.soonest(live.ticket.model) or 0.0) - (now - live.born)
        if early > wait:
            live.watched.is_over()
            wait = min(early, pace.longest_wait)
        self._agenda.add(live, after=wait)

    async def _collect(self, live: ActiveTake, *, found_at_once: bool = False) -> None:
        """Read the result; the slot is freed first, since the API has ended its work, unless failures are counted."""
        if not self._means.options.failure_limit.limits:
            self._board.free_slot(live)
        answer = await self._means.result(live)
        match answer:
            case Ended() if self._may_name_more(live, answer):
                self._answered(live)
                self._agenda.add(live, after=self._means.options.pace.floor)
            case Ended():
                self._answered(live)
                await self._close(live, answer, found_at_once=found_at_once)
            case NotReady():
                await self._not_yet(live, answer)
            case RequestFailure():
                await self._handle_failure(live, answer)
            case _:
                assert_never(answer)

    async def _not_yet(self, live: ActiveTake, answer: NotReady) -> None:
        """Take `ended` back: the API says that the job goes on, so it may be working after all."""
        if not answer.is_known:
            self._report_unknown_status(live, answer.word)
        self.overdue.notice(live, answer.word)
        if self._too_long(live.doubted):
            self._board.leave(live, f"it is said to have ended, but its result still says {answer.word!r}")
            return
        self._board.take_slot(live)
        live.has_ended = False
        self._again(live)

    async def _close(self, live: ActiveTake, ended: Ended, *, found_at_once: bool) -> None:
        age = max(0.0, self._means.clock.monotonic() - live.born)
        # The server's own times are believed only as far as this machine's clock allows.
        if ended.seconds is not None and ended.seconds > age:
            ended = replace(ended, seconds=None)
        failpoints.hit("watch.result")
        undone = disowned(live.ticket, ended) if live.is_adopted else None
        if undone is not None:
            await self._disown(live, undone)
            return
        retry = self._is_retried(live, ended)
        await self._board.record(live, ended, goes_on=retry)
        for remark in ended.remarks:
            self._board.say(f"{live.id}: {remark}")
        live.outputs, live.cost, live.finished_at = ended.outputs, ended.cost, self._means.clock.wall()
        if live.state is TakeState.SUCCEEDED:
            seen = age * _UNSEEN_SHARE if found_at_once else age
            self._durations.add(live.ticket.model, seen if ended.seconds is None else ended.seconds)
            self._succeeded(live)
        await self._outcome(live, ended, retry=retry)

    async def _disown(self, live: ActiveTake, undone: AdoptionUndone) -> None:
        """Hold a take again when its adopted job is another take's: what that job made is not its clip."""
        await self._board.record(live, undone)
        live.request_id, live.has_ended, live.is_adopted = None, False, False

    def _is_retried(self, live: ActiveTake, ended: Ended) -> bool:
        retries = self._means.options.retries
        return ended.outcome is TakeState.FAILED and may_retry(
            ended.failure, attempts=live.attempts, retries=retries
        )

    async def _handle_failure(self, live: ActiveTake, trouble: RequestFailure) -> None:
        """Handle a read that was not answered; nothing here fails a job that may still run."""
        live.failures += 1
        given_up = self._too_long(live.silent)
        if trouble.kind is not FailureKind.STRANGE:
            live.mistaken.is_over()
        if trouble.kind is FailureKind.ACCOUNT:
            given_up = await self._deny(live, trouble.reason) or given_up
        elif trouble.kind is FailureKind.MISSING and await self._is_gone(live, trouble):
            return
        elif trouble.kind in {FailureKind.TRANSIENT, FailureKind.THROTTLED}:
            self._breaker.failed(live.ticket.model, trouble.reason)
        elif trouble.kind is FailureKind.STRANGE and self._too_long(live.mistaken) and live.is_adopted:
            assert live.request_id is not None
            await self._disown(live, AdoptionUndone(live.request_id, ITS_RECORD, trouble.reason))
            return
        elif trouble.kind in _NOT_TAKEN:
            self._doubt(live, trouble.reason)
        if given_up:
            answers = trouble.kind in _NOT_TAKEN | {FailureKind.ACCOUNT}
            why = trouble.reason if answers else f"the API has not answered about it: {trouble.reason}"
            self._board.leave(live, why)
            return
        self._agenda.add(live, after=max(trouble.retry_after or 0.0, self._retried_in(live, trouble.kind)))

    def _retried_in(self, live: ActiveTake, kind: FailureKind) -> float:
        """Return the seconds until the next read about a job whose read failed.

        A failed read says nothing about the job, so the wait is no longer than after an answer. It is shorter while the
        quota for retries lasts, and up to twice as long where the API is busy. What is refused or not believed is asked
        about ever more rarely, since nothing changes.
        """
        options, chance = self._means.options, self._means.chance()
        backoff = options.backoff.delay(live.failures, chance=chance)
        # A job that has ended lacks only its result, however long the job took.
        spell = live.silent if live.has_ended else live.watched
        pace = options.pace.next(spell.goes_on(self._means.clock.monotonic()), chance=chance)
        if kind is FailureKind.TRANSIENT:
            return min(pace, backoff) if self._quota.spend() else pace
        if kind is FailureKind.THROTTLED:
            return max(pace, min(_SLOWER * pace, backoff))
        return max(options.pace.floor, backoff)

    async def _deny(self, live: ActiveTake, reason: str) -> bool:
        """Handle a refused read; return whether to leave its job to the next run, not while the account is doubted."""
        lasted = live.denied.goes_on(self._means.clock.monotonic())
        await self._means.account.read_refused(live.id, live.ticket.model, reason)
        if self._means.account.is_doubted:
            return False
        if live.denied.count == _DENIALS_THAT_COUNT and folded(reason) not in self._denials:
            self._denials.add(folded(reason))
            self._board.say(f"{live.id}: the API refuses to report its status: {reason}; asking again")
        return lasted >= self._means.options.refusal_limit

    def _doubt(self, live: ActiveTake, reason: str) -> None:
        """Say once that an answer about a take is not believed; the API does answer, so the others go on."""
        self._breaker.answered()
        if live.id not in self._mistaken:
            self._mistaken.add(live.id)
            self._board.say(f"{live.id}: {reason}; not believed, asking again")

    def _too_long(self, trouble: Stopwatch) -> bool:
        """Note that `trouble` goes on, and return whether it has lasted as long as the limit for an outage."""
        return trouble.goes_on(self._means.clock.monotonic()) >= self._means.options.outage_limit

    async def _is_gone(self, live: ActiveTake, trouble: RequestFailure) -> bool:
        """Record that the API no longer knows the id, once it has said so for long enough."""
        if live.missing.goes_on(self._means.clock.monotonic()) < self._means.options.missing_grace:
            return False
        failure = FailureClass.EXPIRED if live.has_ended else FailureClass.MISSING
        await self._board.record(live, Vanished(failure, trouble.reason, trouble.evidence))
        self._trip(live, failure)
        return True

    async def _outcome(self, live: ActiveTake, ended: Ended, *, retry: bool) -> None:
        """Pay for another attempt where a stated policy says so, else report the end to scouts and limits."""
        if retry:
            wish = RetryRequested(f"--retries {self._means.options.retries}", ended.reason)
            await self._board.record(live, wish)
            self._board.again(live)
            return
        self._means.vanguard.settled(live, ended)
        if ended.failure is not None:
            self._trip(live, ended.failure)

    def _trip(self, live: ActiveTake, failure: FailureClass) -> None:
        self._failed[failure] += 1
        tripped = self._means.options.failure_limit.tripped(self._failed)
        if tripped:
            self._means.end(EndingKind.HALTED, f"{tripped}, the last was {live.id}", Stop.DRAIN)

    def want_cancel(self, by: str) -> None:
        """Let `cancel_queued` begin; `by` is the flag that asked for it, for the record."""
        self._cancelled_by = self._cancelled_by or f"{by} cancel-queued"
        self._wants_cancel.set()

    async def cancel_queued(self) -> None:
        """Ask the API, once it is wanted, to cancel what has not started; a later look shows the outcome."""
        await self._wants_cancel.wait()
        for live in self._board.takes:
            if live.state is TakeState.QUEUED and live.request_id is not None:
                answer = await self._means.queue.cancel(live.request_id)
                outcome = answer.outcome if isinstance(answer, CancelAnswer) else answer.reason
                await self._board.record(live, CancelRequested(self._cancelled_by, outcome))
        self.poll_now()
        await asyncio.Event().wait()
