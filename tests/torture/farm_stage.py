"""What a farm has beside the runner, as processes that can be killed: an S3 server, a Dask scheduler, and workers.

In: a folder and a tree of the program. Out: an environment, an address, and blows: a worker is killed every few seconds
and replaced, the S3 server is killed and started again on its port with what it had.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.outside.s3_disk import Disk, Object
from tests.outside.s3_server import BUCKET, KEY_ID, SECRET
from tests.torture.life import environment

OUT = f"s3://{BUCKET}/night"
_FOLDER = "night/"


class Farm:
    """Use it in a `with` statement; `workers` processes deliver, and `killed` counts those that were killed."""

    def __init__(self, folder: Path, *, tree: Path, workers: int = 2, kill_every: float = 10.0) -> None:
        self.killed = 0
        self._folder = folder
        self._tree = tree
        self._kill_every = kill_every
        self._number = workers
        self._s3_port, self._scheduler_port = _free_port(), _free_port()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self._reaper = threading.Thread(target=self._reap)

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return f"tcp://127.0.0.1:{self._scheduler_port}"

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that lead to the store."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._s3_port}",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._s3 = self._serve()
        port = ["--port", str(self._scheduler_port)]
        self._scheduler = self._dask("dask_scheduler", "--host", "127.0.0.1", *port, "--no-dashboard")
        self._workers = [self._worker() for _ in range(self._number)]
        self._reaper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_killing()
        for process in (*self._workers, self._scheduler, self._s3):
            process.kill()
            process.wait()

    def restart_store(self, *, away: float) -> None:
        """Kill the S3 server, and start it again after so many seconds with the objects that it had."""
        self._s3.kill()
        self._s3.wait()
        time.sleep(away)
        self._s3 = self._serve()

    def stop_killing(self) -> None:
        """Leave the workers alone from now on."""
        self._over.set()
        if self._reaper.is_alive():
            self._reaper.join()

    def objects(self) -> Mapping[str, Object]:
        """Return what the store has of the run, by the name within its folder, as the disk holds it now."""
        kept = Disk(self._folder / "store").objects(BUCKET)
        return {key.removeprefix(_FOLDER): each for key, each in kept.items() if key.startswith(_FOLDER)}

    def _reap(self) -> None:
        turn = 0
        while not self._over.wait(self._kill_every):
            victim = self._workers[turn % self._number]
            victim.kill()
            victim.wait()
            self._workers[turn % self._number] = self._worker()
            self.killed, turn = self.killed + 1, turn + 1

    def _serve(self) -> subprocess.Popen[bytes]:
        words = ["tests.outside.s3_server", str(self._folder / "store"), "--port", str(self._s3_port)]
        process = self._start(words, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"] == self._s3_port
        return process

    def _worker(self) -> subprocess.Popen[bytes]:
        scratch = ["--local-directory", str(self._folder / "scratch")]
        flags = ["--host", "127.0.0.1", "--no-nanny", "--nthreads", "4", "--no-dashboard", *scratch]
        return self._dask("dask_worker", self.address, *flags)

    def _dask(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        return self._start([f"distributed.cli.{program}", *words], stdout=subprocess.DEVNULL)

    def _start(self, words: Sequence[str], *, stdout: int) -> subprocess.Popen[bytes]:
        """Start a module in a process with the store's credentials and without the token."""
        with (self._folder / "words").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=self._folder,
                env=environment(PYTHONPATH=str(self._tree), HOME=str(self._folder), **self.environ),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
            )


def _free_port() -> int:
    """Return a port that is free now, for what must listen on the same one again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
