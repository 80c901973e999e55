"""What every journal must do, real or fake: cases that take a factory and know no implementation.

A test module runs them with `pytest.mark.parametrize("case", CASES, ids=case_id)` and calls `case(make_journal)`;
the factory returns a begun journal in which the given takes are pending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeAlias, get_args

import pytest

from runner.domain.errors import IllegalTransition, RunInUse
from runner.domain.shots import Take
from runner.domain.states import (
    DELIVERIES,
    TRANSITIONS,
    Accepted,
    Adopted,
    AdoptionUndone,
    CancelRequested,
    CostSeen,
    DeliveryFact,
    DeliveryState,
    Ended,
    Fact,
    FetchStarted,
    LostContact,
    NoteFact,
    PayAgain,
    RetryRequested,
    Started,
    StateFact,
    SubmissionStarted,
    TakeState,
)
from tests.integration.store_samples import delivery_road, every_fact, make_take, road

S, D = TakeState, DeliveryState
Where: TypeAlias = tuple[TakeState, DeliveryState, str | None]


class JournalUnderTest(Protocol):
    """A journal that can also be asked how a take stands."""

    @property
    def epoch(self) -> int:
        """The epoch that a submission must name."""
        ...

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Record, as `runner.engine.ports.Journal` says."""
        ...

    def state_of(self, take_id: str) -> Where:
        """Return the state, the delivery state and the request id of a take."""
        ...


MakeJournal: TypeAlias = Callable[[Sequence[Take]], JournalUnderTest]
Case: TypeAlias = Callable[[MakeJournal], None]


def case_id(case: Case) -> str:
    """Return the property that a case states."""
    return getattr(case, "__name__", repr(case))


def tell(journal: JournalUnderTest, take: Take, *facts: Fact, at: float = 1001.0) -> None:
    for fact in facts:
        journal.record(take.id, fact, at=at).result(timeout=20)


def refuses(journal: JournalUnderTest, take: Take, fact: Fact) -> None:
    """Assert that `fact` is refused and changes nothing."""
    before = journal.state_of(take.id)
    with pytest.raises(IllegalTransition):
        tell(journal, take, fact)
    assert journal.state_of(take.id) == before


def drive(journal: JournalUnderTest, take: Take, state: TakeState) -> None:
    tell(journal, take, *road(take, state, attempt=f"try-{take.id}", epoch=journal.epoch))
    assert journal.state_of(take.id)[0] is state


def every_pair_agrees_with_the_table(make_journal: MakeJournal) -> None:
    """Loops over every state and every kind of fact, each on a take of its own."""
    kinds = every_fact(make_take("x"), attempt="x", epoch=0)
    assert {type(fact) for fact in kinds} == set(get_args(Fact))
    pairs = [(state, number) for state in S for number in range(len(kinds))]
    takes = {pair: make_take(f"{pair[0]}-{pair[1]}") for pair in pairs}
    journal = make_journal(list(takes.values()))
    for (state, number), take in takes.items():
        drive(journal, take, state)
        attempt = f"new-{take.id}" if state is S.PENDING else f"try-{take.id}"
        fact = every_fact(take, attempt=attempt, epoch=journal.epoch)[number]
        _check_pair(journal, take, state, fact)


def _check_pair(journal: JournalUnderTest, take: Take, state: TakeState, fact: Fact) -> None:
    if isinstance(fact, StateFact):
        targets = TRANSITIONS.get((state, type(fact)), frozenset())
        if isinstance(fact, Ended):
            targets &= {fact.outcome}
        # All of these were accepted, and none was adopted.
        legal = bool(targets) and not isinstance(fact, AdoptionUndone)
    else:
        targets = frozenset({state})
        legal = isinstance(fact, NoteFact) or (state is S.SUCCEEDED and (D.NONE, type(fact)) in DELIVERIES)
    if legal:
        tell(journal, take, fact)
        assert {journal.state_of(take.id)[0]} == targets, (state, fact)
    else:
        refuses(journal, take, fact)


def every_delivery_pair_agrees_with_the_table(make_journal: MakeJournal) -> None:
    facts = [
        fact for fact in every_fact(make_take("x"), attempt="x", epoch=0) if isinstance(fact, DeliveryFact)
    ]
    takes = {
        (delivery, fact): make_take(f"{delivery}-{type(fact).__name__}") for delivery in D for fact in facts
    }
    journal = make_journal(list(takes.values()))
    for (delivery, fact), take in takes.items():
        drive(journal, take, S.SUCCEEDED)
        tell(journal, take, *delivery_road(delivery))
        target = DELIVERIES.get((delivery, type(fact)))
        if target is None:
            refuses(journal, take, fact)
        else:
            tell(journal, take, fact)
            assert journal.state_of(take.id)[:2] == (S.SUCCEEDED, target)


def only_the_epoch_of_the_file_may_submit(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    for epoch in (journal.epoch - 1, journal.epoch + 1):
        with pytest.raises(RunInUse, match="taken this run over"):
            tell(journal, take, SubmissionStarted("try-1", take.fingerprint, epoch))
        assert journal.state_of("a") == (S.PENDING, D.NONE, None)
    tell(journal, take, SubmissionStarted("try-1", take.fingerprint, journal.epoch))
    assert journal.state_of("a") == (S.SUBMITTING, D.NONE, None)


def only_what_was_recorded_may_be_sent(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    refuses(journal, take, SubmissionStarted("try-1", "another fingerprint", journal.epoch))


def an_attempt_id_serves_once(make_journal: MakeJournal) -> None:
    first, second = make_take("a"), make_take("b")
    journal = make_journal([first, second])
    tell(journal, first, SubmissionStarted("try", first.fingerprint, journal.epoch))
    refuses(journal, second, SubmissionStarted("try", second.fingerprint, journal.epoch))


def an_answer_belongs_to_the_latest_attempt(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    drive(journal, take, S.HELD)
    refuses(journal, take, Accepted("try-unknown", "r-1"))
    tell(journal, take, PayAgain("ada"), SubmissionStarted("try-2", take.fingerprint, journal.epoch))
    refuses(journal, take, Accepted("try-a", "r-1"))
    tell(journal, take, LostContact("try-2", "sent", "silence"))
    refuses(journal, take, Accepted("try-a", "r-1"))


def a_late_answer_of_the_held_attempt_is_taken(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    drive(journal, take, S.HELD)
    tell(journal, take, Accepted("try-a", "r-late"))
    assert journal.state_of("a") == (S.QUEUED, D.NONE, "r-late")


def a_request_id_belongs_to_one_take(make_journal: MakeJournal) -> None:
    """Also when its first owner has let go of it for a retry."""
    first, second, third = make_take("a"), make_take("b"), make_take("c")
    journal = make_journal([first, second, third])
    drive(journal, first, S.QUEUED)
    drive(journal, second, S.SUBMITTING)
    refuses(journal, second, Accepted("try-b", "request-a"))
    tell(journal, first, Ended(S.CANCELLED, "{}"), RetryRequested("ada"))
    refuses(journal, second, Accepted("try-b", "request-a"))
    drive(journal, third, S.HELD)
    refuses(journal, third, Adopted("request-a", "ada"))


def only_an_adoption_can_be_undone(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    drive(journal, take, S.HELD)
    tell(journal, take, Adopted("other", "ada"))
    refuses(journal, take, AdoptionUndone("another", "ada"))
    tell(journal, take, AdoptionUndone("other", "ada"))
    assert journal.state_of("a") == (S.HELD, D.NONE, None)
    tell(journal, take, Adopted("other", "ada"))
    assert journal.state_of("a") == (S.QUEUED, D.NONE, "other")


def a_retry_lets_go_of_the_request(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    drive(journal, take, S.FAILED)
    assert journal.state_of("a") == (S.FAILED, D.NONE, "request-a")
    tell(journal, take, RetryRequested("ada"))
    assert journal.state_of("a") == (S.PENDING, D.NONE, None)


def notes_move_nothing(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    drive(journal, take, S.RUNNING)
    before = journal.state_of("a")
    tell(journal, take, CancelRequested("ada", "not_cancellable"), CostSeen(0.5))
    assert journal.state_of("a") == before


def an_unknown_take_is_refused(make_journal: MakeJournal) -> None:
    journal = make_journal([make_take("a")])
    with pytest.raises(IllegalTransition):
        tell(journal, make_take("b"), CostSeen(0.5))


def facts_are_taken_in_the_order_handed_in(make_journal: MakeJournal) -> None:
    """Hand in a whole life without waiting, with a refused fact in the middle that spoils nothing."""
    take = make_take("a")
    journal = make_journal([take])
    life = [*road(take, S.SUCCEEDED, attempt="try", epoch=journal.epoch), *delivery_road(D.DELIVERED)]
    futures = [journal.record("a", fact, at=1001.0) for fact in life[:2]]
    wrong = journal.record("a", PayAgain("ada"), at=1001.0)
    futures += [journal.record("a", fact, at=1001.0) for fact in life[2:]]
    for future in futures:
        future.result(timeout=20)
    assert isinstance(wrong.exception(timeout=20), IllegalTransition)
    assert journal.state_of("a") == (S.SUCCEEDED, D.DELIVERED, "request-a")


def a_fact_handed_in_cannot_be_cancelled(make_journal: MakeJournal) -> None:
    """Let a waiter give up: it must not undo, or stop, what is being made durable."""
    take = make_take("a")
    journal = make_journal([take])
    futures = [
        journal.record("a", fact, at=1.0) for fact in road(take, S.QUEUED, attempt="t", epoch=journal.epoch)
    ]
    assert not any(future.cancel() for future in futures)
    tell(journal, take, Started())
    assert journal.state_of("a")[0] is S.RUNNING


def a_clip_is_fetched_only_of_a_succeeded_take(make_journal: MakeJournal) -> None:
    take = make_take("a")
    journal = make_journal([take])
    drive(journal, take, S.QUEUED)
    refuses(journal, take, FetchStarted("https://clips/1.mp4"))


CASES: tuple[Case, ...] = (
    every_pair_agrees_with_the_table,
    every_delivery_pair_agrees_with_the_table,
    only_the_epoch_of_the_file_may_submit,
    only_what_was_recorded_may_be_sent,
    an_attempt_id_serves_once,
    an_answer_belongs_to_the_latest_attempt,
    a_late_answer_of_the_held_attempt_is_taken,
    a_request_id_belongs_to_one_take,
    only_an_adoption_can_be_undone,
    a_retry_lets_go_of_the_request,
    notes_move_nothing,
    an_unknown_take_is_refused,
    facts_are_taken_in_the_order_handed_in,
    a_fact_handed_in_cannot_be_cancelled,
    a_clip_is_fetched_only_of_a_succeeded_take,
)
