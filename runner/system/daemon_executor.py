"""A pool of threads that nobody has to wait for: a process may end while they are still at work.

The standard pool's threads hold up the end of the process, so a person who asked to leave would wait for a download
of minutes. What runs here must survive being cut off anywhere, as the downloads do. It knows nothing of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonExecutor(Executor):
    """Runs calls on up to `count` daemon threads."""

    def __init__(self, count: int, *, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` on one of the threads."""
        future: Future[T] = Future()

        def call() -> None:
            if future.set_running_or_notify_cancel():
                _fulfil(future, lambda: fn(*args, **kwargs))

        self._work.put(call)
        return future

    def _run(self) -> None:
        while (call := self._work.get()) is not None:
            call()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - the signature of Executor
        """Let the threads end after what they are doing."""
        for _ in self._threads:
            self._work.put(None)
        if wait:
            for thread in self._threads:
                thread.join()


def _fulfil(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is handed on to whoever waits for the future
        future.set_exception(error)
    else:
        future.set_result(result)
