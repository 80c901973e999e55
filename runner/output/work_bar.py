"""A bar for work of known length outside a run, such as the seconds of film to join; only on a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from runner.domain.errors import UsageError
from runner.output.safe_stream import Canvas, SafeStream


@contextmanager
def seconds_bar(stream: TextIO) -> Iterator[Callable[[float, float], None]]:
    """Yield a function that is given the seconds that are done, and those there are; it draws nothing on a pipe.

    Raises:
        UsageError: a variable that begins with TQDM_ has a value that tqdm cannot use.
    """
    outlet = SafeStream.over(stream)
    if not outlet.isatty():
        yield lambda _done, _of: None
        return
    try:
        from tqdm import tqdm
    except ValueError as error:
        raise UsageError(f"the bar cannot be drawn: {error}", advice="unset TQDM_ variables") from error
    # A thread lock is enough: tqdm's default one makes a semaphore for other processes.
    tqdm.set_lock(threading.RLock())
    with tqdm(
        total=0.0,
        file=Canvas.over(outlet),
        ascii=not outlet.speaks_unicode,
        leave=False,
        mininterval=0.1,
        bar_format="{n:.0f}/{total:.0f} s of film |{bar:16}| {elapsed}<{remaining}",
    ) as bar:

        def on_progress(done: float, of: float) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield on_progress
