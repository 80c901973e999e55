"""Fakes for tests here and elsewhere: an API with a script, a journal and a downloader in memory, virtual time.

They fit the engine's Protocols and pass the same conformance tests as the real adapters. Nothing here really sleeps:
`run_virtual` runs a coroutine on an event loop whose clock jumps to the next timer when everything waits.
"""

from __future__ import annotations

from runner.engine.testing.delivery import MemoryDelivery
from runner.engine.testing.journal import FailNth, MemoryJournal, Recorder, done, failed
from runner.engine.testing.queue import JobScript, ScriptedQueue
from runner.engine.testing.virtual_time import VirtualClock, VirtualLoop, run_virtual

__all__ = [
    "FailNth",
    "JobScript",
    "MemoryDelivery",
    "MemoryJournal",
    "Recorder",
    "ScriptedQueue",
    "VirtualClock",
    "VirtualLoop",
    "done",
    "failed",
    "run_virtual",
]
