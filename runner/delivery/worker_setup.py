"""What Dask calls in each worker process of this machine, before its first task."""

from __future__ import annotations

import os
import signal


def dask_setup(_worker: object) -> None:
    """Leave Ctrl-C and the terminal to the run, which decides what becomes of its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
