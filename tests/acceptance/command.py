"""Runs the installed command as a user does: a process of its own, a folder, a clean environment, pipes or a terminal.

In: arguments. Out: what it printed, its exit code, how long it took. It knows nothing of what a command means.
"""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.cli.json_output import wants_json
from tests.acceptance import fork_server
from tests.acceptance.fork_server import Forked, forks_alike
from tests.json_documents import checked_document

PATIENCE = 120.0


def command() -> tuple[str, ...]:
    """Return the console script beside the interpreter, or the module where nothing was installed there."""
    script = Path(sys.executable).with_name("shotrunner")
    return (str(script),) if script.exists() else (sys.executable, "-m", "runner")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left on the screen; `seconds` is wall time from its start to its end."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def last_line(self) -> str:
        """The last line of what it said to a person."""
        return self.err.rstrip("\n").rpartition("\n")[2]

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.2f} s\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Process:
    """A command that is going on; its output is read all the while, so that no pipe fills.

    `out` and `err` are descriptors to read from; with a terminal, where both are one, there is only `err`.
    """

    def __init__(self, popen: subprocess.Popen[bytes] | Forked, *, out: int | None, err: int) -> None:
        self.popen = popen
        self._began = time.monotonic()
        self._keyboard = err
        self._said: dict[str, list[bytes]] = {"out": [], "err": []}
        self._open = {
            name: descriptor for name, descriptor in (("out", out), ("err", err)) if descriptor is not None
        }
        self._readers = [
            threading.Thread(target=_drain, args=(descriptor, self._said[name]), daemon=True)
            for name, descriptor in self._open.items()
        ]
        for reader in self._readers:
            reader.start()

    @property
    def err(self) -> str:
        """What it has said to a person so far."""
        return b"".join(self._said["err"]).decode("utf-8", "replace")

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return b"".join(self._said["out"]).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        """Type at its terminal."""
        os.write(self._keyboard, text.encode())

    def wait_until(self, met: Callable[[Process], bool], *, within: float = PATIENCE) -> None:
        """Return as soon as `met` is true; fails if the process ends first or it takes too long."""
        end = time.monotonic() + within
        while not met(self):
            assert self.popen.poll() is None, f"it ended too early\n{self.end()}"
            assert time.monotonic() < end, f"not met within {within} s\n{self.out}\n{self.err}"
            time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.popen.send_signal(number)

    def end(self, *, within: float = PATIENCE) -> Outcome:
        """Wait for its end and return what it left."""
        try:
            code = self.popen.wait(within)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise
        seconds = time.monotonic() - self._began
        for reader in self._readers:
            reader.join(10)
        for descriptor in self._open.values():
            os.close(descriptor)
        return Outcome(code, self.out, self.err, seconds)

    def kill(self) -> Outcome:
        """End it with SIGKILL, which no program can prepare for."""
        self.popen.kill()
        return self.end()


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a user sits: the folder the command is called in and the environment it sees, which has no token.

    The installed command itself is started where `is_installed`, or where another one or Python's own variables ask
    for it; else a fork of a process that has imported it.
    """

    folder: Path
    environment: Mapping[str, str]
    program: Sequence[str] = field(default_factory=command)
    is_installed: bool = False

    def with_environment(self, **values: str) -> Desk:
        """Return the same desk with more variables; an empty value takes one away."""
        merged = {**self.environment, **values}
        return replace(self, environment={name: text for name, text in merged.items() if text})

    def start(self, *arguments: object) -> Process:
        """Start the command in pipes, with nobody at its standard input."""
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with Path(os.devnull).open("rb") as nobody:
            popen = self._popen(arguments, nobody.fileno(), out_end, err_end)
        os.close(out_end)
        os.close(err_end)
        return Process(popen, out=out, err=err)

    def start_at_terminal(self, *arguments: object) -> Process:
        """Start the command at a terminal of its own: what it prints and what it says come as one text, `err`."""
        ours, theirs = pty.openpty()
        here = self.with_environment(TERM="xterm", COLUMNS="120", LINES="40")
        popen = here._popen(arguments, theirs, theirs, theirs)
        os.close(theirs)
        return Process(popen, out=None, err=ours)

    def _popen(
        self, arguments: Sequence[object], inp: int, out: int, err: int
    ) -> subprocess.Popen[bytes] | Forked:
        words = [str(each) for each in arguments]
        if not self.is_installed and self.program == command() and forks_alike(self.environment):
            return fork_server.start(
                words, cwd=self.folder, env=self.environment, stdin=inp, stdout=out, stderr=err
            )
        return subprocess.Popen(
            [*self.program, *words],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=inp,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )

    def run(self, *arguments: object, code: int | None = 0, within: float = PATIENCE) -> Outcome:
        """Run the command to its end; it must exit with `code`, None for any, and never with a traceback.

        Where it is asked for JSON, its standard output must be as a schema describes it.
        """
        outcome = self.start(*arguments).end(within=within)
        assert code is None or outcome.code == code, f"{arguments} should exit with {code}\n{outcome}"
        assert "Traceback" not in outcome.err, outcome
        if wants_json([*map(str, arguments)]):
            checked_document(outcome.out)
        return outcome


def bound_by_modes(desk: Desk) -> Desk | None:
    """Return a desk whose commands permissions bind, as they do not bind root; None where that cannot be had."""
    if os.geteuid() != 0:
        return desk
    setpriv = shutil.which("setpriv")
    powers = "-dac_override,-dac_read_search,-fowner"
    flags = (f"--bounding-set={powers}", f"--inh-caps={powers}")
    return Desk(desk.folder, desk.environment, (setpriv, *flags, *desk.program)) if setpriv else None


def new_desk(home: Path) -> Desk:
    """Return a desk in an empty folder, with only what a login gives in its environment, and no token.

    Its runs look into no clip, and the simulator draws small ones: few tests are about either, and both cost more than
    all else that they do.
    """
    folder, own = home / "work", home / "home"
    folder.mkdir()
    own.mkdir()
    login = {"PATH": os.environ["PATH"], "HOME": str(own), "LANG": "C.UTF-8"}
    return Desk(folder, {**login, "SHOTRUNNER_NO_INSPECT": "1", "SHOTRUNNER_SMALL_CLIPS": "1"})


def _drain(descriptor: int, into: list[bytes]) -> None:
    """Read to the end, which a terminal on Linux tells as an error."""
    with suppress(OSError):
        while block := os.read(descriptor, 65536):
            into.append(block)
