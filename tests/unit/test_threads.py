"""Threads that nobody waits for still keep the contract of an executor."""

from __future__ import annotations

import threading

import pytest

from runner.system.daemon_executor import DaemonExecutor


def test_calls_run_and_give_their_results_or_their_errors() -> None:
    pool = DaemonExecutor(2, name="t")
    assert pool.submit(divmod, 7, 2).result(5) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 7, 0).result(5)
    pool.shutdown()


def test_a_call_that_was_cancelled_before_its_turn_never_runs() -> None:
    gate, ran = threading.Event(), list[int]()
    pool = DaemonExecutor(1, name="t")
    first = pool.submit(gate.wait, 5)
    second = pool.submit(ran.append, 1)
    assert second.cancel()
    gate.set()
    assert first.result(5)
    pool.shutdown()
    assert ran == []


def test_its_threads_hold_up_nobody() -> None:
    pool = DaemonExecutor(1, name="passing")
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "passing")
    pool.shutdown()
