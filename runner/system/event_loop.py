"""The event loop of a session: uvloop's where it is installed, which is the extra `speed`."""

from __future__ import annotations

import asyncio
import resource

_LEAST_FILES = 256


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop; asyncio's own does the same work for more processor time."""
    if not _has_room():
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _has_room() -> bool:
    """Return whether this process may open many files and use all memory: uvloop aborts where it lacks either.

    asyncio raises an error instead, which is reported.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    memory, _ = resource.getrlimit(resource.RLIMIT_AS)
    has_files = files == resource.RLIM_INFINITY or files >= _LEAST_FILES
    return has_files and memory == resource.RLIM_INFINITY
