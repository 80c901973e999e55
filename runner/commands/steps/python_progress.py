"""What a Python program gives as `progress`, and what a notebook shows where it gives nothing.

In: a function of one event, or one that makes a context manager. Out: a listener, and a `Progress`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self, TextIO, TypeAlias

from runner.commands.steps.request import Progress, no_progress
from runner.commands.steps.session import failure_words
from runner.domain.run_events import Event, Listener, RunEnded, RunStarted
from runner.system.clock import Clock

Follow: TypeAlias = Callable[[Event], object]
"""A function that gets each event of a run."""


class Follower:
    """Hands the events of a run to a Python program; it is entered before the run and left after it.

    The program's function gets each event. If it answers the first one, `RunStarted`, with a context manager, the
    value of that gets this event and all others. What the program raises is reported once as a `RuntimeWarning`, and
    then it gets no more events.
    """

    def __init__(self, follow: Follow | Progress) -> None:
        self._follow: Callable[[RunStarted], object] | Follow = follow
        self._listener: Listener | None = None
        self._opened = ExitStack()
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._guarded(self._opened.close)

    def on_event(self, event: Event) -> None:
        """Pass one event on."""
        if not self._is_over:
            self._guarded(lambda: self._pass_on(event))
        if isinstance(event, RunEnded):
            self._guarded(self._opened.close)

    def _pass_on(self, event: Event) -> None:
        if self._listener is None:
            # What makes a context manager is asked for it by the first event, and gets no other.
            made = self._follow(event)  # type: ignore[arg-type]
            if not (isinstance(event, RunStarted) and isinstance(made, AbstractContextManager)):
                return
            self._listener = self._opened.enter_context(made)
        self._listener.on_event(event)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a program's own function may raise anything
            self._is_over = True
            warnings.warn(failure_words(error), RuntimeWarning, stacklevel=2)


def usual_progress(
    modules: Mapping[str, object] | None = None, *, stream: TextIO | None = None, clock: Clock
) -> Progress:
    """Return what shows a run where the program does not say: in a notebook a bar, and elsewhere nothing.

    A notebook is known by `modules`, those that Python has loaded.
    """
    if not _in_notebook(sys.modules if modules is None else modules):
        return no_progress
    from runner.output.progress import make_progress

    return lambda started: make_progress("bar", stream=stream or sys.stdout, started=started, clock=clock)


def _in_notebook(modules: Mapping[str, object]) -> bool:
    """Return whether IPython runs this program; then it has been imported, so it need not be imported here."""
    get_ipython = getattr(modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and get_ipython() is not None
