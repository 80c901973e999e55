"""What a person asks of a run that goes on: other numbers, and jobs to cancel.

In: values of `domain.orders`, or ids. Out: what is different now, in sentences. It does not know how an order comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from runner.domain.api_answers import CancelAnswer, RequestFailure
from runner.domain.cancel_text import HELD, ended_text, refusal_text, word_text
from runner.domain.display import counted
from runner.domain.orders import OrderOutcome, Tune
from runner.domain.states import ACTIVE
from runner.domain.tune_text import changes, unknown_models
from runner.engine.options import EngineOptions
from runner.engine.poller import Poller
from runner.engine.run_state import UNSENT, ActiveTake, RunState
from runner.engine.submit_window import SubmitWindow

T = TypeVar("T")

_ASKED_AT_ONCE = 8
_ASKED = "the API was asked already; a look shows what became of it"


def tune(order: Tune, *, state: RunState, window: SubmitWindow) -> OrderOutcome:
    """Put all numbers of an order in force at once, or none of them if one is refused.

    A limit that is reached already is not refused: it ends the submitting, and the answer reports that.
    """
    refusals = tuple(_refusals(order, state))
    if refusals:
        return OrderOutcome(changed=False, says=refusals)
    before, after = state.options, _tuned(state.options, order)
    says = tuple(changes(_in_force(before), order))
    if after == before:
        return OrderOutcome(changed=False, says=says)
    # What the service once found too wide stays so, unless a person changes the number that it came from.
    if after.widest_window != before.widest_window:
        window.resize(most=after.widest_window)
    state.tune(after)
    hurdle = state.budget.limit_hit(following) if (following := next(state.tickets, None)) else None
    if hurdle is not None and not hurdle.may_ease:
        says = (*says, f"the run submits nothing more: {hurdle.reason}")
    return OrderOutcome(changed=True, says=says)


def _refusals(order: Tune, state: RunState) -> Iterator[str]:
    """Yield why the order cannot be followed."""
    if state.submits_no_more:
        yield f"this run submits nothing more: {state.ending.reason or 'it is ending'}"
        return
    for unknown in unknown_models(order, state.models):
        yield "; ".join(unknown)
    if order.max_cost is not None and not state.options.limits.needs_prices:
        limits = replace(state.options.limits, max_cost=order.max_cost)
        unpriced = sum(1 for ticket in state.unended if ticket.estimate is None)
        if limits.needs_prices and unpriced:
            yield (
                f"--max-cost needs a price, which {counted(unpriced, 'take')} of this run lack; stop it, and start it "
                "again with --allow-unpriced"
            )


def _tuned(options: EngineOptions, order: Tune) -> EngineOptions:
    limits = replace(
        options.limits,
        max_cost=_or_old(order.max_cost, options.limits.max_cost),
        warn_cost=_or_old(order.warn_cost, options.limits.warn_cost),
        max_submits=_or_old(order.max_submits, options.limits.max_submits),
    )
    return replace(
        options,
        jobs=_or_old(order.jobs, options.jobs),
        limits=limits,
        rates=_merged(options.rates, order.rates),
        model_jobs=_merged(options.model_jobs, order.model_jobs),
    )


def _or_old(new: T | None, old: T) -> T:
    return old if new is None else new


def _merged(old: Mapping[str, T], new: Mapping[str, T | None]) -> Mapping[str, T]:
    return {model: value for model, value in {**old, **new}.items() if value is not None}


def _in_force(options: EngineOptions) -> Tune:
    return Tune(
        jobs=options.jobs,
        max_cost=options.limits.max_cost,
        warn_cost=options.limits.warn_cost,
        max_submits=options.limits.max_submits,
        rates=options.rates,
        model_jobs=options.model_jobs,
    )


async def cancel(take_ids: Iterable[str], *, by: str, state: RunState, poller: Poller) -> OrderOutcome:
    """Ask the API to cancel the jobs of the takes, and leave those that are not sent yet to the next run.

    Raises:
        ShotrunnerError: an answer of the API could not be recorded.
    """
    wanted = dict.fromkeys(take_ids)
    waiting = state.withdraw(wanted)
    asking = {
        take_id: live
        for take_id in wanted
        if (live := state.live.get(take_id)) and live.state in ACTIVE and live.cancel_asked != live.request_id
    }
    turn = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask(live: ActiveTake) -> str:
        async with turn:
            # Another order may have asked meanwhile.
            is_asked = live.cancel_asked == live.request_id
            return _ASKED if is_asked else _word(await poller.cancel(live, by=by))

    words = dict(zip(asking, await asyncio.gather(*map(ask, asking.values())), strict=True))
    if asking:
        poller.poll_now()
    says = []
    for take_id in wanted:
        if take_id in waiting:
            words[take_id] = "not sent; the next run would send it"
        elif take_id not in words:
            words[take_id] = _nothing_to_cancel(take_id, state)
        says.append(f"{take_id}: {words[take_id]}")
    return OrderOutcome(bool(waiting or asking), tuple(says))


def _nothing_to_cancel(take_id: str, state: RunState) -> str:
    live = state.live.get(take_id)
    if live is not None and live.state in ACTIVE:
        return _ASKED
    if live is not None and live.state in UNSENT:
        return "it is being sent now; ask again once it has its answer"
    if take_id in state.held:
        return HELD
    if live is None:
        return "nothing to cancel: it has ended, or this session is not about it"
    return ended_text(live.state)


def _word(answer: CancelAnswer | RequestFailure) -> str:
    if isinstance(answer, RequestFailure):
        return refusal_text(answer.reason)
    return word_text(answer.outcome, cancelled="cancelled, says the API; a look confirms it")
