"""One life of the command: a process of its own whose words go to files, with what the program left when it ended.

In: a command line, a folder, an environment, perhaps pipes instead of the files. Out: an exit code and the files. It
knows nothing of what a run does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 60.0
KILLED = -signal.SIGKILL
HUNG = 124


class Life:
    """A process from its start to its end; `out` and `err` are files, `code` is None while it lives.

    `seen_command` is its command line as others could see it when a wait for something was over.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        words: Path,
        pipes: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self.out, self.err = words.with_suffix(".out"), words.with_suffix(".err")
        self.began = time.monotonic()
        self.seen_command = b""
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._popen = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=pipes[0] or out,
                stderr=pipes[1] or err,
                # A group of its own, and our session: in an orphaned group a SIGTSTP would do nothing.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """The exit code, -9 after a SIGKILL, None while it lives."""
        return self._popen.poll()

    @property
    def killed(self) -> bool:
        """True if SIGKILL ended it."""
        return self.code == KILLED

    def words(self) -> str:
        """Return everything it has said to a person."""
        return self.err.read_text("utf-8", "replace")

    def said(self) -> str:
        """Return the end of its words, on one line, for a message."""
        return " / ".join(self.words().splitlines()[-4:])[-600:]

    def send(self, number: int) -> None:
        """Send a signal, if it still lives."""
        self._popen.send_signal(number)

    def wait_until(self, met: Callable[[], bool], *, within: float = PATIENCE) -> bool:
        """Wait until `met` is true; False if it ended or took too long before."""
        end = time.monotonic() + within
        while self.code is None and time.monotonic() < end:
            if met():
                self.seen_command = self.command_line()
                return True
            time.sleep(0.002)
        return False

    def end(self, *, within: float = PATIENCE) -> int:
        """Wait for its end and return the exit code; a life that hangs is killed and counts as `HUNG`."""
        # Not Popen.wait: with a time-out it sleeps in steps of up to 50 ms, and a campaign has thousands of lives.
        end = time.monotonic() + within
        while (code := self.code) is None:
            if time.monotonic() > end:
                self.kill()
                return HUNG
            time.sleep(0.002)
        return code

    def kill(self) -> None:
        """End it with SIGKILL, which no program can prepare for."""
        self._popen.kill()
        self._popen.wait()

    def sleeping(self) -> bool:
        """Return whether one of its threads is in a plain sleep, as a failpoint's is; waits for a lock are none."""
        try:
            return any(
                (task / "wchan").read_text() == "hrtimer_nanosleep"
                for task in Path(f"/proc/{self.pid}/task").iterdir()
            )
        except OSError:
            return False

    def over(self) -> bool:
        """Return whether it has ended, and leave it to the kernel, so that `unhindered` can still be asked."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def unhindered(self) -> float:
        """Return the seconds of its life in which it was not waiting for a processor; ask before its `code`.

        Many processes on few processors wait for those, and not for anything that the product does.
        """
        waited = int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9
        return time.monotonic() - self.began - waited

    def command_line(self) -> bytes:
        """Return its command line as every other process can see it."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return b""


def environment(**values: str) -> dict[str, str]:
    """Return what a login gives, and `values`; nothing else of ours may reach the product."""
    plain = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return {name: value for name, value in {**plain, **values}.items() if value}
