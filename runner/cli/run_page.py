"""`--open`: starts `watch` beside a run when its session begins, and reports the address.

The page is served by a process of its own, which outlives the run. Nothing that goes wrong with it concerns the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.commands.steps.request import Progress, RunRequest
from runner.domain.run_events import Event, Listener, Message, RunStarted


def with_page(request: RunRequest, arguments: Namespace) -> RunRequest:
    """Return the request of a run that opens its page, if the flag asks for that."""
    return replace(request, progress=opening(request.progress)) if arguments.open else request


def start_page(run_dir: Path, say: Callable[[str], None]) -> None:
    """Start the page's process, and `say` what it prints: its address, or nothing if it cannot serve."""
    from runner.notify.program import environment

    # -P: a folder called `runner` in the user's own folder is not this program.
    program = (sys.executable, "-P", "-m", "runner")
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program, by our own interpreter
            (*program, "watch", str(run_dir.absolute()), "--open", "--until-closed"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(os.environ),
            start_new_session=True,
        )
    except OSError as error:
        say(f"the page cannot be opened: {error.strerror}")
        return
    threading.Thread(target=_report, args=(process, say), daemon=True).start()


def _report(process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        address = output.readline().decode("utf-8", "replace").strip()
    say(f"the page is at {address}" if address else "the page cannot be opened; see shotrunner watch")
    # A page that is closed during the run would stay a zombie until the run ends.
    process.wait()


def opening(
    progress: Progress, *, start: Callable[[Path, Callable[[str], None]], None] = start_page
) -> Progress:
    """Return progress that starts the page as well: once, since each reload shows the progress of another session."""
    announcing = _Announcing()

    @contextmanager
    def shown(started: RunStarted) -> Iterator[Listener]:
        with progress(started) as listener:
            announcing.listener = listener
            if not announcing.has_begun:
                announcing.has_begun = True
                start(started.run_dir, announcing.say)
            try:
                yield announcing
            finally:
                announcing.end()

    return shown


@dataclass(slots=True)
class _Announcing:
    """Passes events on, and reports the address between two of them, from the thread that waits for it."""

    listener: Listener | None = None
    has_begun: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_event(self, event: Event) -> None:
        """Pass an event on."""
        with self._lock:
            if self.listener is not None:
                self.listener.on_event(event)

    def say(self, text: str) -> None:
        """Show a message."""
        self.on_event(Message(text))

    def end(self) -> None:
        """Pass nothing more on."""
        with self._lock:
            self.listener = None
