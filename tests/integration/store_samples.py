"""Takes, plans, headers and facts for the tests of the state file, and the shortest road to every state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.domain.errors import Position
from runner.domain.records import AttemptRecord, RunHeader, TakeRecord
from runner.domain.shots import Manifest, Plan, Take
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    Adopted,
    AdoptionUndone,
    CancelRequested,
    Checked,
    ClipMoved,
    CostSeen,
    DeclaredNotSent,
    Delivered,
    DeliveryState,
    Dropped,
    Ended,
    Fact,
    FailureClass,
    FetchStarted,
    FileGone,
    FoundAfterAll,
    KeptAsIs,
    LateAnswer,
    LostContact,
    NotSent,
    PayAgain,
    Refused,
    RefusedForNow,
    Renamed,
    Requeued,
    RetryRequested,
    Started,
    SubmissionStarted,
    TakeState,
    Undeliverable,
    Vanished,
)
from runner.store.disk_failure import PROVISION, SafetyOptions
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.state_file import StateFile

MODEL = "pika/pikaframes"
S, D = TakeState, DeliveryState


def make_take(take_id: str, *, prompt: str = "a hand", model: str = MODEL, notes: str = "") -> Take:
    """Return a take whose fingerprint follows from its model and prompt."""
    body = json.dumps({"promptText": prompt})
    return Take(
        id=take_id,
        shot_id=take_id.partition("@")[0],
        model=model,
        body=body,
        fingerprint=hashlib.sha256(f"{model} {body}".encode()).hexdigest(),
        seed=2**63 + 7,
        point={"seed": 7},
        at=Position("board.yaml", 3),
        tags=("hero",),
        notes=notes,
        cells={"id": take_id},
    )


def make_plan(takes: Sequence[Take], *, text: str = "version: 1\n") -> Plan:
    """Return a plan of `takes`."""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Plan(Manifest("board", "board.csv", text, sha256, columns=("id", "model")), tuple(takes))


HEADER = RunHeader(
    run_id="run-1",
    name="board",
    manifest="/boards/board.csv",
    simulated=True,
    api_base="http://127.0.0.1:1/v1",
    created_at=1000.0,
    version="0.1",
)


def new_state_file(
    folder: Path,
    takes: Sequence[Take],
    *,
    patience: float = 0.0,
    provision: SafetyOptions = PROVISION,
    header: RunHeader = HEADER,
) -> StateFile:
    """Return a begun state file in `folder` that has adopted `takes`; the caller closes it."""
    state_file = StateFile.create(
        folder / "state.db", header, Opening(patience=patience, provision=provision)
    )
    state_file.begin(at=1000.0)
    state_file.adopt_plan(make_plan(takes), renew=(), at=1000.0)
    return state_file


def every_fact(take: Take, *, attempt: str, epoch: int) -> list[Fact]:
    """Return one fact of each kind, and of `Ended` one for each outcome; ids are the take's own."""
    return [
        SubmissionStarted(attempt, take.fingerprint, epoch),
        Accepted(attempt, f"request-{take.id}"),
        NotSent(attempt, "no route"),
        RefusedForNow(attempt, "busy", 2000.0),
        Refused(attempt, FailureClass.REFUSED, "no such model"),
        AccountTurnedAway(attempt, FailureClass.NO_BALANCE, "no balance"),
        LostContact(attempt, "body sent", "read timed out", "HTTP/1.1 2"),
        Adopted(f"adopted-{take.id}", "ada"),
        AdoptionUndone(f"request-{take.id}", "ada"),
        DeclaredNotSent("ada", "not on the site"),
        PayAgain("ada"),
        Dropped("ada"),
        Started(),
        Requeued(),
        Ended(S.SUCCEEDED, '{"ok": 1}', ("https://clips/1.mp4",), cost=0.5, seconds=12.0),
        Ended(S.FAILED, '{"ok": 0}', failure=FailureClass.MODERATION, reason="not allowed"),
        Ended(S.CANCELLED, '{"ok": 2}'),
        FoundAfterAll(f"request-{take.id}", '{"ok": 3}', ("https://clips/1.mp4",), cost=0.5),
        Vanished(FailureClass.MISSING, "404"),
        RetryRequested("ada", "once more"),
        FetchStarted("https://clips/1.mp4"),
        Delivered(f"clips/{take.id}.mp4", "ab" * 32, 1234),
        Undeliverable("link expired"),
        FileGone("not on disk"),
        CancelRequested("ada", "not_cancellable"),
        CostSeen(0.25),
        LateAnswer(attempt, f"late-{take.id}"),
        Renamed("s009", "the manifest uses this name now"),
        ClipMoved(f"clips/{take.id}.mp4"),
        KeptAsIs("ada", "f" * 64),
        Checked("f" * 64, '{"width": 320}', (("size", "320 by 180 instead of 1280 by 720"),)),
    ]


def road(take: Take, state: TakeState, *, attempt: str, epoch: int) -> list[Fact]:
    """Return the facts that bring a pending take to `state` in one attempt."""
    sent: list[Fact] = [SubmissionStarted(attempt, take.fingerprint, epoch)]
    queued = [*sent, Accepted(attempt, f"request-{take.id}")]
    held = [*sent, LostContact(attempt, "body sent", "read timed out")]
    ends: Mapping[TakeState, Ended] = {
        S.SUCCEEDED: Ended(S.SUCCEEDED, "{}", ("https://clips/1.mp4",), cost=0.5, seconds=12.0),
        S.FAILED: Ended(S.FAILED, "{}", failure=FailureClass.PROVIDER_FAILED, reason="broke"),
        S.CANCELLED: Ended(S.CANCELLED, "{}"),
    }
    return {
        S.PENDING: [],
        S.SUBMITTING: sent,
        S.QUEUED: queued,
        S.RUNNING: [*queued, Started()],
        S.HELD: held,
        S.DROPPED: [*queued, Dropped("ada")],
        **{state: [*queued, end] for state, end in ends.items()},
    }[state]


def delivery_road(delivery: DeliveryState) -> list[Fact]:
    """Return the facts that bring the clip of a succeeded take to `delivery`."""
    fetching: list[Fact] = [FetchStarted("https://clips/1.mp4")]
    return {
        D.NONE: [],
        D.FETCHING: fetching,
        D.DELIVERED: [*fetching, Delivered("clips/a.mp4", "ab" * 32, 1234)],
        D.UNDELIVERABLE: [*fetching, Undeliverable("gone")],
    }[delivery]


A = make_take("a")


def tell(state_file: StateFile, *facts: Fact, take_id: str = "a", at: float = 1010.0) -> None:
    for fact in facts:
        state_file.record(take_id, fact, at=at).result(timeout=20)


def drive(state_file: StateFile, state: TakeState, *, take_id: str = "a") -> None:
    tell(
        state_file,
        *road(make_take(take_id), state, attempt=f"try-{take_id}", epoch=state_file.epoch),
        take_id=take_id,
    )


def seen(state_file: StateFile, take_id: str = "a") -> TakeRecord:
    with open_reader(state_file.path) as reader:
        found = reader.take(take_id)
    assert found is not None
    return found


def attempts(state_file: StateFile, take_id: str = "a") -> list[AttemptRecord]:
    with open_reader(state_file.path) as reader:
        return reader.attempts(take_id)
