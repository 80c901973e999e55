"""Caps and rates by model: never exceeded, whatever goes wrong, and a model that waits blocks no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.api_answers import SubmitAnswer
from runner.domain.errors import UsageError
from runner.domain.orders import ALL_MODELS
from runner.domain.rates import Rate
from runner.domain.run_events import FactRecorded
from runner.domain.shots import Ticket
from runner.domain.states import (
    ACTIVE,
    AccountTurnedAway,
    Ended,
    FailureClass,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    StateFact,
    TakeState,
    advance,
)
from runner.engine.options import EngineOptions, FailureLimit
from runner.engine.testing import JobScript
from tests.unit.test_engine import EPOCH, Night, night, ticket

MODELS = ("a/a", "b/b", "c/c")
SLOW = 1e-6
# The slot of a job is then held until its end is on record, as the facts show it.
COUNTED = FailureLimit({"fail": 10**6})


def board(*models: str) -> list[Ticket]:
    return [ticket(f"s{n:03}", model=model, body=f'{{"seed":{n}}}') for n, model in enumerate(models)]


def submits(run: Night, tickets: Sequence[Ticket], model: str = ALL_MODELS) -> list[tuple[float, str]]:
    """Return when POSTs of a model began, and of which take."""
    mine = {each.take_id for each in tickets if model in {each.model, ALL_MODELS}}
    return [(at, take) for at, verb, take in run.queue.history if verb == "submit" and take in mine]


def most_active(run: Night, tickets: Sequence[Ticket]) -> Counter[str]:
    """Return how many takes of each model were being sent or at the API at most, by the facts."""
    models = {each.take_id: each.model for each in tickets}
    states = dict.fromkeys(models, TakeState.PENDING)
    most: Counter[str] = Counter()
    for event in run.heard.events:
        if isinstance(event, FactRecorded) and isinstance(event.fact, StateFact):
            states[event.take_id] = advance(states[event.take_id], event.fact)
            busy = Counter(
                models[name] for name, state in states.items() if state in ACTIVE | {TakeState.SUBMITTING}
            )
            most |= busy
    return most


def assert_kept(run: Night, tickets: Sequence[Ticket], options: EngineOptions) -> None:
    most = most_active(run, tickets)
    for model, cap in options.model_jobs.items():
        assert most[model] <= cap
    for model, rate in options.rates.items():
        for (before, _), (after, _) in pairwise(submits(run, tickets, model)):
            assert after - before >= rate.spacing - SLOW


ANSWERS: dict[str, Callable[[str], SubmitAnswer]] = {
    "busy": lambda a: RefusedForNow(a, "busy", EPOCH),
    "no way": lambda a: NotSent(a, "no route"),
    "lost": lambda a: LostContact(a, "sent", "cut"),
    "refused": lambda a: Refused(a, FailureClass.INVALID_INPUT, f"bad {a}"),
    "account": lambda a: AccountTurnedAway(a, FailureClass.AUTH, "HTTP 403"),
}
RATES = st.sampled_from([Rate(1, "s"), Rate(10, "min"), Rate(100, "h"), Rate(3, "s")])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), window=st.sampled_from([None, 1, 4]), scout=st.sampled_from([0, 0, 1]))
def test_no_script_of_answers_failures_and_retries_exceeds_a_cap_or_a_rate(
    data: st.DataObject, window: int | None, scout: int
) -> None:
    tickets = board(*data.draw(st.lists(st.sampled_from(MODELS), min_size=1, max_size=12)))
    scripts = {}
    for each in tickets:
        failed = data.draw(st.booleans())
        ending = Ended(TakeState.FAILED, "{}", failure=FailureClass.PROVIDER_FAILED)
        answers = data.draw(st.lists(st.sampled_from(sorted(ANSWERS)), max_size=2))
        script = JobScript(submits=[ANSWERS[name] for name in answers], runs=data.draw(st.floats(0, 60)))
        scripts[each.take_id] = (
            JobScript(submits=script.submits, runs=script.runs, ending=ending) if failed else script
        )
    options = EngineOptions(
        jobs=data.draw(st.integers(1, 8)),
        submit_window=window,
        rates=data.draw(st.dictionaries(st.sampled_from([*MODELS, ALL_MODELS]), RATES)),
        model_jobs=data.draw(st.dictionaries(st.sampled_from(MODELS), st.integers(1, 3))),
        retries=data.draw(st.integers(0, 2)),
        max_unknown=100,
        scout=scout,
        failure_limit=COUNTED,
    )
    run = night(tickets, scripts=scripts, options=options)
    assert_kept(run, tickets, options)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_takes_of_a_model_go_in_their_order_and_all_of_them_go(data: st.DataObject) -> None:
    tickets = board(*data.draw(st.lists(st.sampled_from(MODELS), min_size=1, max_size=15)))
    options = EngineOptions(
        jobs=4,
        rates=data.draw(st.dictionaries(st.sampled_from([*MODELS, ALL_MODELS]), RATES)),
        model_jobs=data.draw(st.dictionaries(st.sampled_from(MODELS), st.integers(1, 2))),
    )
    run = night(tickets, options=options)
    for model in MODELS:
        mine = [each.take_id for each in tickets if each.model == model]
        assert [take for _, take in submits(run, tickets, model)] == mine
    assert set(run.states().values()) == {TakeState.SUCCEEDED}


def test_a_model_that_waits_blocks_no_other() -> None:
    tickets = board("a/a", "a/a", "a/a", "b/b", "b/b", "c/c")
    options = EngineOptions(jobs=3, model_jobs={"a/a": 1}, rates={"b/b": Rate(1, "min")})
    run = night(tickets, options=options, scripts={"s000": JobScript(runs=600.0)})
    order = [take for _, take in submits(run, tickets)]
    assert order == ["s000", "s003", "s005", "s004", "s001", "s002"]
    times = {take: at for at, take in submits(run, tickets)}
    assert times["s005"] < 1.0
    assert times["s004"] == pytest.approx(60.0, abs=0.1)


def test_a_rate_spaces_submits_evenly_and_uses_all_of_it() -> None:
    tickets = board(*["a/a"] * 7)
    run = night(tickets, options=EngineOptions(jobs=50, rates={"a/a": Rate(6, "min")}))
    assert [at for at, _ in submits(run, tickets)] == pytest.approx([n * 10.0 for n in range(7)], abs=0.1)


def test_a_run_that_is_started_again_keeps_the_pace() -> None:
    done = ticket("old", model="a/a", state=TakeState.FAILED, submitted_at=EPOCH - 10.0)
    tickets = board("a/a", "b/b")
    run = night([done, *tickets], options=EngineOptions(rates={"a/a": Rate(1, "min")}))
    assert [round(at) for at, _ in submits(run, tickets)] == [0, 50]


def test_a_time_limit_ends_a_run_that_waits_for_its_rate() -> None:
    tickets = board("a/a", "a/a")
    run = night(tickets, options=EngineOptions(rates={"a/a": Rate(1, "h")}), deadline=EPOCH + 60.0)
    assert run.states() == {"s000": TakeState.SUCCEEDED, "s001": TakeState.PENDING}
    assert run.seconds < 120.0


@pytest.mark.parametrize(
    "wrong", [{"rates": {"a/a": "10/min"}}, {"model_jobs": {"a/a": 0}}, {"rates": None}], ids=str
)
def test_a_limit_by_model_that_is_none_is_refused(wrong: Mapping[str, object]) -> None:
    with pytest.raises(UsageError, match="for each model"):
        EngineOptions(**wrong)  # type: ignore[arg-type]
