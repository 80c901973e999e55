"""Runs a simulator, either in a thread beside another program, or alone until a signal stops it.

In: settings and a port. Out: a served simulator on a loopback address and its ledger. It only connects the parts, and
decides nothing about jobs or answers.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from runner.domain.disk_errors import file_error
from runner.domain.errors import BrokenPromise, UsageError
from runner.models.registry import Models
from runner.simulator.app import Front, Prices, Slates
from runner.simulator.broken_connections import Connections, protocol_of
from runner.simulator.clip_cache import ClipCache
from runner.simulator.fault_rules import FaultPlan
from runner.simulator.jobs import Dispatcher, new_request_id
from runner.simulator.ledger import Ledger
from runner.simulator.settings import SimulatorSettings
from runner.system.loopback import HOST, bound, stop_signals
from runner.system.private_files import make_folder

_RENDERERS = 2
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A running simulator: its address, what it accepts, and its ledger, which any thread may read.

    `previews` says whether a clip is drawn for each job; otherwise one ready-made clip serves all jobs.
    """

    origin: str
    token: str | None
    ledger: Ledger
    previews: bool

    @property
    def base_url(self) -> str:
        """Return the API's base, with its version."""
        return f"{self.origin}/v1"

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the environment variables that point a program at this API; any token will do if none is set."""
        return {"RUNCOMFY_MODEL_API_BASE": self.base_url, "RUNCOMFY_TOKEN": self.token or "any"}


@contextmanager
def running(
    settings: SimulatorSettings,
    *,
    port: int = 0,
    schema_dirs: Sequence[Path] = (),
    slates: Slates = lambda _model, _body: "",
    prices: Prices = lambda _model, _body: None,
    clock: Callable[[], float] = time.time,
    new_id: Callable[[], str] = new_request_id,
) -> Iterator[RunningSimulator]:
    """Serve a simulator from a thread while the block runs; port 0 takes a free one.

    `schema_dirs` hold schemas of models beyond the bundled ones. `slates` names takes for the previews. `prices`
    replace the invented ones. `clock` is wall time. `new_id` makes the id of each request.

    Raises: `UsageError` if the port cannot be used, `CannotCreate` if the ledger or the clips cannot be written.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_listening(port))
        ledger = Ledger(settings.ledger)
        stack.callback(ledger.close)
        executor = ThreadPoolExecutor(_RENDERERS, thread_name_prefix="preview")
        stack.callback(executor.shutdown, cancel_futures=True)
        dispatcher = Dispatcher(
            clock=clock,
            speed=settings.speed,
            slots=settings.slots,
            seed=settings.seed,
            fail_rate=settings.fail_rate,
            new_id=new_id,
        )
        for job in ledger.charges():
            dispatcher.admit(job)
        front = Front(
            settings,
            clock,
            origin=f"http://{HOST}:{listener.getsockname()[1]}",
            models=Models.bundled(extra_dirs=schema_dirs),
            ledger=ledger,
            dispatcher=dispatcher,
            faults=FaultPlan(settings.script.rules, seed=settings.seed, clock=clock),
            previews=ClipCache(_clip_folder(settings, stack), executor=executor, render=settings.render),
            slates=slates,
            prices=prices,
        )
        stack.enter_context(_served(front, listener))
        yield RunningSimulator(front.origin, settings.token, ledger, front.previews.real)


def serve(
    settings: SimulatorSettings,
    *,
    port: int = 0,
    schema_dirs: Sequence[Path] = (),
    on_ready: Callable[[RunningSimulator], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then stop cleanly; call this from the main thread.

    Raises: what `running` raises.
    """
    with stop_signals() as asked, running(settings, port=port, schema_dirs=schema_dirs) as simulator:
        on_ready(simulator)
        asked.wait()


def _listening(port: int) -> socket.socket:
    try:
        return bound(port)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"port {port} cannot be used: {error}", advice="name another port, or 0 for any"
        ) from error


def _clip_folder(settings: SimulatorSettings, stack: ExitStack) -> Path:
    if settings.clips is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shotrunner-clips-")))
    try:
        make_folder(settings.clips)
    except OSError as error:
        raise file_error(error, settings.clips, "cannot be made") from error
    return settings.clips


class _Server(uvicorn.Server):
    """A server that reports when it listens, and stops as soon as it is asked to, and not at its next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()

    def run_or_fail(self, listener: socket.socket) -> None:
        """Serve, or keep the error for the thread that waits, for example a lack of file descriptors."""
        try:
            self.run([listener])
        except Exception as error:  # noqa: BLE001 - the thread that waits raises it again
            self.failure = error
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop_asked.wait(), timeout=0.1)

    def stop(self) -> None:
        """Ask the server to stop, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_asked.set)


@contextmanager
def _served(front: Front, listener: socket.socket) -> Iterator[None]:
    connections: Connections = {}
    server = _Server(
        uvicorn.Config(
            front.application(connections),
            http=protocol_of(connections),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            # Broken connections are intended here, and the application reports its own bugs.
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run_or_fail, args=(listener,), name="simulator", daemon=True)
    thread.start()
    try:
        if not server.ready.wait(_PATIENCE):
            raise BrokenPromise("the simulator did not start")
        if server.failure is not None:
            raise server.failure
        yield
    finally:
        server.stop()
        thread.join(_PATIENCE)
