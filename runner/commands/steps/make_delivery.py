"""The engine's delivery for a session: where its clips go, what looks into them, and which machines do it.

In: a request and the run's header. Out: a delivery that has been started, and how much of it may go on at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from runner.commands.steps.request import RunRequest
from runner.delivery.clip_delivery import ClipDelivery
from runner.delivery.fallback import FallbackExecutor
from runner.delivery.looks import Found
from runner.delivery.place import RunPlace
from runner.delivery.ports import ClipStore, ClusterLost
from runner.delivery.task import DeliveryTask
from runner.domain.errors import UsageError
from runner.domain.records import RunHeader
from runner.domain.shots import Ticket
from runner.domain.store_address import StoreAddress
from runner.media.clips.clip_fetch import ClipFetch
from runner.media.clips.fetch import FetchOptions, room_for_clips
from runner.store.identity import number_of
from runner.store.marker import MARKER
from runner.store.run_dir import RunDir
from runner.system.daemon_executor import DaemonExecutor
from runner.system.proxies import ProxyRules
from runner.video.inspector import make_inspector

_MOST_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class StartedDelivery:
    """A delivery for one engine; `at_once` is how many clips it delivers side by side."""

    delivery: ClipDelivery
    at_once: int
    room: Callable[[], int | None]
    _executor: Executor
    _threads: DaemonExecutor

    def leave(self) -> None:
        """Begin nothing more, and leave what goes on."""
        self._executor.shutdown(wait=False)

    def wait_for_end(self, seconds: float) -> None:
        """Begin nothing more, and wait at most that long for the downloads of this machine."""
        self.leave()
        self._threads.wait_for_end(seconds)


def start_delivery(
    request: RunRequest,
    place: RunDir,
    header: RunHeader,
    *,
    proxies: ProxyRules,
    say: Callable[[str], None],
    note: Callable[[Found], None] | None,
) -> StartedDelivery:
    """Return what delivers the clips of a session; `note` hears of looks, and without it no one looks.

    `say` hears of a cluster that cannot be used. Downloads go through `proxies`.

    Raises:
        ExtraMissing: the extra of the executor or of the store is not installed.
        UsageError: the workers of the cluster cannot do this run's work.
    """
    home = number_of(place.path)
    options = FetchOptions(
        run_dir=place.path, allow_loopback=request.on_this_machine, home=home, proxies=proxies
    )
    store = _store(header)
    threads = DaemonExecutor(request.options.fetches_at_once, name="fetch")
    run = RunPlace(place.path, home, MARKER, header.run_id) if home else None
    executor, at_once, is_far = _executor(request, threads, options, None if store else run, say=say)
    task = DeliveryTask(
        ClipFetch(options),
        store,
        request.keep_local,
        # On this disk the session itself looks into clips, when nothing waits for it.
        make_inspector if note is not None and (is_far or store is not None) else None,
        run if is_far else None,
    )
    return StartedDelivery(
        ClipDelivery(executor, task, note=note or (lambda _: None)),
        at_once,
        lambda: room_for_clips(options),
        executor,
        threads,
    )


def _store(header: RunHeader) -> ClipStore | None:
    """Return the store of the run's clips, None if they stay in its folder."""
    if not header.out:
        return None
    from runner.object_store.store import open_store

    return open_store(StoreAddress(header.out))


def _executor(
    request: RunRequest,
    threads: DaemonExecutor,
    options: FetchOptions,
    needed: RunPlace | None,
    *,
    say: Callable[[str], None],
) -> tuple[Executor, int, bool]:
    """Return what runs deliveries, how many at once, and whether that is on a cluster.

    Each of its workers must see the folder `needed`, if one is given.
    """
    kind, _, address = request.executor.partition(":")
    if kind != "dask":
        return threads, request.options.fetches_at_once, False
    from runner.delivery.dask_executor import open_cluster

    try:
        cluster = open_cluster(address, key_of=_key_of, limit_s=2 * options.deadline_s)
    except ClusterLost as error:
        say(f"{error}; clips are delivered by this machine instead")
        return threads, request.options.fetches_at_once, False
    if address and needed is not None:
        blind = [where for where, sees in cluster.ask_workers(needed.is_here).items() if sees is not True]
        if blind:
            cluster.shutdown(wait=False)
            raise UsageError(
                f"--executor {request.executor}: the worker {blind[0]} does not see {needed.folder}",
                advice="add --out with a store, or share that folder with the workers under the same path",
            )
    at_once = max(request.options.fetches_at_once, min(2 * cluster.threads, _MOST_AT_ONCE))
    return FallbackExecutor(cluster, threads, say=say), at_once, True


def _key_of(ticket: Ticket, _task: DeliveryTask) -> str:
    """Return what identifies a delivery: the take, its job, and the links of its clips without their signatures."""
    from runner.delivery.dask_executor import call_key

    links = (link.partition("?")[0] for link in ticket.outputs)
    return call_key((ticket.take_id, ticket.request_id or "", *links))
