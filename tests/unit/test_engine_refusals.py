"""The same refusal of several bodies in a row is not the takes' fault: they wait, one is tried, and nothing fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from runner.domain.api_answers import FetchTrouble, SubmitAnswer, folded
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.shots import Ticket
from runner.domain.states import Ended, FailureClass, Refused, RetryRequested, TakeState
from runner.engine.options import EngineOptions
from runner.engine.poll_pace import OutageTest
from runner.engine.refusals import BY, TRIAL_CEILING
from runner.engine.testing import JobScript, MemoryDelivery, ScriptedQueue
from tests.unit.test_engine import Night, night, ticket

BAD, GONE = FailureClass.INVALID_INPUT, FailureClass.REFUSED
LIMIT = EngineOptions().refusal_limit
Words = Callable[[str, int], str]


def board(count: int) -> list[Ticket]:
    return [ticket(f"s{n:02}") for n in range(count)]


class Refusing(ScriptedQueue):
    """An API that refuses submits from `begin` to `end`, or those of the takes named; `words` get take and number."""

    def __init__(
        self,
        *spans: tuple[float, float],
        words: Words = lambda take, number: "insufficient balance",  # noqa: ARG005
        failure: FailureClass = BAD,
        takes: frozenset[str] = frozenset(),
        runs: float = 20.0,
    ) -> None:
        super().__init__({f"s{n:02}": JobScript(runs=runs) for n in range(99)})
        self._spans, self._words, self._failure, self._takes = spans, words, failure, takes
        self.refused: list[tuple[float, str]] = []

    def scripted_submit(self, take_id: str, attempt: str) -> SubmitAnswer | None:
        now = asyncio.get_running_loop().time()
        if take_id in self._takes or any(begin <= now < end for begin, end in self._spans):
            self.refused.append((now, take_id))
            return Refused(attempt, self._failure, self._words(take_id, len(self.refused)))
        return super().scripted_submit(take_id, attempt)


def all_succeeded(run: Night) -> bool:
    return set(run.states().values()) == {TakeState.SUCCEEDED}


@pytest.mark.parametrize("failure", [BAD, GONE])
def test_a_spell_of_refusals_fails_nothing_and_passes(failure: FailureClass) -> None:
    queue = Refusing((10.0, 400.0), failure=failure)
    run = night(board(30), queue=queue)
    assert run.ending.kind is EndingKind.FINISHED
    assert all_succeeded(run)
    assert sorted(queue.ledger) == [f"s{n:02}" for n in range(30)]


def test_in_a_spell_one_take_is_tried_at_intervals_that_grow() -> None:
    queue = Refusing((10.0, 2500.0))
    night(board(30), queue=queue, options=EngineOptions(jobs=4, submit_window=4))
    at = [moment for moment, _ in queue.refused]
    gaps = [later - earlier for earlier, later in pairwise(at) if later - earlier > 1.0]
    assert gaps[:3] == pytest.approx([30.0, 60.0, 120.0], abs=1.0)
    assert gaps[3:] == pytest.approx([240.0, *[TRIAL_CEILING] * (len(gaps) - 4)], abs=1.0)


def test_the_bodies_that_are_tried_differ_so_that_a_bad_one_does_not_block() -> None:
    """Three rows are bad alike in the midst of good ones: the others go on, and the three fail in the end."""
    bad = frozenset({"s10", "s11", "s12"})
    run = night(board(30), queue=Refusing(takes=bad))
    assert run.ending.kind is EndingKind.FINISHED
    assert {name for name, state in run.states().items() if state is TakeState.FAILED} == bad
    assert list(run.states().values()).count(TakeState.SUCCEEDED) == 27


def test_a_refusal_of_one_body_fails_that_take_at_once() -> None:
    run = night(board(9), queue=Refusing(takes=frozenset({"s04"})))
    assert run.states()["s04"] is TakeState.FAILED
    assert run.journal.kinds("s04") == ["SubmissionStarted", "Refused"]
    assert list(run.states().values()).count(TakeState.SUCCEEDED) == 8


def test_a_take_refused_in_two_spells_has_not_failed() -> None:
    """Each spell is told by takes that meet it first, so those of the first are not blamed for the second."""
    run = night(board(40), queue=Refusing((10.0, 100.0), (200.0, 420.0)))
    assert all_succeeded(run)


def test_a_spell_that_lasts_ends_the_run_once_nothing_else_was_left_for_a_quarter_of_an_hour() -> None:
    run = night(board(20), queue=Refusing((10.0, 1e9), runs=300.0))
    assert run.ending.kind is EndingKind.HALTED
    assert run.ending.reason == "the API refuses every submit: insufficient balance"
    assert list(run.states().values()) == [TakeState.SUCCEEDED] * 4 + [TakeState.PENDING] * 16
    assert 300 + LIMIT <= run.seconds < 340 + LIMIT
    assert run.said.count("refused alike") == 1


def test_before_anything_was_accepted_it_ends_at_once_and_nothing_has_failed() -> None:
    run = night(board(30), queue=Refusing((0.0, 1e9)))
    assert run.ending == Ending(EndingKind.HALTED, "the API refuses everything: insufficient balance")
    assert run.queue.calls("submit") == OutageTest.IN_A_ROW
    assert set(run.states().values()) == {TakeState.PENDING}


@pytest.mark.parametrize("number", [3, 4, 10])
def test_rows_that_are_bad_alike_at_the_head_of_a_board_do_not_block_the_others(number: int) -> None:
    """A run begins with them each time, so the others would never be sent."""
    bad = frozenset(f"s{n:02}" for n in range(number))
    run = night(board(12), queue=Refusing(takes=bad))
    assert run.ending.kind is EndingKind.FINISHED
    assert {name for name, state in run.states().items() if state is TakeState.FAILED} == bad
    assert list(run.states().values()).count(TakeState.SUCCEEDED) == 12 - number


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(lambda take, n: f"no credit for request 7f{n}e-{take}", id="ids"),
        pytest.param(
            lambda take, n: f"No  credit at 12:0{n} for https://x.example/{take}", id="times and links"
        ),
        pytest.param(lambda _, n: f"HTTP 404 Ray 8f3c{n:04}", id="a gateway's number"),
    ],
)
def test_refusals_are_alike_whatever_numbers_ids_and_links_they_name(words: Words) -> None:
    assert all_succeeded(night(board(20), queue=Refusing((10.0, 400.0), words=words)))


def test_refusals_of_many_kinds_in_a_row_are_alike_as_well() -> None:
    said = ["no credit", "payment required", "plan ended"]
    run = night(board(40), queue=Refusing((10.0, 400.0), words=lambda _, n: said[n % 3]))
    assert all_succeeded(run)


@pytest.mark.parametrize(
    "said",
    [
        ("no route", "too large"),
        ("no route", "no route", "too large"),
        ("a", "b", "no route", "c", "no route", "d"),
    ],
    ids=" ".join,
)
def test_refusals_alike_with_others_in_between_fail_nothing(said: tuple[str, ...]) -> None:
    """A gateway may refuse in several ways at once; all it has refused since the last acceptance is pending again."""
    words = lambda _, n: said[n % len(said)]  # noqa: E731 - one of several
    run = night(board(16), queue=Refusing((10.0, 400.0), words=words))
    assert all_succeeded(run)


def test_the_same_body_again_and_again_is_one_witness() -> None:
    takes = [ticket(f"s{n:02}", fingerprint="the same" if 3 <= n < 9 else f"print-{n}") for n in range(12)]
    run = night(takes, queue=Refusing(takes=frozenset(f"s{n:02}" for n in range(3, 9))))
    assert list(run.states().values()).count(TakeState.FAILED) == 6
    assert run.seconds < 120


def test_what_went_back_says_so_on_record() -> None:
    run = night(board(20), queue=Refusing((10.0, 100.0)))
    wishes = [fact for _, fact in run.journal.facts if isinstance(fact, RetryRequested)]
    assert set(wishes) == {RetryRequested(BY, "refused as others were: insufficient balance")}
    refusals = [name for name, fact in run.journal.facts if isinstance(fact, Refused)]
    assert sorted(refusals) == sorted(
        name for name, fact in run.journal.facts if isinstance(fact, RetryRequested)
    )


@pytest.mark.parametrize(("retries", "charges"), [(0, 1), (1, 2), (2, 3)])
def test_what_was_refused_for_free_takes_none_of_the_paid_retries(retries: int, charges: int) -> None:
    class Failing(Refusing):
        def __init__(self) -> None:
            super().__init__((10.0, 100.0))
            fails = Ended(TakeState.FAILED, "{}", (), FailureClass.PROVIDER_FAILED, "no luck")
            self._scripts = {name: JobScript(ending=fails) for name in self._scripts}

    queue = Failing()
    night(board(12), queue=queue, options=EngineOptions(retries=retries))
    assert queue.refused
    assert {queue.ledger.count(f"s{n:02}") for n in range(12)} == {charges}


def test_folded_words_are_the_words_alone() -> None:
    assert folded("No credit (402) at 12:01, see https://x.example/a") == "no credit # at # see #"


def test_a_clip_that_never_comes_does_not_keep_a_refused_run_from_ending() -> None:
    """A clip is tried for as long as takes are pending, and a spell ends the run once no clip is fetched any more."""
    away = [FetchTrouble("HTTP 404", link_refused=True)] * 9999
    run = night(board(20), queue=Refusing((10.0, 1e9)), delivery=MemoryDelivery({"s00": away}))
    assert run.ending.kind is EndingKind.HALTED
    assert run.seconds < 3 * LIMIT
