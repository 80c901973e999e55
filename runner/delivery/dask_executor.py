"""A standard executor over a Dask cluster: the only door to `distributed`.

In: functions of modules with picklable arguments. Out: futures of the standard library. A call may run twice, since a
worker may die, so it must be safe to repeat. It knows no clips: who makes it says what identifies a call.

All calls of the library are made in threads of this module, so no caller waits for a cluster.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

from runner.delivery.alone import run_alone, run_pickled
from runner.delivery.ports import ClusterLost, NotDoneThere
from runner.domain.errors import ExtraMissing, UsageError
from runner.domain.token_leaks import TOKEN_VARIABLES
from runner.system.daemon_executor import DaemonExecutor
from runner.system.version import __version__

P = ParamSpec("P")
T = TypeVar("T")

LOCAL_WORKERS, LOCAL_THREADS = 2, 8
"""The processes of a cluster on this machine, and the threads of each."""

CONNECT_S = 10.0
"""How long a cluster may take to answer when a run begins."""

_ALLOWED_FAILURES = 3
_CHECK_S = 2.0
_NO_WORKER_S = 60.0
_RESTART_S = 5.0
_CLOSE_S = 5.0
_OUR_SETUP = "runner.delivery.worker_setup"


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker says of itself; versions are empty for what is not installed."""

    python: str
    dask: str
    shotrunner: str


def worker_facts() -> WorkerFacts:
    """Return the facts of this process."""
    try:
        dask = version("distributed")
    except PackageNotFoundError:
        dask = ""
    return WorkerFacts(".".join(platform.python_version_tuple()[:2]), dask, __version__)


def mismatch(here: WorkerFacts, there: Mapping[str, WorkerFacts | BaseException]) -> str:
    """Return in what a worker differs from this machine, empty if nothing does; `there` has facts by address."""
    for address, facts in there.items():
        if isinstance(facts, BaseException):
            return f"the worker {address} cannot load Shotrunner {here.shotrunner} ({type(facts).__name__})"
        for name in ("shotrunner", "python", "dask"):
            ours, theirs = getattr(here, name), getattr(facts, name)
            if ours != theirs:
                return f"the worker {address} has {name.capitalize()} {theirs}, and this machine has {ours}"
    return ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call without a result yet; `since` is a monotonic time."""

    answer: Future[Any]
    call: bytes
    since: float


class DaskExecutor(Executor):
    """Runs calls on the workers of `client`, a client of `distributed`, which it closes together with `cluster`.

    `key_of` gets the arguments of a call and returns what identifies it: an equal call that is not over yet is not
    begun again. `limit_s` is how many seconds a call may take before it is done elsewhere. The futures raise what the
    call raises, `TaskKilled` if each process that ran it died, and `NotDoneThere` or `ClusterLost` if it was not done.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - distributed is an optional part
        cluster: Any = None,  # noqa: ANN401
        *,
        key_of: Callable[..., str],
        limit_s: float = 3600.0,
        no_worker_s: float = _NO_WORKER_S,
        check_s: float = _CHECK_S,
    ) -> None:
        self._client, self._cluster = client, cluster
        self._key_of = key_of
        self._limit_s, self._no_worker_s, self._check_s = limit_s, no_worker_s, check_s
        self._calls = DaemonExecutor(1, name="dask calls")
        self._waiting: dict[str, _Waiting] = {}
        self._sent: dict[str, Any] = {}
        self._suspects = DaemonExecutor(1, name="dask suspect")
        self._lost = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        known = client.scheduler_info(n_workers=0)
        self.threads: int = known["total_threads"]
        self._workers: int = known["n_workers"]
        threading.Thread(target=self._watch, name="dask watch", daemon=True).start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` of a module on a worker."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()
        key = self._key_of(*args, **kwargs)
        call = pickle.dumps((partial(fn, **kwargs) if kwargs else fn, args))
        with self._lock:
            lost, twin = self._lost, self._waiting.get(key)
            if not lost and twin is None:
                self._waiting[key] = _Waiting(answer, call, time.monotonic())
        if lost:
            answer.set_exception(ClusterLost(lost))
        elif twin is not None:
            twin.answer.add_done_callback(partial(_copy, answer))
        else:
            self._calls.submit(self._send, key, call)
        return answer

    def ask_workers(self, fn: Callable[[], T]) -> Mapping[str, T | BaseException]:
        """Call `fn` once on each worker, and return what it returns or raises there by the worker's address."""
        answers: Mapping[str, T | BaseException] = self._client.run(fn, on_error="return")
        return answers

    def _send(self, key: str, call: bytes) -> None:
        try:
            future = self._client.submit(run_pickled, call, key=key, pure=False)
            self._sent[key] = future
            self._client.loop.add_callback(self._follow, key, future)
        except Exception as error:  # noqa: BLE001 - whatever a lost connection leads to
            self._lose(f"the Dask scheduler is lost ({type(error).__name__})")

    async def _follow(self, key: str, future: Any) -> None:  # noqa: ANN401
        """Take the result as soon as it is there; this runs in the client's loop."""
        from distributed import KilledWorker

        result: object = None
        failure: BaseException | None = None
        try:
            result = await future
        except CancelledError:
            with self._lock:
                is_given_up = key not in self._waiting
            if is_given_up:
                return
            self._lose("the Dask scheduler is lost")
        except KilledWorker:
            self._sent.pop(key, None)
            future.release()
            self._suspects.submit(self._try_alone, key)
            return
        except BaseException as error:  # noqa: BLE001 - it is passed on to the future's caller
            failure = error
        # The same call may come again at once, after trouble with a clip. So the cluster forgets this one first.
        self._sent.pop(key, None)
        future.release()
        self._client.loop.add_callback(self._end, key, result, failure)

    def _try_alone(self, key: str) -> None:
        """Do on this machine, one at a time, what Dask gives up because several workers died that had it.

        Dask suspects each call that was on a dying worker. So one bad clip, or a person who ends workers, would condemn
        calls that are without fault.
        """
        with self._lock:
            suspect = self._waiting.get(key)
        if suspect is None:
            return
        try:
            self._end(key, run_alone(suspect.call), None)
        except Exception as error:  # noqa: BLE001 - it is passed on to the future's caller
            self._end(key, None, error)

    def _end(self, key: str, result: object, error: BaseException | None) -> None:
        with self._lock:
            waiting = self._waiting.pop(key, None)
        if waiting is None:
            return
        if error is not None:
            waiting.answer.set_exception(error)
        else:
            waiting.answer.set_result(result)

    def _lose(self, why: str) -> None:
        """Use the cluster no more, and give back what was not done."""
        with self._lock:
            self._lost = self._lost or why
            keys = list(self._waiting)
        for key in keys:
            self._end(key, None, ClusterLost(self._lost))

    def _watch(self) -> None:
        """Notice workers that are gone, and calls that do not come back."""
        idle_since = time.monotonic()
        while not self._over.wait(self._check_s) and not self._lost:
            now = time.monotonic()
            if self._client.status == "closed":
                self._lose("the Dask scheduler is lost")
                return
            with suppress(OSError, RuntimeError, ValueError, KeyError):
                workers = self._client.scheduler_info(n_workers=0)["n_workers"]
                idle_since = now if workers else idle_since
                # Dask restarts a worker that dies, unless it dies while it starts.
                if self._cluster is not None and workers < self._workers:
                    self._cluster.scale(self._workers)
            with self._lock:
                late = [key for key, each in self._waiting.items() if now - each.since > self._limit_s]
                has_work = bool(self._waiting)
            if has_work and now - idle_since > self._no_worker_s:
                self._lose(f"the Dask cluster has had no worker for {self._no_worker_s:.0f} s")
            for key in late:
                self._end(key, None, NotDoneThere(f"a worker did not answer within {self._limit_s:.0f} s"))
                # The cluster forgets it, or a later call with this key would wait for the same worker.
                if (future := self._sent.pop(key, None)) is not None:
                    self._calls.submit(future.cancel)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - the signature of Executor
        """Leave the cluster, and end the one on this machine; with `wait` once all calls are done."""
        if wait:
            with self._lock:
                left = [each.answer for each in self._waiting.values()]
            for each in left:
                each.exception()
        if self._over.is_set():
            return
        self._over.set()
        self._calls.shutdown(wait=False)
        self._suspects.shutdown(wait=False)
        # What does not answer is left behind: its workers end with the pipe to this process.
        leaving = threading.Thread(target=self._leave, name="dask leave", daemon=True)
        leaving.start()
        leaving.join(_CLOSE_S)

    def _leave(self) -> None:
        for each in filter(None, (self._client, self._cluster)):
            with suppress(Exception):
                each.close(timeout=_CLOSE_S)


def _copy(answer: Future[T], done: Future[T]) -> None:
    error = done.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


def open_cluster(
    address: str, *, key_of: Callable[..., str], limit_s: float = 3600.0, connect_s: float = CONNECT_S
) -> DaskExecutor:
    """Return an executor on the cluster whose scheduler has this address, or on one of this machine if it is empty.

    A scheduler may take `connect_s` seconds to answer.

    Raises:
        ExtraMissing: the [dask] extra is not installed.
        ClusterLost: the cluster does not answer.
        UsageError: its workers have other versions than this machine.
    """
    if None in map(find_spec, ("cryptography", "distributed")):
        raise ExtraMissing("--executor dask", extra="dask")
    import distributed

    _quiet()
    where = address or "a Dask cluster on this machine"
    cluster = None
    try:
        if not address:
            cluster = _local_cluster()
        make: Any = distributed.Client
        client = make(cluster or address, timeout=connect_s, set_as_default=False)
    except (OSError, ValueError, TimeoutError, RuntimeError) as error:
        if cluster is not None:
            cluster.close(timeout=_CLOSE_S)
        raise ClusterLost(f"{where} cannot be reached ({type(error).__name__})") from error
    _quiet()
    executor = DaskExecutor(client, cluster, key_of=key_of, limit_s=limit_s)
    if address and (why := mismatch(worker_facts(), executor.ask_workers(worker_facts))):
        executor.shutdown(wait=False)
        advice = f"install the same there: pip install 'shotrunner[cloud,dask]=={__version__}'"
        raise UsageError(f"--executor dask:{address}: {why}", advice=advice)
    return executor


def _local_cluster() -> Any:  # noqa: ANN401 - distributed is an optional part
    import dask
    import distributed

    settings = {
        "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
        "distributed.deploy.lost-worker-timeout": _RESTART_S,
        # Its pages would show the takes to everyone on this machine.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # It would look at each thread a hundred times a second, for those pages.
        "distributed.worker.profile.enabled": False,
    }
    dask.config.set(settings)
    make: Any = distributed.LocalCluster
    return make(
        n_workers=LOCAL_WORKERS,
        threads_per_worker=LOCAL_THREADS,
        host="127.0.0.1",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
        # Clips are on disk, and a limit would count the system's own cache of them.
        memory_limit=0,
        preload=[_OUR_SETUP],
        env=dict.fromkeys((name for name in TOKEN_VARIABLES if name in os.environ), ""),
        # Any user of this machine who reaches the scheduler could run programs as this one.
        security=True,
    )


def _quiet() -> None:
    """Keep the library's log off the terminal: what a person should know, `FallbackExecutor` says."""
    for name in (
        "distributed",
        *(each for each in logging.root.manager.loggerDict if each.startswith("distributed.")),
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def call_key(parts: Sequence[str]) -> str:
    """Return a key that is the same for the same parts, and shows the first of them."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    shown = "".join(char if char.isascii() and char.isalnum() else "_" for char in parts[0][:40])
    return f"clip-{shown}-{digest[:32]}"
