"""Looks into clips for the rest of the program: by a worker process, or by their headers where PyAV is not installed.

Both answer the same questions. A clip that crashes or hangs the worker is not readable; a new worker goes on with the
next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from runner.video.header import header_probe
from runner.video.judge import Look
from runner.video.kinds import NotReadable

DEADLINE_S = 120
_START_S = 60
_MOST_ANSWER = 2**20
_WORKER = "runner.video.worker"
# A loader needs it where libraries lie in unusual places; nothing else of the environment is passed on.
_PASSED_ON = ("LD_LIBRARY_PATH",)


class NoDecoder(Exception):
    """The worker cannot be started at all, which says nothing about a clip."""


class Inspector(Protocol):
    """What looks into clips; it is used by one thread."""

    @property
    def decodes(self) -> bool:
        """Whether it decodes pictures, or reads headers alone."""
        ...

    def look(self, path: Path) -> Look:
        """Return what a clip is like; raises `NotReadable`, and `NoDecoder` where it cannot begin."""
        ...

    def make_previews(self, path: Path, run_dir: Path, sha256: str) -> None:
        """Make the previews of a clip that are missing; raises as `look`."""
        ...

    def make_copy(self, path: Path, target: Path) -> None:
        """Make a small copy of a picture as a JPEG at `target`, unless one is there; raises as `look`."""
        ...

    def stop(self) -> None:
        """End what it does at once, and do nothing more; called from any thread."""
        ...

    def close(self) -> None:
        """Give everything back; called by the thread that used it."""
        ...


def can_decode() -> bool:
    """Return whether the [video] extra is installed."""
    return all(find_spec(name) is not None for name in ("av", "PIL"))


def make_inspector() -> Inspector:
    """Return the inspector that this installation is capable of."""
    return ClipInspector() if can_decode() else HeaderInspector()


class HeaderInspector:
    """Reads the containers' own headers."""

    decodes = False

    def look(self, path: Path) -> Look:
        """Return what the header says."""
        return Look(header_probe(path))

    def make_previews(self, path: Path, run_dir: Path, sha256: str) -> None:
        """Make none."""

    def make_copy(self, path: Path, target: Path) -> None:
        """Make none."""

    def stop(self) -> None:
        """Do nothing, since nothing takes long."""

    def close(self) -> None:
        """Do nothing."""


class ClipInspector:
    """Decodes in a worker process, which is started at its first use and again after each crash.

    `deadline_s` is how many seconds one request may take; `command` is the worker's command line.
    """

    decodes = True

    def __init__(self, *, deadline_s: float = DEADLINE_S, command: Sequence[str] = ()) -> None:
        # -P: a folder called `runner` in the user's own folder is not this program.
        self._command = tuple(command) or (sys.executable, "-P", "-m", _WORKER)
        self._deadline_s = deadline_s
        self._worker: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._is_closed = False

    def look(self, path: Path) -> Look:
        """Return what the worker measured."""
        answer = self._ask({"path": str(path.absolute())})
        try:
            return Look.from_values(answer["look"])
        except (KeyError, TypeError, AttributeError) as error:
            raise NotReadable("the decoder gave an answer that makes no sense") from error

    def make_previews(self, path: Path, run_dir: Path, sha256: str) -> None:
        """Let the worker make them."""
        self._ask({"path": str(path.absolute()), "run_dir": str(run_dir.absolute()), "sha256": sha256})

    def make_copy(self, path: Path, target: Path) -> None:
        """Let the worker make it."""
        self._ask({"path": str(path.absolute()), "copy": str(target.absolute())})

    def stop(self) -> None:
        """Kill the worker; the thread that waits for it sees its end, and closes its pipes."""
        self._is_closed = True
        if (worker := self._worker) is not None:
            worker.kill()

    def close(self) -> None:
        """Kill the worker, and close its pipes."""
        self._is_closed = True
        self._kill()

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, Any]:
        # A worker may also die of what another program did to it, so a crash counts if it comes twice.
        for is_last in (False, True):
            worker = self._started()
            try:
                answer = self._answer(worker, request)
            except TimeoutError as error:
                self._kill()
                raise NotReadable(f"not decoded within {self._deadline_s:g} s") from error
            except (OSError, ValueError, EOFError) as error:
                self._kill()
                if is_last and not self._is_closed:
                    raise NotReadable("the decoder crashed on it") from error
                continue
            if "unreadable" in answer:
                raise NotReadable(str(answer["unreadable"]))
            return answer
        raise NoDecoder("it was closed")

    def _answer(self, worker: subprocess.Popen[bytes], request: Mapping[str, object]) -> Mapping[str, Any]:
        assert worker.stdin is not None
        # Its own alarm comes later: it is for a worker whose parent is gone.
        line = json.dumps({**request, "deadline_s": int(self._deadline_s) + 5})
        worker.stdin.write(line.encode() + b"\n")
        worker.stdin.flush()
        return self._read(worker, self._deadline_s)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._is_closed:
            raise NoDecoder("it was closed")
        if self._worker is None:
            self._rest = b""
            try:
                self._worker = _begin(self._command)
                self._read(self._worker, _START_S)
            except (OSError, ValueError, EOFError) as error:
                self._kill()
                raise NoDecoder(f"the decoder cannot be started: {error}") from error
        return self._worker

    def _read(self, worker: subprocess.Popen[bytes], seconds: float) -> Mapping[str, Any]:
        """Return the next line of the worker.

        Raises:
            TimeoutError: it did not come in time.
            EOFError: the worker ended.
            ValueError: it is not JSON, or has no end.
        """
        assert worker.stdout is not None
        until, waiting = time.monotonic() + seconds, select.poll()
        waiting.register(worker.stdout, select.POLLIN)
        while b"\n" not in self._rest:
            if not waiting.poll(max(until - time.monotonic(), 0) * 1000):
                raise TimeoutError
            data = os.read(worker.stdout.fileno(), 65536)
            if not data:
                raise EOFError
            self._rest += data
            if len(self._rest) > _MOST_ANSWER:
                raise ValueError("an endless answer")
        line, _, self._rest = self._rest.partition(b"\n")
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - one class for all that is not an answer
        return found

    def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def _begin(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a worker that sees this program's modules, and nothing else of its environment."""
    places = (str(Path(__file__).parents[2]), *(str(Path(each).absolute()) for each in sys.path if each))
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(places), "LC_ALL": "C.UTF-8", **passed},
        cwd="/",
        # Ctrl-C at the terminal is for the run, which decides what becomes of its worker.
        start_new_session=True,
    )
