"""Downloads the clips of a ticket: the entry point of this package.

In: a ticket. Out: a future of `Delivered` or `FetchTrouble`. It knows no engine and no state file. The work is one
repeatable module-level function of picklable values, so it runs on any `concurrent.futures.Executor`: threads,
processes or a cluster's. A server's behaviour never raises; only a full or failing disk does.

The order of durability: the bytes come before any name, and the sidecar before the final name. Then the final name
appears and the hidden one goes. One flush of the folder makes both durable before `Delivered` is returned. After a kill
the next call finds:

    hidden file only, or with its sidecar     it downloads again, or continues at a noted break
    final name, with or without the hidden    the hash proves the clip: it only flushes the folder
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.disk_errors import BAD_DISK, NEXT_STEP, SHORT_OF
from runner.domain.errors import DiskFailed
from runner.domain.shots import Ticket
from runner.domain.states import Delivered
from runner.media.clips.download import OVERLAP_BYTES, ClipDownload, Limits, NotDelivered, Rejected, Taken
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.ownership import ClipOwnership
from runner.media.clips.part_file import FileLocked, PartFile
from runner.media.clips.sidecar import CLIPS, DeliveredFile, PartialDownload
from runner.media.file_kinds import Kind
from runner.media.http.download_client import Downloads
from runner.media.http.response import DownloadError, Version, shown
from runner.system.canonical_json import JsonValue

MOST_OUTPUTS = 64
_MOST_STALLED = 6


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Where clips go and what a download may take.

    `max_bytes` limits one file and `deadline_s` one download; `connect_s` and `read_s` are per socket operation.
    `spare_bytes` stay free on the volume. `allow_loopback` is for the simulator and for tests. `home` is the device and
    inode of `run_dir`: clips go nowhere else.
    """

    run_dir: Path
    allow_loopback: bool
    max_bytes: int = 4 * 2**30
    deadline_s: float = 1800.0
    connect_s: float = 10.0
    read_s: float = 30.0
    spare_bytes: int = 16 * 2**20
    home: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """What to download and what the sidecar should say; it holds no secret.

    `body` is the request body as sent, and `outputs` the links in the result's order. `cost` is in USD, and times are
    unix seconds; each is None if it is not known.
    """

    take_id: str
    model: str
    body: str
    request_id: str | None
    outputs: tuple[str, ...]
    fingerprint: str = ""
    cost: float | None = None
    submitted_at: float | None = None
    finished_at: float | None = None

    @classmethod
    def of(cls, ticket: Ticket) -> Self:
        """Return the order for a ticket whose outputs are known."""
        return cls(
            take_id=ticket.take_id,
            model=ticket.model,
            body=ticket.body,
            request_id=ticket.request_id,
            outputs=ticket.outputs,
            fingerprint=ticket.fingerprint,
            cost=ticket.cost,
            submitted_at=ticket.submitted_at,
            finished_at=ticket.finished_at,
        )


class ClipDelivery:
    """The engine's `Delivery`: it gives each ticket to the executor, which the caller owns and closes."""

    def __init__(self, executor: Executor, options: FetchOptions) -> None:
        self._executor = executor
        self._options = options

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        """Download the ticket's outputs to their final names, each whole or not at all.

        The future raises `DiskFailed` if the disk is full or fails, and nothing else for what a server does.
        """
        return self._executor.submit(fetch_clip, FetchOrder.of(ticket), self._options)

    def room(self) -> int | None:
        """Return how many bytes of clips there is room for, None if it is not known."""
        return room_for_clips(self._options)


def room_for_clips(
    options: FetchOptions, *, probe: Callable[[Path], os.statvfs_result] = os.statvfs
) -> int | None:
    """Return the room for clips in bytes, without the reserve that stays free; None if it is not known."""
    for place in (options.run_dir / CLIPS, options.run_dir):
        try:
            volume = probe(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        # File systems without a fixed number of files report none at all.
        if volume.f_files and not volume.f_favail:
            return 0
        return volume.f_bavail * volume.f_frsize - options.spare_bytes
    return None


def fetch_clip(
    order: FetchOrder, options: FetchOptions, *, now: Callable[[], float] = time.time
) -> FetchAnswer:
    """Download all outputs of one take and return the first, or the trouble; safe to repeat.

    Raises:
        DiskFailed: the disk is full or failing.
    """
    if not order.outputs or not order.request_id:
        missing = "output" if order.request_id else "request id"
        return FetchTrouble(f"take {order.take_id} has no {missing} to fetch by", permanent=True)
    client = _client(options.allow_loopback, options.deadline_s, options.connect_s, options.read_s)
    try:
        with Folder(options.run_dir / CLIPS, home=options.home) as folder:
            return _FetchJob(order, order.request_id, options, client, folder, now).answer()
    except FileLocked as error:
        return FetchTrouble(str(error))
    except NameConflict as error:
        return FetchTrouble(str(error), permanent=True)
    except OSError as error:
        return disk_answer(error, order.take_id)


@cache
def _client(allow_loopback: bool, deadline_s: float, connect_s: float, read_s: float) -> Downloads:  # noqa: FBT001 - a key
    """Return the one client that all downloads of this process with these options share; it is never closed."""
    return Downloads(allow_loopback=allow_loopback, deadline_s=deadline_s, connect_s=connect_s, read_s=read_s)


# A forked worker must not use locks that a thread of its parent may have held.
os.register_at_fork(after_in_child=_client.cache_clear)


class _FetchJob:
    """One call of `fetch_clip`."""

    def __init__(
        self,
        order: FetchOrder,
        request_id: str,
        options: FetchOptions,
        client: Downloads,
        folder: Folder,
        now: Callable[[], float],
    ) -> None:
        self._order = order
        self._client = client
        self._folder = folder
        self._now = now
        self._links = order.outputs[:MOST_OUTPUTS]
        self._limits = Limits(options.max_bytes, options.spare_bytes, folder.free_bytes)
        self._holdings = ClipOwnership(folder, order.take_id, request_id)
        self._growing = 0

    def answer(self) -> FetchAnswer:
        """Download all missing outputs, or return the trouble and how many bytes are on disk by now."""
        missing = [index for index in range(len(self._links)) if index not in self._holdings.landed]
        troubles: list[FetchTrouble] = []
        for index in missing:
            if trouble := self._trouble_with(index):
                troubles.append(trouble)
            # The other outputs are most likely on the same host, and each would wait for it again.
            if trouble and trouble.unreachable:
                break
        if not troubles:
            return self._settled(missing)
        return FetchTrouble(
            troubles[0].reason,
            link_refused=any(trouble.link_refused for trouble in troubles),
            permanent=all(trouble.permanent for trouble in troubles),
            unreachable=all(trouble.unreachable for trouble in troubles),
            at_hand=self._growing + sum(landed.bytes for landed in self._holdings.landed.values()),
        )

    def _trouble_with(self, index: int) -> FetchTrouble | None:
        """Download one output, or return why that failed; the others may still succeed."""
        try:
            self._download(index, self._links[index])
        except DownloadError as error:
            return FetchTrouble(
                error.message,
                link_refused=error.link_refused,
                permanent=error.permanent,
                unreachable=error.unreachable,
            )
        except NotDelivered as error:
            return FetchTrouble(error.reason, permanent=error.permanent)
        except NameConflict as error:
            return FetchTrouble(str(error), permanent=True)
        return None

    def _settled(self, downloaded: Collection[int]) -> Delivered:
        self._holdings.settle(self._about)
        self._sweep(downloaded)
        # The flush is needed even if nothing was missing: an earlier call may have been killed just before it.
        self._folder.sync()
        first, *others = (self._holdings.landed[index] for index in sorted(self._holdings.landed))
        remarks = [first.remark, *(f"{other.file}: {other.remark}" for other in others if other.remark)]
        return Delivered(
            file=f"{CLIPS}/{first.file}",
            sha256=first.sha256,
            bytes=first.bytes,
            remark="; ".join(filter(None, remarks)),
        )

    def _download(self, index: int, link: str) -> None:
        holdings, url = self._holdings, shown(link)
        left = holdings.remainder(index, url)
        with PartFile(self._folder, holdings.part_name(index), keep=left.bytes if left else 0) as part:
            holdings.forget(index)
            intake = ClipDownload(part, self._limits, version=left.version if left and part.size else None)
            try:
                taken = intake.receive(self._client, link, on_kind=lambda kind: self._admit(index, kind))
            except DownloadError as error:
                self._leave(index, url, part, intake.version, left, broke=error.status is None)
                raise
            except Rejected as error:
                kept = holdings.keep_rejected(index, error.start)
                raise NotDelivered(
                    f"{error.reason}; its start is kept as {CLIPS}/{kept}", permanent=error.permanent
                ) from error
            self._land(index, url, part, taken)

    def _leave(
        self,
        index: int,
        url: str,
        part: PartFile,
        version: Version | None,
        left: PartialDownload | None,
        *,
        broke: bool,
    ) -> None:
        """Keep the received bytes for a later try, unless several tries have added nothing."""
        stalled = left.stalled + broke if left and part.size <= left.bytes else 0
        if version is None or part.size <= OVERLAP_BYTES or stalled >= _MOST_STALLED:
            return
        part.leave()
        self._growing += part.size
        self._holdings.remember(index, url, part.size, version, stalled)

    def _admit(self, index: int, kind: Kind) -> None:
        self._holdings.admit(self._holdings.final_name(index, kind.extension))

    def _land(self, index: int, url: str, part: PartFile, taken: Taken) -> None:
        final = self._holdings.final_name(index, taken.kind.extension)
        landed = DeliveredFile(index, final, part.sha256, part.size, url, taken.remark)
        part.flush()
        self._holdings.promise(landed, self._about)
        part.place(final)
        self._holdings.land(landed)

    def _sweep(self, downloaded: Collection[int]) -> None:
        """Remove the leftovers of killed or rejected tries, now that the clips are on disk."""
        others = set(range(len(self._links))).difference(downloaded)
        for name in filter(self._folder.is_file, map(self._holdings.part_name, sorted(others))):
            self._folder.remove(name)
        for index in range(len(self._links)):
            self._holdings.drop_rejected(index)

    def _about(self) -> dict[str, JsonValue]:
        order, inputs = self._order, json.loads(self._order.body)
        about: dict[str, JsonValue] = {
            "model": order.model,
            "inputs": inputs,
            "seed": inputs.get("seed") if isinstance(inputs, dict) else None,
            "fingerprint": order.fingerprint,
            "cost": order.cost,
            "submitted_at": _iso(order.submitted_at),
            "finished_at": _iso(order.finished_at),
            "fetched_at": _iso(self._now()),
        }
        if len(order.outputs) > MOST_OUTPUTS:
            about["outputs_left_out"] = len(order.outputs) - MOST_OUTPUTS
        return {key: value for key, value in about.items() if value not in (None, "")}


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def disk_answer(error: OSError, take_id: str) -> FetchTrouble:
    """Return trouble with files that concerns this clip alone.

    Raises:
        DiskFailed: it concerns every clip.
    """
    what = f"cannot write the clip of take {take_id}: {error.strerror or error}"
    # The system remounts a failing disk as read-only.
    if error.errno in BAD_DISK or error.errno == errno.EROFS:
        raise DiskFailed(what, advice=NEXT_STEP) from error
    return FetchTrouble(what, permanent=error.errno not in SHORT_OF)
