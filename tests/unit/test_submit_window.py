"""The submit window as a policy: when it widens, when it narrows, and that it never passes its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.submit_window import Post, SubmitWindow, widest
from tests.benchmarks.submit_window import Board, simulate

AWAY = 0.2


def round_trip(window: SubmitWindow, *, at: float, waiting: int, accepted: bool = True) -> float:
    """Fill the window, let every POST be accepted, and return when the last one was."""
    posts = []
    while window.has_room:
        posts.append(window.begin(at))
    for post in posts:
        if accepted:
            window.accepted(post, now=at + AWAY, waiting=waiting)
        window.end(waiting=waiting)
    return at + AWAY


def wide(*, most: int = 32, waiting: int = 400) -> tuple[SubmitWindow, float]:
    """Return a window that has grown as far as it may, and the time."""
    window, now = SubmitWindow(least=1, most=most), 0.0
    while window.size < most:
        now = round_trip(window, at=now, waiting=waiting)
    return window, now


@pytest.mark.parametrize(
    ("jobs", "most"), [(1, 1), (4, 1), (8, 1), (15, 1), (16, 2), (50, 6), (256, 32), (1000, 32)]
)
def test_it_is_at_most_an_eighth_of_the_cap_and_never_above_32(jobs: int, most: int) -> None:
    assert widest(jobs) == most


def test_it_doubles_with_each_round_trip_until_it_is_as_wide_as_it_may_be() -> None:
    window, now, sizes = SubmitWindow(least=1, most=32), 0.0, []
    for _ in range(7):
        sizes.append(window.size)
        now = round_trip(window, at=now, waiting=400)
    assert sizes == [1, 2, 4, 8, 16, 32, 32]


def test_another_bound_holds_at_once_and_lets_it_grow_again() -> None:
    window, now = wide(most=8)
    window.resize(most=3)
    assert window.size == 3
    window.resize(most=4)
    round_trip(window, at=now, waiting=400)
    assert window.size == 4


def test_it_stays_one_if_one_post_at_a_time_fills_the_slots_soon_enough() -> None:
    window = SubmitWindow(least=1, most=32, job_seconds=60.0)
    round_trip(window, at=0.0, waiting=2)
    assert window.size == 1


def test_it_widens_sooner_for_shorter_jobs() -> None:
    window = SubmitWindow(least=1, most=32, job_seconds=10.0)
    round_trip(window, at=0.0, waiting=3)
    assert window.size == 2


def test_it_learns_how_long_jobs_are() -> None:
    window = SubmitWindow(least=1, most=32)
    window.job_ended(10.0)
    round_trip(window, at=0.0, waiting=3)
    assert window.size == 2


def test_a_window_that_is_not_full_does_not_widen() -> None:
    window, now = wide(most=8)
    window = SubmitWindow(least=1, most=32)
    now = round_trip(window, at=now, waiting=400)
    post = window.begin(now)
    window.accepted(post, now=now + AWAY, waiting=400)
    assert window.size == 2


def test_posts_that_wait_for_one_another_do_not_widen_it_further() -> None:
    """A server that takes one POST at a time answers the last of eight after eight times as long."""
    window, now = SubmitWindow(least=1, most=32, job_seconds=60.0), 0.0
    for _ in range(20):
        posts = []
        while window.has_room:
            posts.append(window.begin(now))
        for post in posts:
            now += 0.01
            window.accepted(post, now=now, waiting=200)
            window.end(waiting=200)
    assert window.size == 4


def test_it_narrows_to_what_is_in_flight_once_no_slot_waits() -> None:
    window, now = wide()
    while window.has_room:
        window.begin(now)
    for left in range(31, 0, -1):
        window.end(waiting=0)
        assert window.size == window.in_flight == left
    window.end(waiting=0)
    assert window.size == 1


@pytest.mark.parametrize("throttled", [True, False])
def test_trouble_sets_it_back_to_one_and_what_began_before_does_not_widen_it(throttled: bool) -> None:
    window, now = wide()
    posts = [window.begin(now) for _ in range(32)]
    window.troubled(now=now + AWAY, throttled=throttled)
    window.end(waiting=400)
    for post in posts[1:]:
        assert window.is_echo(post)
        assert not window.has_room
        window.accepted(post, now=now + 2 * AWAY, waiting=400)
        window.end(waiting=400)
    assert window.size == 1
    fresh = window.begin(now + 1.0)
    assert not window.is_echo(fresh)
    window.accepted(fresh, now=now + 1.0 + AWAY, waiting=400)
    assert window.size == 2


def test_after_too_many_requests_it_becomes_half_as_wide_at_most() -> None:
    window, now = wide()
    window.troubled(now=now, throttled=True)
    for _ in range(10):
        now = round_trip(window, at=now + 1.0, waiting=400)
    assert window.size == 16
    window.troubled(now=now)
    for _ in range(10):
        now = round_trip(window, at=now + 1.0, waiting=400)
    assert window.size == 16


def test_too_many_requests_with_one_in_flight_say_nothing_about_the_width() -> None:
    window = SubmitWindow(least=1, most=32)
    window.troubled(now=0.0, throttled=True)
    now = 1.0
    for _ in range(10):
        now = round_trip(window, at=now, waiting=400)
    assert window.size == 32


STEPS = st.lists(st.sampled_from(["begin", "accept", "refuse", "trouble", "throttle", "job"]), max_size=200)


@given(steps=STEPS, waits=st.lists(st.integers(0, 500), min_size=200, max_size=200), fixed=st.booleans())
def test_whatever_happens_it_keeps_its_bounds(steps: list[str], waits: list[int], fixed: bool) -> None:
    window = SubmitWindow(least=4 if fixed else 1, most=4 if fixed else 32)
    in_flight: list[Post] = []
    for now, (step, waiting) in enumerate(zip(steps, waits, strict=False)):
        if step == "begin" and window.has_room:
            in_flight.append(window.begin(now))
        elif step == "job":
            window.job_ended(float(waiting))
        elif in_flight and step != "begin":
            post = in_flight.pop(0)
            if step == "accept":
                window.accepted(post, now=now, waiting=waiting)
            elif step != "refuse" and not window.is_echo(post):
                window.troubled(now=now, throttled=step == "throttle")
            window.end(waiting=waiting)
        assert window.in_flight == len(in_flight)
        assert window.size == 4 if fixed else 1 <= window.size <= 32


@pytest.mark.parametrize("delay", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("length", [60.0, 300.0])
@pytest.mark.parametrize("cap", [50, 400])
def test_three_waves_take_at_most_a_twentieth_longer_than_with_all_posts_at_once(
    delay: float, length: float, cap: int
) -> None:
    board = Board(delay, cap, length, 3 * cap)
    least = simulate(SubmitWindow(least=board.takes, most=board.takes), board)
    auto = simulate(SubmitWindow(least=1, most=widest(cap)), board)
    assert auto.makespan <= 1.06 * least.makespan
    assert auto.most <= widest(cap)
