"""An executor that turns to another one when the first cannot work, so that a lost cluster loses no task."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar

from runner.delivery.ports import ClusterLost, NotDoneThere

P = ParamSpec("P")
T = TypeVar("T")


class FallbackExecutor(Executor):
    """Gives calls to `first`, and those that are not done there to `second`; after `ClusterLost` all go to `second`.

    `say` hears why, once for each reason and from any thread. Both executors are shut down with this one.
    """

    def __init__(self, first: Executor, second: Executor, *, say: Callable[[str], None]) -> None:
        self._first, self._second = first, second
        self._say = say
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._is_lost = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` on one of the two; it may be called twice, and so must be safe to repeat."""
        call = partial(fn, *args, **kwargs)
        if self._is_lost:
            return self._second.submit(call)
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()

        def first_done(done: Future[T]) -> None:
            error = done.exception()
            if isinstance(error, NotDoneThere):
                self._turn(error)
                self._second.submit(call).add_done_callback(lambda again: _hand_on(again, answer))
            else:
                _hand_on(done, answer)

        self._first.submit(fn, *args, **kwargs).add_done_callback(first_done)
        return answer

    def _turn(self, error: NotDoneThere) -> None:
        with self._lock:
            self._is_lost |= isinstance(error, ClusterLost)
            is_new = str(error) not in self._said
            self._said.add(str(error))
        if is_new:
            what = "clips are delivered" if isinstance(error, ClusterLost) else "its clip is delivered"
            self._say(f"{error}; {what} by this machine instead")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of Executor
        """Shut both down."""
        for each in (self._first, self._second):
            each.shutdown(wait, cancel_futures=cancel_futures)


def _hand_on(done: Future[T], answer: Future[T]) -> None:
    error = done.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())
