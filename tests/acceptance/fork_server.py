"""Starts the command by a fork of a process that has everything imported: the start-up would be most of a short test.

In: arguments, a folder, an environment and three descriptors. Out: a process of its own, in a session of its own, that
ends as the installed command does. Python reads some variables only when it starts, so `forks_alike` says for which
environments a fork is as good as the command itself; a few tests start the command to prove that.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

import runner

ENVIRONMENT = {"LANG": "C.UTF-8"}
_PLAIN = ("PATH", "HOME", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
_OURS = ("RUNCOMFY_", "SHOTRUNNER_", "XDG_")
_LIBRARIES = ("jsonschema", "pandas", "starlette.applications", "tqdm", "uvicorn")
_COVERAGE = ("COVERAGE_PROCESS_CONFIG",)
_REQUEST_BYTES = 1 << 20


def forks_alike(environment: Mapping[str, str]) -> bool:
    """Return whether no variable would change how Python itself starts."""
    return environment.get("LANG") == ENVIRONMENT["LANG"] and all(
        name in _PLAIN or name == "LANG" or name.startswith(_OURS) for name in environment
    )


class Forked:
    """A forked command, with what the tests use of `subprocess.Popen`; `status` gives its pid and its exit code."""

    def __init__(self, status: IO[str]) -> None:
        self._status = status
        self._lock = threading.Lock()
        self.pid = int(status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                self.returncode = int(self._status.readline() or -signal.SIGKILL)
                self._status.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """End it with SIGTERM."""
        self.send_signal(signal.SIGTERM)


def start(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: int, stdout: int, stderr: int
) -> Forked:
    """Start the command with these `arguments`; the descriptors stay the caller's."""
    status, theirs = os.pipe()
    request = json.dumps({"arguments": [*arguments], "cwd": os.fspath(cwd), "env": {**env}}).encode()
    server, lock = _server()
    try:
        with lock:
            socket.send_fds(server, [request], [stdin, stdout, stderr, theirs])
    finally:
        os.close(theirs)
    return Forked(os.fdopen(status))


@cache
def _server() -> tuple[socket.socket, threading.Lock]:
    """Return the socket of this process's server; it ends when the socket closes, with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            env={name: os.environ[name] for name in ("PATH", *_COVERAGE) if name in os.environ} | ENVIRONMENT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
    atexit.register(_stop, server, ours)
    return ours, threading.Lock()


def _stop(server: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    server.wait()


def _serve(requests: socket.socket) -> None:
    """Fork for each request and report each end, until the other side closes."""
    wake, alarm = socket.socketpair()
    alarm.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(alarm.fileno())
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests, wake], [], [])
        if wake in ready:
            wake.recv(4096)
            _report(running)
        if requests in ready:
            request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
            if not request:
                return
            pid = os.fork()
            if pid == 0:
                for each in (requests, wake, alarm):
                    # Or the command would close what has the same number then.
                    os.close(each.detach())
                _become(json.loads(request), descriptors[:3])
            os.write(descriptors[3], b"%d\n" % pid)
            for descriptor in descriptors[:3]:
                os.close(descriptor)
            running[pid] = descriptors[3]


def _report(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid in running:
            os.write(running[pid], b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(running.pop(pid))


def _become(request: dict[str, object], descriptors: Sequence[int]) -> None:
    """Turn this fork into the command."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, max(descriptors) + 64)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    sys.argv = ["shotrunner", *request["arguments"]]  # type: ignore[misc]
    at_terminal = os.isatty(1)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.stdout = open(1, "w", 1 if at_terminal else -1, "utf-8", "surrogateescape")  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace")  # noqa: SIM115
    importlib.import_module("runner.__main__").main()


def main(descriptor: int) -> None:
    """Import all there is, then serve the socket with this descriptor."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in (
        *_LIBRARIES,
        *(module.name for module in pkgutil.walk_packages(runner.__path__, "runner.")),
    ):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as requests:
        _serve(requests)


if __name__ == "__main__":
    main(int(sys.argv[1]))
