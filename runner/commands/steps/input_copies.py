"""Gets the pictures that went into takes, a few at a time, for the thread that makes small copies of them.

Downloads run in threads of their own and only keep bytes in memory, so a session may end at any moment. A picture that
cannot be got is asked for once in a session and not reported: its link stays.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from runner.domain.input_pictures import input_pictures
from runner.domain.preview_names import input_name
from runner.system.daemon_executor import DaemonExecutor

Read: TypeAlias = Callable[[str], bytes]
"""Returns the bytes of a picture by its link, or raises."""

_AT_ONCE = 4


class InputCopies:
    """The input pictures of one session whose copies are missing; all but `notify` happens in one thread.

    `read` is called in other threads; with None no picture is asked for. `notify` hears from them of each end.
    """

    def __init__(self, run_dir: Path, read: Read | None, notify: Callable[[], None]) -> None:
        self._run_dir, self._read, self._notify = run_dir, read, notify
        self._seen: set[str] = set()
        self._wanted: deque[tuple[str, str]] = deque()
        self._open: dict[Future[bytes], str] = {}
        self._pool: DaemonExecutor | None = None

    @property
    def is_on(self) -> bool:
        """Whether pictures are asked for at all."""
        return self._read is not None

    @property
    def left(self) -> int:
        """How many pictures are still to come."""
        return len(self._wanted) + len(self._open)

    @property
    def is_ready(self) -> bool:
        """Whether one has come, or failed."""
        return any(future.done() for future in self._open)

    def note(self, body: str) -> None:
        """Ask for the pictures in a request body, as far as they have no copy and were not asked for before."""
        if self._read is None:
            return
        for _, link in input_pictures(json.loads(body)):
            name = input_name(link)
            if name not in self._seen:
                self._seen.add(name)
                if not (self._run_dir / name).is_file():
                    self._wanted.append((name, link))
        self._go_on(self._read)

    def take(self) -> tuple[Path, bytes] | None:
        """Return where the copy of a picture belongs, and its bytes; None if it failed or none has come."""
        done = next((future for future in self._open if future.done()), None)
        if done is None or self._read is None:
            return None
        name = self._open.pop(done)
        self._go_on(self._read)
        with suppress(Exception):
            return self._run_dir / name, done.result()
        return None

    def close(self) -> None:
        """Forget all of them; a download that is under way ends by itself."""
        self._read = None
        self._wanted.clear()
        self._open.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def _go_on(self, read: Read) -> None:
        # What has come waits in memory until it is taken, so it counts as well.
        while self._wanted and len(self._open) < _AT_ONCE:
            self._pool = self._pool or DaemonExecutor(_AT_ONCE, name="inputs")
            name, link = self._wanted.popleft()
            future = self._pool.submit(read, link)
            self._open[future] = name
            future.add_done_callback(lambda _: self._notify())
