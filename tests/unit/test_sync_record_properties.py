"""What a plan says is what a run then does, whatever board, edits and standings; no body is paid for twice.

No clip is lost either. The state files and the clips are real; nothing is sent: a pending take that a run is about
counts as a submit.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.commands.steps.sync_record import missing, sync, take_over
from runner.domain.records import RunRecord, TakeRecord
from runner.domain.shots import Plan
from runner.domain.states import (
    ACTIVE,
    PAID,
    Accepted,
    Delivered,
    DeliveryState,
    Fact,
    FailureClass,
    FetchStarted,
    KeptAsIs,
    Refused,
    TakeState,
)
from runner.plan.actions import Action, Step
from runner.plan.compare import older_id
from runner.plan.scope import Decision, decide, scope_of, takes_in_scope
from runner.plan.selection import ALL, Choice
from runner.store.disk_failure import NOTHING
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock
from tests.integration.store_samples import make_plan, make_take, new_state_file, road

S, D = TakeState, DeliveryState
CLOCK = SystemClock()
KEPT = ACTIVE | {S.SUCCEEDED, S.HELD, S.SUBMITTING}
Rows = Mapping[str, str]


@dataclass(frozen=True)
class Standing:
    """Where a take is brought to before the next edit; `kept` says that a person keeps it if it is stale."""

    state: TakeState = S.SUCCEEDED
    is_delivered: bool = True
    is_refused: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Round:
    """One look at an edited board, and what then becomes of the takes, by turns."""

    rows: Rows
    choice: Choice = ALL
    stale: bool = False
    standings: Sequence[Standing] = (Standing(),)


def plan_of(rows: Rows) -> Plan:
    return make_plan([make_take(take_id, prompt=prompt) for take_id, prompt in rows.items()], text=repr(rows))


class Board:
    """A run directory that rows are adopted into, and its takes moved in."""

    def __init__(self, folder: Path) -> None:
        self.place = RunDir(folder)
        (folder / "clips").mkdir()
        self.state = new_state_file(folder, [], provision=NOTHING)
        self._number = 0

    def takes(self) -> list[TakeRecord]:
        with open_reader(self.place.state_file) as reader:
            return reader.takes()

    def planned(self, look: Round) -> Sequence[Step]:
        """Return what a plan says."""
        return self._decision(look, RunRecord(self.takes())).steps

    def _decision(self, look: Round, record: RunRecord) -> Decision:
        plan = plan_of(look.rows)
        scope = scope_of(plan, record.takes, look.choice, stale=look.stale)
        return decide(plan, record, scope, files_missing=missing(record.takes, self.place), download=True)

    def run(self, look: Round) -> list[TakeRecord]:
        """Do what a run does before it sends anything, and return the takes that it is about."""
        plan = plan_of(look.rows)
        record = take_over(self.state, clock=CLOCK)
        decision = self._decision(look, record)
        assert not sync(self.state, plan, record.takes, decision.comparison, clock=CLOCK)
        return takes_in_scope(self.takes(), decision.scope)

    def move(self, take: TakeRecord, standing: Standing) -> None:
        """Bring a pending take to where it shall stand; another one only becomes kept."""
        facts: list[Fact] = []
        if take.state is S.PENDING:
            facts = self._road(take, standing)
        elif standing.kept and take.is_stale and take.state in PAID:
            facts = [KeptAsIs("ada", take.wanted or "")]
        for fact in facts:
            self.state.record(take.take_id, fact, at=1010.0).result(20)

    def _road(self, take: TakeRecord, standing: Standing) -> list[Fact]:
        self._number += 1
        attempt, request_id = f"try-{self._number}", f"request-{self._number}"
        as_sent = make_take(take.take_id, prompt=json.loads(take.body)["promptText"])
        facts = road(as_sent, standing.state, attempt=attempt, epoch=self.state.epoch)
        if standing.is_refused and standing.state is S.FAILED:
            return [facts[0], Refused(attempt, FailureClass.INVALID_INPUT, "too long")]
        facts = [
            replace(fact, request_id=request_id) if isinstance(fact, Accepted) else fact for fact in facts
        ]
        if standing.state is S.SUCCEEDED and standing.is_delivered:
            clip = f"clip of {request_id}".encode()
            file = f"clips/{take.take_id}.mp4"
            assert not (self.place.path / file).exists()
            (self.place.path / file).write_bytes(clip)
            facts += [FetchStarted("https://clips/1.mp4"), Delivered(file, digest(clip), len(clip))]
        return facts


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def board() -> Iterator[Board]:
    with TemporaryDirectory() as folder:
        made = Board(Path(folder))
        try:
            yield made
        finally:
            made.state.close()


def bodies(takes: Sequence[TakeRecord]) -> Counter[str]:
    return Counter(take.body for take in takes)


def unnumbered(take_ids: Iterable[str]) -> Counter[str]:
    """Return ids without the numbers of older renders: a run renames in two steps, and may find a lower one free."""
    return Counter(older_id(take_id) or take_id for take_id in take_ids)


def holds_together(made: Board, look: Round) -> None:
    """Hold a plan against the run that follows it, and both against what was paid for before."""
    before = made.takes()
    steps = made.planned(look)
    about = made.run(look)
    after = made.takes()

    def said(action: Action) -> set[str]:
        return {step.take_id for step in steps if step.action is action}

    wanted = {take.id: take.body for take in plan_of(look.rows).takes}
    sent = [take for take in about if take.state is S.PENDING]
    assert bodies(sent) == Counter(wanted[take_id] for take_id in said(Action.SUBMIT))
    assert {take.take_id for take in sent} == said(Action.SUBMIT)
    changed = {take.take_id for take in after if take.is_stale}
    watched = {take.take_id for take in about if take.state in ACTIVE}
    assert unnumbered(watched - changed) == unnumbered(said(Action.WATCH) - changed)
    fetched = {
        take.take_id for take in about if take.state is S.SUCCEEDED and take.delivery is not D.DELIVERED
    }
    assert unnumbered(fetched - changed) == unnumbered(said(Action.DOWNLOAD))
    assert said(Action.STALE) <= {take.take_id for take in after if take.is_stale}

    held = bodies([take for take in before if take.state in KEPT])
    asked = Counter(wanted.values())
    for body, number in bodies(sent).items():
        assert number <= asked[body] - held[body]
    paid = {take.request_id: (take.body, take.sha256) for take in before if take.request_id}
    kept = {take.request_id: (take.body, take.sha256) for take in after if take.request_id}
    assert paid.items() <= kept.items()
    clips = [take for take in after if take.file]
    assert len({take.file for take in clips}) == len(clips)
    for take in clips:
        assert take.file == f"clips/{take.take_id}.mp4"
        assert digest((made.place.path / take.file).read_bytes()) == take.sha256


IDS = ["a", "b", "c", "d", "a~1"]
ROWS = st.dictionaries(st.sampled_from(IDS), st.sampled_from("UVWX"), max_size=4)
CHOICES = st.builds(
    Choice,
    exclude=st.sampled_from([(), (), ("status:failed",), ("status:succeeded",)]),
    statuses=st.sampled_from([(), (), ("pending",), ("stale", "pending"), ("held", "queued"), ("failed",)]),
    limit=st.none() | st.integers(1, 3),
)
STANDINGS = st.builds(
    Standing,
    state=st.sampled_from([S.SUCCEEDED, S.SUCCEEDED, *S]),
    is_delivered=st.sampled_from([True, True, False]),
    is_refused=st.booleans(),
    kept=st.booleans(),
)
ROUNDS = st.builds(
    Round,
    rows=ROWS,
    choice=st.just(ALL) | CHOICES,
    stale=st.booleans(),
    standings=st.lists(STANDINGS, min_size=1, max_size=4),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(ROUNDS, min_size=2, max_size=4))
def test_a_run_does_what_the_plan_said_and_pays_for_no_body_twice(rounds: list[Round]) -> None:
    with board() as made:
        for look in rounds:
            holds_together(made, look)
            takes = [take for take in made.takes() if take.position is not None]
            for at, take in enumerate(takes):
                made.move(take, look.standings[at % len(look.standings)])
