"""Room for clips: nothing is paid for whose clip would find none, and what is out there is brought home."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest

from runner.domain.api_answers import FetchAnswer
from runner.domain.limits import Limits
from runner.domain.run_ending import EndingKind
from runner.domain.shots import Ticket
from runner.domain.states import Delivered, DeliveryState, TakeState
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.testing import MemoryDelivery
from tests.unit.test_engine import Night, night, ticket

CLIP = 1000


class Volume:
    """A volume of so many bytes; a probe of its room, and `left` to set."""

    def __init__(self, left: int | None) -> None:
        self.left = left
        self.asked = 0

    def __call__(self) -> int | None:
        self.asked += 1
        return self.left


def run(
    volume: Callable[[], int | None],
    *,
    takes: int = 6,
    jobs: int = 2,
    largest: int = 0,
    max_submits: int | None = None,
) -> Night:
    return night(
        [ticket(f"s{n}") for n in range(takes)],
        options=EngineOptions(jobs=jobs, limits=Limits(max_submits=max_submits)),
        room=volume,
        past=RunHistory(largest_clip=largest),
    )


@pytest.mark.parametrize("left", [0, -5])
def test_nothing_is_sent_where_no_clip_finds_room(left: int) -> None:
    found = run(Volume(left))
    assert found.ending.kind is EndingKind.DISK
    assert "too little space for clips: 0 MB available" in found.ending.reason
    assert found.queue.ledger == []
    assert set(found.states().values()) == {TakeState.PENDING}


@pytest.mark.parametrize(("left", "sent"), [(CLIP - 1, 0), (CLIP, 1), (2 * CLIP - 1, 1), (3 * CLIP, 3)])
def test_room_is_kept_for_the_clips_of_all_that_is_out_there(left: int, sent: int) -> None:
    """They are as large as the largest that any run has brought home, as far as is known."""
    found = run(Volume(left), jobs=4, largest=CLIP)
    assert found.ending.kind is EndingKind.DISK
    assert len(found.queue.ledger) == sent


def test_a_volume_that_fills_up_stops_the_submitting_and_what_is_out_there_comes_home() -> None:
    volume = Volume(2**40)

    class Filling(MemoryDelivery):
        def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
            volume.left = 0
            return super().fetch(ticket)

    found = night(
        [ticket(f"s{n}") for n in range(9)], options=EngineOptions(jobs=2), delivery=Filling(), room=volume
    )
    assert found.ending.kind is EndingKind.DISK
    sent = found.queue.ledger
    assert 2 <= len(sent) < 9
    assert all(
        found.journal.state_of(name)[:2] == (TakeState.SUCCEEDED, DeliveryState.DELIVERED) for name in sent
    )


def test_the_largest_clip_so_far_is_learned_on_the_way() -> None:
    large = MemoryDelivery({"s1": [Delivered("clips/s1.mp4", "0" * 64, CLIP)]})
    found = night(
        [ticket(f"s{n}") for n in range(6)],
        options=EngineOptions(jobs=1),
        delivery=large,
        room=Volume(CLIP - 1),
    )
    assert found.ending.kind is EndingKind.DISK
    assert "1 MB needed" in found.ending.reason
    assert found.states()["s1"] is TakeState.SUCCEEDED
    assert len(found.queue.ledger) < 6


@pytest.mark.parametrize("left", [None, 2**40], ids=["unknown", "plenty"])
def test_a_volume_that_does_not_tell_or_has_room_stops_nothing(left: int | None) -> None:
    volume = Volume(left)
    assert run(volume, largest=CLIP).ending.kind is EndingKind.FINISHED
    assert volume.asked == 6


def test_a_limit_that_stops_the_run_is_told_before_a_lack_of_room() -> None:
    readings = iter([CLIP, 0, 0])
    found = run(lambda: next(readings), max_submits=1)
    assert found.ending.kind is EndingKind.LIMIT
    assert len(found.queue.ledger) == 1
