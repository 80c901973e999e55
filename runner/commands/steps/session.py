"""One session of the engine: real adapters round it, listeners beside it, signals heeded, everything closed again.

In: an open state file and the takes to be about. Out: how the engine ended. Slow libraries are imported at their use.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import replace
from itertools import chain
from threading import current_thread, main_thread

from runner.api.account import Account
from runner.commands.steps.api_session import account_of, run_alone, with_api
from runner.commands.steps.clip_hooks import ClipHooks
from runner.commands.steps.controls import Controls, SteeredEngine
from runner.commands.steps.inspect_clips import CUT_SHORT_S, ClipInspection
from runner.commands.steps.request import RunRequest
from runner.commands.steps.run_log import run_log
from runner.commands.steps.session_settings import session_settings
from runner.commands.steps.signals import SignalHandler, handle_signals
from runner.commands.steps.steering import Steering
from runner.commands.steps.stored_run import StoredRun
from runner.domain.errors import AccountRefused
from runner.domain.records import CostsUntold
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.run_events import Event, Listener, Listeners, Message, RunStarted
from runner.domain.shots import Ticket
from runner.domain.states import CostSeen, PayAgain
from runner.engine.late_costs import GRACE, ask_costs, asks_since
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.ports import Queue, unannounced
from runner.plan.scope import first_ones_first
from runner.simulator.clip_cache import fallback_hashes
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock

_DOWNLOADS_S = 30.0
"""Seconds for which a reload waits for downloads."""


def run_engine(
    request: RunRequest,
    place: RunDir,
    state: StateFile,
    about: Collection[str],
    *,
    first: Sequence[str] = (),
    controls: Controls | None = None,
    finished: int = 0,
    deadline: float | None = None,
    inspection: ClipInspection | None = None,
    hooks: ClipHooks | None = None,
    at_store: StoredRun | None = None,
) -> tuple[Ending, int | None]:
    """Let the engine do what is left for the takes `about`, of which `finished` ones need nothing.

    It submits until the wall time `deadline`, those of `first` before all others, in that order. It asks for no token
    when nothing is left. Costs that came late are asked for on the way. With `controls` people steer it from outside,
    and what they have changed so far holds. The session on record, if there is one, is over with the engine. Clips that
    `inspection` has not looked into by then are waited for, within bounds, and so are the commands that `hooks` runs.
    What is submitted is announced `at_store`.
    """
    if controls is not None:
        request = replace(request, options=controls.options)
    # After a reload the followers are waiting for an answer and an end.
    if finished == len(about) and (controls is None or controls.answered is None):
        _ask_costs(request, place, state)
        with ExitStack() as stack:
            late = _Late(request, place, stack, total=finished)
            if hooks is not None:
                hooks.begin(_voice(late))
            state.end_session(at=request.clock.wall(), ending=EndingKind.FINISHED)
            _finish(inspection, hooks, late, signal=None)
        return Ending(EndingKind.FINISHED), None
    with ExitStack() as stack:
        account = stack.enter_context(account_of(request, place))
        log = stack.enter_context(run_log(place, request.clock))
        is_paused = controls is not None and controls.is_paused
        started = _started(request, place, total=len(about), done=finished, paused=is_paused)
        shown = stack.enter_context(request.progress(started))
        watching = tuple(each for each in (inspection, hooks, at_store) if each is not None)
        listener = Listeners((shown, log, *watching, *request.listeners), on_failure=_say_of(shown))
        listener.on_event(started)
        if controls is not None and controls.answered is not None:
            listener.on_event(controls.answered)
        if hooks is not None:
            hooks.begin(_voice(listener))
        for note in (*state.notes, *account.notes):
            listener.on_event(Message(note))
        engaged = _engage(
            request, place, state, about, account, listener, deadline, first, controls, inspection, at_store
        )
        try:
            ending, signal = run_alone(engaged, interrupts=request.interrupts)
            if ending.kind is not EndingKind.RELOAD:
                state.end_session(at=request.clock.wall(), ending=ending.kind)
                _finish(inspection, hooks, listener, signal=signal)
        except Exception as error:
            log.end_by(error)
            raise
        return ending, signal


def _voice(listener: Listener) -> Callable[[str], None]:
    return lambda text: listener.on_event(Message(text))


def _finish(
    inspection: ClipInspection | None, hooks: ClipHooks | None, listener: Listener, *, signal: int | None
) -> None:
    """Wait for what is still done about the clips; a person who stopped the run does not wait long."""
    if inspection is not None:
        patience = inspection.patience if signal is None else CUT_SHORT_S
        inspection.finish(patience=patience, say=_voice(listener))
    if hooks is not None:
        hooks.finish(patience=math.inf if signal is None else CUT_SHORT_S)


def _started(
    request: RunRequest, place: RunDir, *, total: int, done: int, paused: bool = False
) -> RunStarted:
    with open_reader(place.state_file, checked=True) as reader:
        return RunStarted(
            at=request.clock.wall(),
            run_dir=place.path,
            name=reader.header.name,
            total=total,
            done=done,
            simulated=reader.nothing_paid,
            jobs=request.options.jobs,
            limits=request.options.limits,
            counts=reader.counts(),
            deliveries=reader.deliveries(),
            spending=reader.sums(),
            command=request.words,
            settings=session_settings(request),
            paused=paused,
        )


def failure_words(error: Exception) -> str:
    """Return the sentence about a listener that raised: the run does not depend on it."""
    return f"a follower of this run failed and gets no more events ({type(error).__name__}: {error})"


def _say_of(shown: Listener) -> Callable[[Exception], None]:
    """Return what reports that a listener has failed, unless it is the very one that shows messages."""

    def say(error: Exception) -> None:
        with suppress(Exception):
            shown.on_event(Message(failure_words(error)))

    return say


class _Late:
    """Progress of a session without work for the engine: it is shown from the first message on, so mostly never."""

    def __init__(self, request: RunRequest, place: RunDir, stack: ExitStack, *, total: int) -> None:
        self._request, self._place, self._stack, self._total = request, place, stack, total
        self._shown: Listener | None = None

    def on_event(self, event: Event) -> None:
        """Show it."""
        if self._shown is None:
            started = _started(self._request, self._place, total=self._total, done=self._total)
            self._shown = self._stack.enter_context(self._request.progress(started))
        self._shown.on_event(event)


def _ask_costs(request: RunRequest, place: RunDir, state: StateFile) -> None:
    """Ask for a few seconds what ended jobs have cost; without a token it does not ask, since nothing depends on it."""
    with open_reader(place.state_file, checked=True) as reader, suppress(AccountRefused):
        found = _lacking_cost(reader, request.clock)
        lacking = [first] if (first := next(found, None)) else []

        async def note(take_id: str, fact: CostSeen) -> None:
            await asyncio.wrap_future(state.record(take_id, fact, at=request.clock.wall()))

        async def ask(queue: Queue) -> CostsUntold | None:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    tickets = chain(lacking, found)
                    return await ask_costs(tickets, queue=queue, note=note, wall=request.clock.wall)
            return None

        untold = with_api(request, place, ask) if lacking else None
        if untold is not None:
            state.note_costs_untold(untold)


def _lacking_cost(reader: Reader, clock: Clock) -> Iterator[Ticket]:
    """Return the takes whose costs are worth asking for, the last to end first; they are read as they are asked for."""
    return reader.lacking_cost(since=asks_since(reader.costs_untold(), now=clock.wall()))


async def _engage(
    request: RunRequest,
    place: RunDir,
    state: StateFile,
    about: Collection[str],
    account: Account,
    listener: Listener,
    deadline: float | None,
    first: Sequence[str],
    controls: Controls | None,
    inspection: ClipInspection | None,
    at_store: StoredRun | None,
) -> tuple[Ending, int | None]:
    """Put real adapters round the engine and run it."""
    from runner.api.client import RunComfyQueue
    from runner.api.hook_selftest import hook_holds_bytes
    from runner.commands.steps.make_delivery import start_delivery
    from runner.engine.engine import Engine

    async with AsyncExitStack() as opened:
        say, note = _voice(listener), None if inspection is None else inspection.note
        started = await asyncio.to_thread(
            start_delivery, request, place, state.header, proxies=account.proxies, say=say, note=note
        )
        # A download that is still going must not keep a person waiting who asked to leave.
        opened.push_async_callback(asyncio.to_thread, started.leave)
        options = replace(request.options, fetches_at_once=started.at_once)
        calls = options.looks_at_once + options.fetches_at_once
        queue = RunComfyQueue(account, clock=request.clock, calls=calls, hooked=await hook_holds_bytes())
        opened.push_async_callback(queue.aclose)
        reader = opened.enter_context(open_reader(place.state_file, checked=True))
        engine = Engine(
            first_ones_first(
                [
                    ticket
                    for ticket in state.tickets()
                    if ticket.take_id in about
                    and (controls is None or controls.wants(ticket.take_id, ticket.state))
                ],
                first,
                key=lambda ticket: ticket.take_id,
            ),
            queue=queue,
            journal=state,
            delivery=started.delivery,
            clock=request.clock,
            listener=listener,
            options=options,
            epoch=state.epoch,
            past=_past(reader, request.clock, options),
            deadline=deadline,
            room=started.room if options.download else None,
            announce=at_store.announce if at_store is not None else unannounced,
            stand_ins=fallback_hashes() if request.on_this_machine else (),
        )
        if at_store is not None:
            at_store.follow(_voice(listener), submits_no_more=lambda: engine.submits_no_more)
        interruption = SignalHandler(
            engine,
            say=lambda text: listener.on_event(Message(text)),
            first=request.on_interrupt,
            # A notebook's session is in a thread, and its process is not this run's to end.
            insist=os._exit if current_thread() is main_thread() else lambda _code: None,
        )
        with handle_signals(interruption, request.interrupts):
            if controls is None:
                ending = await engine.run()
            else:
                obeying = SteeredEngine(engine, controls)
                async with Steering(place.path, obeying, state, listener, request.clock).beside():
                    ending = await engine.run()
            if ending.kind is EndingKind.RELOAD:
                # A clip that is still downloaded then is locked for the engine that follows, which tries it again.
                await asyncio.to_thread(started.wait_for_end, _DOWNLOADS_S)
        # A signal of the last moment is still on its way through the loop.
        await asyncio.sleep(0)
        if ending.kind is EndingKind.RELOAD and interruption.signal is not None:
            ending = Ending(EndingKind.INTERRUPTED)
        if engine.costs_untold is not None:
            state.note_costs_untold(engine.costs_untold)
    return ending, interruption.signal


def _past(reader: Reader, clock: Clock, options: EngineOptions) -> RunHistory:
    """Return what the record says of earlier runs: bounds on money hold for the whole life of a run directory."""
    return RunHistory(
        extra_paid=reader.count(PayAgain) if options.max_extra_paid else 0,
        spending=reader.spending(),
        ended=_lacking_cost(reader, clock),
        durations=reader.durations(),
        largest_clip=reader.largest_clip(),
    )
