"""T15: a state machine out of hypothesis over the real state file, the real engine and a virtual service.

In: a seed. Out: a verdict. Steps are what people and machines do in any order: write rows, change and drop them, run,
kill, run again under bad weather, decide held takes well or badly, pay for a retry. After each step the state file must
agree with the service's ledger and with a model that only counts what somebody has agreed to pay.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runner.domain.errors import IllegalTransition
from runner.domain.states import (
    NEVER_CHARGED,
    Adopted,
    DeclaredNotSent,
    DeliveryState,
    Dropped,
    Fact,
    PayAgain,
    RetryRequested,
    TakeState,
)
from tests.torture.night_api import Bad
from tests.torture.registry import Verdict
from tests.torture.workshop import OPTIONS, Workshop

NAME = "T15 state machine"
PR = 0.02
EXAMPLES, STEPS = 1_000, 50
"""Examples at full scale, and the steps of each; one batch of them in the small tier."""

_BATCH = 20
# Its many flushes are not what is tried here, and no power fails.
_MEMORY = Path("/dev/shm")
_IDS = tuple(f"s{number:02}" for number in range(8))
_MOMENTS = (0.0, 0.05, 0.2, 0.35, 0.5, 1.0, 5.0, 60.0, 300.0)
_IN_DOUBT = frozenset({TakeState.HELD, TakeState.SUBMITTING})
_MAY_BE_DROPPED = (TakeState.QUEUED, TakeState.RUNNING, TakeState.FAILED, TakeState.CANCELLED)
_WITH_A_JOB = frozenset({TakeState.QUEUED, TakeState.RUNNING, TakeState.SUCCEEDED})


class Machine(RuleBasedStateMachine):
    """Whoever uses one workshop."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="t15-", dir=_MEMORY if _MEMORY.is_dir() else None)
        self._rows: dict[str, int] = {}
        self._shop: Workshop | None = None

    @property
    def shop(self) -> Workshop:
        """The workshop, which `begin` has opened."""
        assert self._shop is not None
        return self._shop

    @initialize(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5))
    def begin(self, seed: int, rows: int) -> None:
        self._shop = Workshop(Path(self._folder.name), seed=seed)
        self._rows = dict.fromkeys(_IDS[:rows], 0)

    def teardown(self) -> None:
        try:
            if self._shop is not None:
                self._bring_to_an_end()
        finally:
            if self._shop is not None:
                self._shop.close()
            self._folder.cleanup()

    # -- what people do ----------------------------------------------------------------------------------------

    @rule(take_id=st.sampled_from(_IDS))
    def write_row(self, take_id: str) -> None:
        self._rows.setdefault(take_id, 0)

    @rule(take_id=st.sampled_from(_IDS))
    def change_row(self, take_id: str) -> None:
        if take_id in self._rows:
            self._rows[take_id] += 1

    @precondition(lambda self: len(self._rows) > 1)
    @rule(take_id=st.sampled_from(_IDS))
    def drop_row(self, take_id: str) -> None:
        self._rows.pop(take_id, None)

    @precondition(lambda self: self.shop.those(TakeState.HELD))
    @rule(which=st.integers(0, 7), how=st.sampled_from(("adopt", "adopt", "not sent", "drop", "pay again")))
    def decide(self, which: int, how: str) -> None:
        self._think()
        held = self.shop.those(TakeState.HELD)
        take_id = held[which % len(held)].take_id
        unknown = self.shop.unknown_charges(take_id)
        if how == "adopt" and unknown:
            self.shop.tell(take_id, Adopted(unknown[0], "ada"))
            return
        facts: dict[str, Fact] = {"drop": Dropped("ada"), "pay again": PayAgain("ada")}
        self.shop.tell(take_id, facts.get(how, DeclaredNotSent("ada")))
        # Right or wrong, it was a person's word: what it gave up is given up, and the next charge is agreed to.
        self.shop.waived.update(unknown)
        self.shop.agreed[take_id] += len(unknown)

    @precondition(lambda self: self.shop.those(TakeState.FAILED))
    @rule(which=st.integers(0, 7))
    def pay_for_a_retry(self, which: int) -> None:
        fallen = self.shop.those(TakeState.FAILED)
        record = fallen[which % len(fallen)]
        self.shop.tell(record.take_id, RetryRequested("ada"))
        if record.failure not in NEVER_CHARGED:
            self.shop.agreed[record.take_id] += 1

    @precondition(lambda self: self.shop.those(*_MAY_BE_DROPPED))
    @rule(which=st.integers(0, 7))
    def give_up_what_was_sent(self, which: int) -> None:
        """Let a person end a take whatever its job does; nothing is charged for it again."""
        sent = self.shop.those(*_MAY_BE_DROPPED)
        take_id = sent[which % len(sent)].take_id
        self.shop.tell(take_id, Dropped("ada"))
        assert take_id in {record.take_id for record in self.shop.those(TakeState.DROPPED)}

    @rule(which=st.integers(0, 7), how=st.sampled_from((Adopted("x-1", "ada"), PayAgain("ada"))))
    def decide_what_is_not_held(self, which: int, how: Fact) -> None:
        """Find that it is refused and changes nothing."""
        others = [record for record in self.shop.records() if record.state is not TakeState.HELD]
        if not others:
            return
        before = others[which % len(others)]
        try:
            self.shop.tell(before.take_id, how)
        except IllegalTransition:
            assert before in self.shop.records()
            return
        raise AssertionError(f"{type(how).__name__} was taken for a take that is {before.state}")

    # -- what machines do --------------------------------------------------------------------------------------

    @rule(
        bad=st.sampled_from(tuple(Bad)),
        seconds=st.sampled_from((5.0, 60.0, 900.0)),
        share=st.sampled_from((0.3, 1.0)),
    )
    def weather(self, bad: Bad, seconds: float, share: float) -> None:
        self.shop.cloud(bad, seconds=seconds, share=share)

    @rule(seconds=st.sampled_from(_MOMENTS))
    def run_and_kill(self, seconds: float) -> None:
        self._run(seconds)

    @rule()
    def run_to_the_end(self) -> None:
        self._run(None)

    @rule(seconds=st.sampled_from((1.0, 3600.0)))
    def wait(self, seconds: float) -> None:
        self.shop.pass_time(seconds)

    def _run(self, killed_after: float | None) -> None:
        abandoned = self.shop.those(TakeState.SUBMITTING)
        held = self.shop.run(self._rows, killed_after=killed_after)
        assert sorted(held) == sorted(record.take_id for record in abandoned)
        assert len(held) <= OPTIONS.widest_window, f"one kill left {held} in doubt"

    # -- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def nobody_pays_unasked(self) -> None:
        for take_id, count in Counter(job.take for job in self.shop.api.ledger).items():
            most = 1 + self.shop.agreed[take_id]
            assert count <= most, f"{take_id} was charged {count} times, {most} were agreed to"

    @invariant()
    def every_charge_is_known_or_in_doubt(self) -> None:
        in_doubt = {record.take_id for record in self.shop.records() if record.state in _IN_DOUBT}
        for take_id in sorted({job.take for job in self.shop.api.ledger}):
            unknown = self.shop.unknown_charges(take_id)
            assert not unknown or take_id in in_doubt, f"{unknown} of {take_id} are nowhere"
            assert len(unknown) <= 1, f"one doubt hides {unknown} of {take_id}"

    @invariant()
    def every_id_is_its_takes_own(self) -> None:
        for record in self.shop.records():
            attempts = self.shop.attempts(record.take_id)
            for request_id in filter(None, {record.request_id, *(made.request_id for made in attempts)}):
                job = self.shop.api.job(request_id)
                assert job is not None, f"{request_id} was never given out"
                assert job.take == record.take_id, f"{request_id} of {job.take} is {record.take_id}'s"

    @invariant()
    def states_follow_from_the_ledger(self) -> None:
        for record in self.shop.records():
            job = self.shop.api.job(record.request_id or "")
            assert job is not None or record.state not in _WITH_A_JOB, f"{record.take_id} has no job"
            if record.state is TakeState.SUCCEEDED and job is not None:
                assert job.fate == "succeeded", f"{record.take_id} succeeded, but its job {job.fate}"
            if record.delivery is DeliveryState.DELIVERED:
                assert (record.take_id, record.request_id) in self.shop.api.clips

    # -- the end -----------------------------------------------------------------------------------------------

    def _think(self) -> None:
        """Let what a dead process left in the air arrive: nobody decides within a second of the kill."""
        self.shop.pass_time(5.0)

    def _bring_to_an_end(self) -> None:
        """Clear the weather, answer what is held by the provider's own list, and run until all is done."""
        shop = self.shop
        shop.api.weather = ()
        for _ in range(12):
            self._think()
            for record in shop.those(TakeState.HELD):
                unknown = shop.unknown_charges(record.take_id)
                shop.tell(record.take_id, Adopted(unknown[0], "ada") if unknown else DeclaredNotSent("ada"))
            self._run(None)
            if not shop.unfinished():
                break
        # Several takes that are refused alike, with nothing accepted in between, are left pending for a person.
        left = [
            (record.take_id, record.state, record.delivery)
            for record in shop.unfinished()
            if not (record.state is TakeState.PENDING and shop.api.refuses(record.take_id))
        ]
        assert not left, left
        self.nobody_pays_unasked()
        self.every_charge_is_known_or_in_doubt()
        self.every_id_is_its_takes_own()
        assert not shop.damage()


# -- the cases ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """So many examples out of hypothesis, from a seed."""

    name: str
    seed: int
    examples: int


def cases(seed: int, scale: float) -> Iterable[Batch]:
    """Return batches of examples of fifty steps each."""
    for number in range(max(1, round(EXAMPLES * scale) // _BATCH)):
        yield Batch(f"machine-{number:03}", seed * 1000 + number, _BATCH)


def run(case: Batch, workdir: Path) -> Verdict:  # noqa: ARG001 - each example has a folder of its own
    """Try one batch."""
    checked = settings(
        max_examples=case.examples,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Shrinking would take minutes; the steps as they were found are short enough to read.
        phases=(Phase.generate,),
        print_blob=False,
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(with_seed(case.seed)(Machine), settings=checked)
    except Exception as found:  # noqa: BLE001 - whatever hypothesis found is the finding
        return Verdict(cases=case.examples, failures=tuple(_told(case, found)))
    print(f"T15 {case.name}: {case.examples} lives of up to {STEPS} steps agree with the ledger", flush=True)
    return Verdict(cases=case.examples)


def _told(case: Batch, found: Exception) -> Iterator[str]:
    notes = (line.strip() for line in getattr(found, "__notes__", ()))
    steps = "; ".join(line for line in notes if line.startswith("state.") and not line.endswith("()"))
    yield f"{case.name}: {type(found).__name__}: {found} [{steps[:3000]}]"
