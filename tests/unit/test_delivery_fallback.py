"""What a cluster does not do, this machine does: once each, with one word about it."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from types import SimpleNamespace
from typing import Any

import pytest

from runner.delivery.dask_executor import DaskExecutor, WorkerFacts, call_key, mismatch
from runner.delivery.fallback import FallbackExecutor
from runner.delivery.ports import ClusterLost, NotDoneThere


class Scripted(Executor):
    """Calls at once, or raises what the script says for the next calls."""

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.calls = 0
        self.is_shut = False

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        self.calls += 1
        future: Future[Any] = Future()
        if self.script:
            future.set_exception(self.script.pop(0))
            return future
        try:
            future.set_result(fn(*args, **kwargs))
        except ZeroDivisionError as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT002
        self.is_shut = True


def test_what_is_in_flight_when_a_cluster_is_lost_is_done_here_and_so_is_the_rest() -> None:
    said: list[str] = []
    far, near = Scripted(*[ClusterLost("the Dask scheduler is lost")] * 2), Scripted()
    executor = FallbackExecutor(far, near, say=said.append)
    assert [executor.submit(abs, -number).result() for number in range(4)] == [0, 1, 2, 3]
    assert (far.calls, near.calls) == (1, 4)
    assert said == ["the Dask scheduler is lost; clips are delivered by this machine instead"]


def test_one_task_that_was_not_done_there_concerns_no_other() -> None:
    said: list[str] = []
    far, near = Scripted(NotDoneThere("late"), NotDoneThere("late")), Scripted()
    executor = FallbackExecutor(far, near, say=said.append)
    assert [executor.submit(abs, -number).result() for number in range(4)] == [0, 1, 2, 3]
    assert (far.calls, near.calls) == (4, 2)
    assert said == ["late; its clip is delivered by this machine instead"]


def test_what_a_call_raises_is_its_own() -> None:
    far, near = Scripted(), Scripted()
    executor = FallbackExecutor(far, near, say=lambda _: None)
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 1, 0).result()
    executor.shutdown()
    assert near.calls == 0
    assert far.is_shut
    assert near.is_shut


class Unanswering:
    """Stands for a client whose cluster has no worker, and whose futures are never done."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.loop = SimpleNamespace(add_callback=lambda *_: None)
        self.closed = 0

    def scheduler_info(self, **_: object) -> dict[str, int]:
        return {"n_workers": 0, "total_threads": 0}

    def submit(self, *_: object, **__: object) -> object:
        return SimpleNamespace(cancel=lambda: None)

    def close(self, **_: object) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("status", "no_worker_s", "limit_s", "error", "said"),
    [
        ("closed", 60, 60, ClusterLost, "the Dask scheduler is lost"),
        ("running", 0, 60, ClusterLost, "had no worker"),
        ("running", 60, 0, NotDoneThere, "did not answer"),
    ],
    ids=["scheduler", "workers", "a slow node"],
)
def test_a_cluster_that_does_not_answer_gives_its_calls_back(
    status: str, no_worker_s: float, limit_s: float, error: type[Exception], said: str
) -> None:
    client = Unanswering(status)
    executor = DaskExecutor(client, key_of=str, limit_s=limit_s, no_worker_s=no_worker_s, check_s=0.001)
    with pytest.raises(error, match=said):
        executor.submit(abs, -1).result(timeout=20)
    executor.shutdown(wait=False)
    assert client.closed == 1


def test_calls_with_the_same_key_are_one_as_long_as_it_goes_on() -> None:
    executor = DaskExecutor(Unanswering("running"), key_of=str, limit_s=0, no_worker_s=60, check_s=0.001)
    twins = [executor.submit(abs, -1) for _ in range(2)]
    for twin in twins:
        with pytest.raises(NotDoneThere):
            twin.result(timeout=20)
    executor.shutdown(wait=False)


def test_workers_with_other_versions_are_named() -> None:
    here = WorkerFacts("3.11", "2026.8.0", "0.1.0")
    there = WorkerFacts("3.12", "2026.8.0", "0.1.0")
    assert mismatch(here, {"tcp://a": here}) == ""
    assert mismatch(here, {"tcp://a": here, "tcp://b": there}) == (
        "the worker tcp://b has Python 3.12, and this machine has 3.11"
    )
    assert "cannot load Shotrunner 0.1.0" in mismatch(here, {"tcp://a": ModuleNotFoundError("runner")})


def test_a_key_shows_its_take_and_differs_by_each_part() -> None:
    keys = {call_key(parts) for parts in (("s010", "r"), ("s010", "q"), ("s010@x=ü", "r"), ("s010r", ""))}
    assert len(keys) == 4
    assert all(key.startswith("clip-s010") and key.isascii() for key in keys)
