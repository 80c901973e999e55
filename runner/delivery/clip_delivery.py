"""The engine's `Delivery`: an executor runs each ticket's task, and what was found is handed on first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future

from runner.delivery.looks import Found
from runner.delivery.ports import TaskKilled
from runner.delivery.task import DeliveryTask, Outcome, deliver
from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.shots import Ticket


class ClipDelivery:
    """Delivers through an executor, which the caller owns and closes; `note` hears of each look, from any thread."""

    def __init__(
        self, executor: Executor, task: DeliveryTask, *, note: Callable[[Found], None] = lambda _: None
    ) -> None:
        self._executor = executor
        self._task = task
        self._note = note

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        """Deliver the ticket's outputs, each whole or not at all.

        The future raises `DiskFailed` if the disk is full or fails, `StoreRefused` if the store refuses, and nothing
        else for what a server or a worker does.
        """
        answer: Future[FetchAnswer] = Future()
        # One who stops waiting does not stop the download, which another try would only repeat.
        answer.set_running_or_notify_cancel()

        def settle(done: Future[Outcome]) -> None:
            error = done.exception()
            if isinstance(error, TaskKilled):
                answer.set_result(FetchTrouble(str(error), permanent=True))
            elif error is not None:
                answer.set_exception(error)
            else:
                outcome = done.result()
                if outcome.found is not None:
                    self._note(outcome.found)
                answer.set_result(outcome.answer)

        self._executor.submit(deliver, ticket, self._task).add_done_callback(settle)
        return answer
