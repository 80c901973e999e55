"""Orders to a run that goes on: paused, tuned or cancelled at any moment, it loses nothing and never pays more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.api_answers import CancelAnswer, FailureKind, RequestFailure
from runner.domain.limits import Limits
from runner.domain.money import micros
from runner.domain.orders import ALL_MODELS, OrderOutcome, Tune
from runner.domain.rates import Rate
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import AccountTurnedAway, CancelRequested, FailureClass, RefusedForNow, TakeState
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.testing import JobScript, ScriptedQueue
from tests.unit.test_engine import EPOCH, MODEL, Night, night, ticket
from tests.unit.test_engine_model_limits import board, submits

CAPPED = EngineOptions(jobs=1, limits=Limits(max_cost=40.0))
AGAIN = "stop it, and start it again with --allow-unpriced"
SECONDS = st.integers(1, 60)
Heard = list[OrderOutcome]


def tuned(order: Tune, heard: Heard) -> Callable[[Engine], object]:
    return lambda engine: heard.append(engine.tune(order))


def cancelled(heard: Heard, *take_ids: str) -> Callable[[Engine], object]:
    """Return what asks a run to cancel takes, and notes its answer."""

    async def ask(engine: Engine) -> None:
        heard.append(await engine.cancel(take_ids, by="nora"))

    return lambda engine: asyncio.ensure_future(ask(engine))


class TestPause:
    """While a run is paused nothing is sent, and everything else goes on."""

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(SECONDS, SECONDS), max_size=3), st.sampled_from([1, 3]), st.data())
    def test_at_any_moments_sends_nothing_and_loses_nothing(
        self, pauses: Sequence[tuple[int, int]], window: int, data: st.DataObject
    ) -> None:
        tickets = [ticket(f"s{n}") for n in range(10)]
        scripts = {
            each.take_id: JobScript(
                submits=[lambda a: RefusedForNow(a, "busy", EPOCH)] * data.draw(st.integers(0, 1)),
                runs=data.draw(SECONDS),
            )
            for each in tickets
        }
        begins, spans = 0, []
        for wait, length in pauses:
            spans.append((begins + wait, begins + wait + length))
            begins += wait + length
        orders: list[tuple[float, Callable[[Engine], object]]] = []
        for since, until in spans:
            orders += [(since, Engine.pause), (until, Engine.resume)]
        options = EngineOptions(jobs=3, submit_window=window)
        run = night(tickets, scripts=scripts, options=options, orders=orders)
        assert set(run.states().values()) == {TakeState.SUCCEEDED}
        assert sorted(run.queue.ledger) == [each.take_id for each in tickets]
        for at, take in submits(run, tickets):
            assert not any(since < at < until for since, until in spans), take

    def test_waits_with_nothing_else_to_do_and_says_so_once_an_hour(self) -> None:
        heard: list[object] = []
        orders: list[tuple[float, Callable[[Engine], object]]] = [
            (1.0, lambda engine: heard.append((engine.pause(), engine.pause()))),
            (8000.0, lambda engine: heard.append((engine.resume(), engine.resume()))),
        ]
        run = night([ticket("s0"), ticket("s1")], options=EngineOptions(jobs=1), orders=orders)
        assert heard == [(True, False), (True, False)]
        assert run.said.count("paused: 0 at the API, 1 to be sent, 1 unfinished") == 2
        assert set(run.states().values()) == {TakeState.SUCCEEDED}
        assert run.seconds > 8000.0

    @pytest.mark.parametrize("account", [False, True])
    def test_outlasts_refusals(self, account: bool) -> None:
        """Nothing is tried meanwhile, so a run that is refused does not end either."""
        away = JobScript(submits=[lambda a: AccountTurnedAway(a, FailureClass.AUTH, "HTTP 403")] * 2)
        probes = [RequestFailure(FailureKind.ACCOUNT, "HTTP 403")] * 20 if account else []
        queue = ScriptedQueue({"s1": away}, probes=probes)
        orders: list[tuple[float, Callable[[Engine], object]]] = [
            (12.0, Engine.pause),
            (9000.0, Engine.resume),
        ]
        run = night([ticket("s0"), ticket("s1")], queue=queue, options=EngineOptions(jobs=1), orders=orders)
        assert set(run.states().values()) == {TakeState.SUCCEEDED}

    def test_ends_with_the_time_of_the_run_and_with_a_stop(self) -> None:
        tickets = [ticket("s0"), ticket("s1")]
        options = EngineOptions(jobs=1)
        run = night(tickets, options=options, orders=[(1.0, Engine.pause)], deadline=EPOCH + 600.0)
        assert (run.ending.kind, run.states()["s1"]) == (EndingKind.LIMIT, TakeState.PENDING)
        run = night(tickets, options=options, orders=[(1.0, Engine.pause)], stop=(600.0, Stop.DRAIN))
        assert (run.ending.kind, run.states()["s1"]) == (EndingKind.INTERRUPTED, TakeState.PENDING)


class TestTune:
    """Other numbers hold at once: all of an order, or none of it."""

    def test_more_and_fewer_jobs_hold_from_then_on(self) -> None:
        heard: Heard = []
        orders = [(30.0, tuned(Tune(jobs=6), heard)), (100.0, tuned(Tune(jobs=1), heard))]
        tickets = [ticket(f"s{n:02}") for n in range(40)]
        scripts = {each.take_id: JobScript(runs=20.0) for each in tickets}
        run = night(tickets, scripts=scripts, options=EngineOptions(jobs=2), orders=orders)
        assert run.queue.peak == 6
        assert [outcome.says for outcome in heard] == [("--jobs 2 → 6",), ("--jobs 6 → 1",)]
        late = [at for at, _ in submits(run, tickets) if at > 130.0]
        assert all(after - before > 20.0 for before, after in pairwise(late))
        assert run.queue.calls("cancel") == 0

    def test_a_higher_cap_lets_a_run_go_on_and_a_lower_one_only_stops_what_follows(self) -> None:
        heard: Heard = []
        tickets = [ticket(f"s{n}", estimate=10.0) for n in range(6)]
        up, down = Tune(max_cost=80.0, warn_cost=15.0), Tune(max_cost=25.0, max_submits=9)
        orders = [(2.0, tuned(up, heard)), (12.0, tuned(down, heard))]
        run = night(tickets, options=CAPPED, orders=orders)
        assert heard[0].says == ("--max-cost $40.00 → $80.00", "--warn-cost none → $15.00")
        assert heard[1].says == (
            "--max-cost $80.00 → $25.00",
            "--max-submits none → 9",
            f"the run submits nothing more: {run.ending.reason}",
        )
        assert run.ending.reason.startswith("--max-cost $25.00: $30.00 is spent or reserved, and s3")
        assert [outcome.changed for outcome in heard] == [True, True]
        assert run.ending.kind is EndingKind.LIMIT
        assert run.queue.ledger == ["s0", "s1", "s2"]
        assert run.said.count("--warn-cost") == 1

    def test_the_mark_of_a_warning_warns_again_where_it_is_passed_already(self) -> None:
        heard: Heard = []
        options = EngineOptions(jobs=1, limits=Limits(warn_cost=5.0))
        tickets = [ticket(f"s{n}", estimate=10.0) for n in range(2)]
        run = night(tickets, options=options, orders=[(3.0, tuned(Tune(warn_cost=6.0), heard))])
        assert run.said.count("$10.00 is spent or reserved, more than --warn-cost $5.00") == 1
        assert run.said.count("$10.00 is spent or reserved, more than --warn-cost $6.00") == 1

    def test_rates_and_caps_of_models_come_and_go(self) -> None:
        heard: Heard = []
        tickets = board(*["a/a"] * 6)
        on = Tune(rates={"a/a": Rate(1, "min"), ALL_MODELS: Rate(1, "s")}, model_jobs={"a/a": 2})
        off = Tune(rates={"a/a": None}, model_jobs={"a/a": None})
        scripts = {each.take_id: JobScript(runs=300.0) for each in tickets}
        options = EngineOptions(jobs=9, model_jobs={"a/a": 1})
        orders = [(0.5, tuned(on, heard)), (150.0, tuned(off, heard))]
        run = night(tickets, scripts=scripts, options=options, orders=orders)
        assert heard[0].says == ("--rate a/a none → 1/min", "--rate none → 1/s", "--model-jobs a/a 1 → 2")
        assert heard[1].says == ("--rate a/a 1/min → none", "--model-jobs a/a 2 → none")
        times = [at for at, _ in submits(run, tickets)]
        assert times == pytest.approx([0.0, 60.0, 150.0, 151.0, 152.0, 153.0], abs=0.1)

    @pytest.mark.parametrize(
        ("order", "said"),
        [
            (Tune(jobs=1), "--jobs is 1 already"),
            (Tune(max_cost=40.0), "--max-cost is $40.00 already"),
            (Tune(rates={MODEL: None}), f"--rate {MODEL} is none already"),
        ],
        ids=str,
    )
    def test_the_same_numbers_change_nothing(self, order: Tune, said: str) -> None:
        heard: Heard = []
        run = night([ticket("s0", estimate=1.0)], options=CAPPED, orders=[(1.0, tuned(order, heard))])
        assert heard == [OrderOutcome(changed=False, says=(said,))]
        assert run.ending.kind is EndingKind.FINISHED

    @pytest.mark.parametrize(
        ("order", "said"),
        [
            (
                Tune(max_cost=9.0, jobs=3),
                f"--max-cost needs a price, which 2 takes of this run lack; {AGAIN}",
            ),
            (
                Tune(rates={"pika/pikaframe": Rate(1, "s")}),
                f"no take of this run is of the model 'pika/pikaframe'; did you mean {MODEL}?",
            ),
            (
                Tune(model_jobs={ALL_MODELS: 3}),
                f"no take of this run is of the model ''; its models are {MODEL}",
            ),
        ],
        ids=str,
    )
    def test_what_would_end_the_run_by_surprise_or_means_no_take_is_refused_as_a_whole(
        self, order: Tune, said: str
    ) -> None:
        heard: Heard = []
        tickets = [ticket("s0"), ticket("s1")]
        run = night(tickets, options=EngineOptions(jobs=1), orders=[(1.0, tuned(order, heard))])
        assert heard == [OrderOutcome(changed=False, says=(said,))]
        assert (run.ending.kind, run.queue.peak) == (EndingKind.FINISHED, 1)

    def test_a_run_that_submits_no_more_is_neither_tuned_nor_paused(self) -> None:
        heard: list[object] = []
        limits = Limits(max_submits=1)
        orders: list[tuple[float, Callable[[Engine], object]]] = [
            (20.0, lambda engine: heard.append(engine.tune(Tune(max_submits=9)))),
            (21.0, lambda engine: heard.append((engine.pause(), engine.resume(), engine.leave_for_reload()))),
        ]
        scripts = {"s0": JobScript(runs=60.0)}
        night(
            [ticket("s0"), ticket("s1")], scripts=scripts, options=EngineOptions(limits=limits), orders=orders
        )
        assert heard == [
            OrderOutcome(changed=False, says=("this run submits nothing more: --max-submits 1 is reached",)),
            (False, False, False),
        ]

    @settings(max_examples=40, deadline=None)
    @given(
        # Of two orders at the same moment the event loop obeys either one first.
        st.lists(
            st.tuples(SECONDS, st.sampled_from([0.5, 1.0, 2.0, 3.0])),
            max_size=4,
            unique_by=lambda each: each[0],
        ),
        st.lists(SECONDS, max_size=2),
        st.sampled_from([1, 4]),
    )
    def test_no_claim_is_made_without_its_price_under_the_cap_of_that_moment(
        self, caps: Sequence[tuple[float, float]], pauses: Sequence[float], window: int
    ) -> None:
        """With equal prices and costs, the n-th submit is n prices, whatever was tuned and paused before it."""
        tickets = [ticket(f"s{n:02}", estimate=0.3) for n in range(12)]
        orders = [(at, tuned(Tune(max_cost=cap), [])) for at, cap in caps]
        for at in pauses:
            orders += [(at, Engine.pause), (at + 5.0, Engine.resume)]
        options = EngineOptions(jobs=4, submit_window=window, limits=Limits(max_cost=1.0))
        run = night(tickets, options=options, orders=orders)
        for number, (at, _) in enumerate(submits(run, tickets), 1):
            in_force = [cap for since, cap in sorted(caps, key=lambda each: each[0]) if since < at]
            # At the very moment of an order either cap may hold.
            either = [cap for since, cap in caps if abs(since - at) < 0.02]
            assert number * micros(0.3) <= micros(max([*either, (in_force or [1.0])[-1]]))


class TestCancel:
    """A job is asked about once; what is not sent stays for the next run."""

    def test_each_take_has_its_sentence_and_what_waits_is_left_to_the_next_run(self) -> None:
        heard: Heard = []
        scripts = {
            "s0": JobScript(queued=500.0, cancels=[CancelAnswer("cancelled")]),
            "s1": JobScript(queued=0.0, runs=50.0),
            "s2": JobScript(queued=500.0, cancels=[RequestFailure(FailureKind.TRANSIENT, "HTTP 500")]),
        }
        tickets = [ticket(f"s{n}") for n in range(5)] + [ticket("h0", state=TakeState.HELD)]
        names = ("s4", "s0", "s1", "s2", "s0", "h0", "x")
        run = night(
            tickets,
            scripts=scripts,
            options=EngineOptions(jobs=3),
            orders=[(10.0, cancelled(heard, *names)), (11.0, cancelled(heard, "s0", "s1", "s4"))],
        )
        assert heard[0].changed
        assert heard[0].says == (
            "s4: not sent; the next run would send it",
            "s0: cancelled, says the API; a look confirms it",
            "s1: it runs already: it goes on and is billed",
            "s2: the API did not take it: HTTP 500",
            "h0: held: its request id is not known, so it cannot be cancelled; see shotrunner reconcile",
            "x: nothing to cancel: it has ended, or this session is not about it",
        )
        assert not heard[1].changed
        assert heard[1].says[1] == "s1: the API was asked already; a look shows what became of it"
        asked = [fact for _, fact in run.journal.facts if isinstance(fact, CancelRequested)]
        assert asked == [
            CancelRequested("nora", "cancelled"),
            CancelRequested("nora", "not_cancellable"),
            CancelRequested("nora", "HTTP 500"),
        ]
        assert run.states()["s0"] == "cancelled"
        assert run.states()["s4"] == "pending"
        assert run.ending.kind is EndingKind.FINISHED

    def test_a_cancelled_job_is_looked_at_soon(self) -> None:
        scripts = {"s0": JobScript(queued=9000.0, cancels=[CancelAnswer("cancelled")])}
        run = night([ticket("s0")], scripts=scripts, orders=[(3000.0, cancelled([], "s0"))])
        assert run.seconds < 3010.0

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(SECONDS, st.sets(st.integers(0, 7))), max_size=4), st.booleans())
    def test_no_job_is_asked_about_twice_and_what_is_withdrawn_is_never_sent(
        self, asks: Sequence[tuple[float, set[int]]], drains: bool
    ) -> None:
        tickets = [ticket(f"s{n}") for n in range(8)]
        scripts = {
            each.take_id: JobScript(
                queued=20.0, runs=10.0, cancels=[CancelAnswer("cancelled" if n % 2 else "not_cancellable")]
            )
            for n, each in enumerate(tickets)
        }
        heard: Heard = []
        orders = [(at, cancelled(heard, *(f"s{n}" for n in sorted(chosen)))) for at, chosen in asks]
        run: Night = night(
            tickets,
            scripts=scripts,
            options=EngineOptions(jobs=3, retries=1),
            orders=orders,
            stop=(45.0, Stop.CANCEL_QUEUED) if drains else None,
        )
        asked = [what for _, verb, what in run.queue.history if verb == "cancel"]
        assert len(asked) == len(set(asked))
        unsent = {said.partition(":")[0] for outcome in heard for said in outcome.says if "not sent" in said}
        assert not unsent & set(run.queue.ledger)
        assert {name for name, state in run.states().items() if state == "pending"} >= unsent


def test_a_run_that_is_left_for_another_plan_keeps_its_jobs_and_records_the_answers_in_the_air() -> None:
    heard: list[bool] = []
    scripts = {"s0": JobScript(runs=600.0)}
    orders: list[tuple[float, Callable[[Engine], object]]] = [
        (20.0, lambda engine: heard.extend([engine.leave_for_reload(), engine.leave_for_reload()]))
    ]
    run = night([ticket("s0"), ticket("s1")], scripts=scripts, options=EngineOptions(jobs=1), orders=orders)
    assert heard == [True, False]
    assert run.ending.kind is EndingKind.RELOAD
    assert list(run.states().values()) == ["running", "pending"]
    assert run.seconds < 21.0
