"""Records as the state file's reader would give them, made for the tests of the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import DeliveryState, TakeState
from runner.output.csv_report import write_csv
from runner.system.canonical_json import JsonValue

NOW = 1_780_000_000.0
BODY: Mapping[str, JsonValue] = {"duration": 5, "promptText": "A hand lifts the glasses", "seed": 1000}


def header(*, columns: tuple[str, ...] = (), simulated: bool = False, name: str = "teaser") -> RunHeader:
    """Return the header of a run whose manifest has the CSV `columns`, none for YAML."""
    return RunHeader(
        run_id="0f0e",
        name=name,
        manifest="/home/somebody/board/storyboard.yaml",
        simulated=simulated,
        api_base="https://api.example.com",
        created_at=NOW - 600,
        version="1.2.3",
        columns=columns,
    )


@dataclass(frozen=True)
class FakeRecord:
    """A run's record without a state file."""

    header: RunHeader
    takes: Sequence[TakeRecord] = ()
    spent: Spending = NOTHING_SPENT
    named: str = "7"

    @property
    def nothing_paid(self) -> bool:
        return self.header.simulated

    def each_take(self) -> Iterator[TakeRecord]:
        return iter(self.takes)

    def spending(self) -> Spending:
        return self.spent

    def mark(self) -> str:
        return self.named


def csv_text(run: RunHeader, takes: Sequence[TakeRecord]) -> str:
    """Return the table of a run as text."""
    file = BytesIO()
    write_csv(file, run, lambda: takes)
    return file.getvalue().decode("utf-8")


def pending(
    take_id: str = "s010", *, body: Mapping[str, JsonValue] = BODY, position: int | None = 0
) -> TakeRecord:
    """Return a take that nothing has happened to."""
    seed = body.get("seed")
    return TakeRecord(
        take_id=take_id,
        shot_id=take_id.partition("@")[0],
        model="pika/pikaframes",
        body=json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        fingerprint="ab" * 32,
        seed=seed if isinstance(seed, int) else None,
        point={},
        tags=(),
        notes="",
        cells={},
        position=position,
        state=TakeState.PENDING,
        delivery=DeliveryState.NONE,
        failure=None,
        reason="",
        attempts=0,
        request_id=None,
        submitted_at=None,
        finished_at=None,
        seconds=None,
        not_before=0.0,
        cost=None,
        outputs=(),
        result=None,
        file=None,
        sha256=None,
        bytes=None,
        cancel_requested=None,
        wanted=None,
        kept_for=None,
        price_now="",
        number=1,
        flags=(),
        stem="",
    )


def queued(take: TakeRecord) -> TakeRecord:
    """Return `take` as the API has accepted it."""
    request_id = f"req-{take.take_id}"
    return replace(take, state=TakeState.QUEUED, attempts=1, request_id=request_id, submitted_at=NOW - 100)


def succeeded(take: TakeRecord, *, cost: float | None = 0.3) -> TakeRecord:
    """Return `take` as it has rendered, its clip not yet fetched."""
    return replace(
        queued(take),
        state=TakeState.SUCCEEDED,
        finished_at=NOW - 60,
        seconds=40.25,
        cost=cost,
        outputs=(f"https://cdn.example.com/out/{take.shot_id}.mp4",),
        result="{}",
    )


def delivered(take: TakeRecord, *, cost: float | None = 0.3) -> TakeRecord:
    """Return `take` with its clip on disk."""
    return replace(
        succeeded(take, cost=cost),
        delivery=DeliveryState.DELIVERED,
        file=f"clips/{take.take_id}.mp4",
        sha256="cd" * 32,
        bytes=31_200,
    )
