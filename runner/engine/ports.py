"""What the engine needs from outside, as narrow Protocols.

The API adapter, the state file and the downloader fit these shapes without knowing this module, and so do the fakes of
`runner.engine.testing`. Long work returns a standard `concurrent.futures.Future`, so neither a store thread nor a Dask
cluster needs to know asyncio.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol, TypeAlias

from runner.domain import api_answers as answers
from runner.domain.shots import Ticket
from runner.domain.states import Fact

Begin: TypeAlias = Callable[[], Awaitable[None]]
"""The queue awaits this just before the first byte of a POST leaves; if it raises, nothing is sent."""

Announce: TypeAlias = Callable[[Ticket, str], AbstractAsyncContextManager[None]]
"""Is entered with a ticket and an attempt before a connection is made for its POST, and left with the answer.

Once it is entered, another machine that takes the run over knows of the attempt. If it raises, nothing is sent.
"""

FreeSpace: TypeAlias = Callable[[], int | None]
"""Returns how many bytes of clips still fit beside the reserve that stays free; None if that is not known."""


def unannounced(_ticket: Ticket, _attempt: str) -> AbstractAsyncContextManager[None]:
    """Announce nothing: the run's own folder is all that knows of it."""
    return nullcontext()


class Queue(Protocol):
    """The API: every answer and every failure comes back as a value, never as an exception."""

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> answers.SubmitAnswer:
        """Send the ticket's body once, after `begin` has returned; never send it a second time.

        An exception raised by `begin` is passed on, and nothing has been sent.
        """

    async def look(self, request_id: str) -> answers.LookAnswer:
        """Return the status of the job; this is free to repeat."""

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> answers.ResultAnswer:
        """Return the final record of a job of `model`, or that there is none yet; this is free to repeat.

        `sent` is the request body: a link in it is an input, not an output.
        """

    async def cancel(self, request_id: str) -> answers.CancelAnswer | answers.RequestFailure:
        """Ask for a cancel; the answer is the API's own word and proves nothing."""

    async def probe(self, model: str) -> answers.RequestFailure | None:
        """Ask a free question to learn whether the service answers; None means that it does.

        A failure of the kind `NO_HOST`, `UNTRUSTED` or `PROXY` says that this service was never reached since the queue
        was made, and cannot be before a person does something.
        """


class Journal(Protocol):
    """The state file: a fact is durable when its future is done."""

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Append `fact`, seen at wall time `at`, and move the take as the table says, in one transaction.

        The future raises `IllegalTransition` if the table forbids the move, and `DiskFailed` if the disk fails. It
        raises `RunInUse` if this is a `SubmissionStarted` and another runner has begun since. Nothing was recorded
        then, but an id that the disk did not take is kept for the next start, and the error names it.
        """


class Delivery(Protocol):
    """Downloads a clip; runs elsewhere and never raises for what a server does."""

    def fetch(self, ticket: Ticket) -> Future[answers.FetchAnswer]:
        """Download the ticket's first output to its final name, whole or not at all."""
