"""Downloads the clips of a ticket: the entry point of this package.

The work is one repeatable function of picklable values, so it runs on any `concurrent.futures.Executor`. A server's
behaviour never raises; only a full or failing disk does.

The order of durability: the bytes come before any name, and the sidecar before the final name. Then the final name
appears and the hidden one goes. One flush of the folder makes both durable before `Delivered` is returned. After a kill
the next call finds:

    hidden file only, or with its sidecar     it downloads again, or continues at a noted break
    final name, with or without the hidden    the hash proves the clip: it only flushes the folder
"""

from __future__ import annotations

import errno
import functools
import json
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.disk_errors import BAD_DISK, NEXT_STEP, SHORT_OF
from runner.domain.errors import DiskFailed, UsageError
from runner.domain.network import network_in
from runner.domain.shots import Ticket
from runner.domain.states import Delivered
from runner.media.clips.clip_names import clip_name, part_name
from runner.media.clips.download import OVERLAP_BYTES, ClipDownload, Limits, NotDelivered, Rejected
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.ownership import ClipOwnership
from runner.media.clips.part_file import FileLocked, PartFile
from runner.media.clips.sidecar import CLIPS, MOST_OUTPUTS, DeliveredFile, about_job, remark_on
from runner.media.file_kinds import Kind
from runner.media.http.download_client import Downloads
from runner.media.http.response import DownloadError, shown
from runner.system.canonical_json import JsonValue
from runner.system.proxies import DIRECT, ProxyRules

_MOST_STALLED = 6


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Where clips go and what a download may take.

    `max_bytes` limits one file and `deadline_s` one download; `connect_s` and `read_s` are per socket operation.
    `spare_bytes` stay free on the volume. `allow_loopback` is for the simulator and for tests. `home` is the device and
    inode of `run_dir`: clips go nowhere else. `proxies` say which way requests go; None stands for the
    environment of the machine that downloads.
    """

    run_dir: Path
    allow_loopback: bool
    max_bytes: int = 4 * 2**30
    deadline_s: float = 1800.0
    connect_s: float = 10.0
    read_s: float = 30.0
    spare_bytes: int = 16 * 2**20
    home: tuple[int, int] | None = None
    proxies: ProxyRules | None = DIRECT


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


def fetch_clip(ticket: Ticket, options: FetchOptions, *, now: Callable[[], float] = time.time) -> FetchAnswer:
    """Download all outputs of one take and return the first, or the trouble; safe to repeat.

    Raises:
        DiskFailed: the disk is full or failing.
    """
    if not ticket.outputs or not ticket.request_id:
        missing = "output" if ticket.request_id else "request id"
        return FetchTrouble(f"take {ticket.take_id} has no {missing} to fetch by", permanent=True)
    try:
        proxies = _own_proxies() if options.proxies is None else options.proxies
    except UsageError as error:
        return FetchTrouble(f"the worker's own settings: {error.message}", unreachable=True)
    client = Downloads(
        allow_loopback=options.allow_loopback,
        deadline_s=options.deadline_s,
        connect_s=options.connect_s,
        read_s=options.read_s,
        proxies=proxies,
    )
    try:
        with client, Folder(options.run_dir / CLIPS, home=options.home) as folder:
            holdings = ClipOwnership(folder, ticket.take_id, ticket.request_id, stem=ticket.stem)
            return _FetchJob(ticket, options, client, folder, holdings, now).answer()
    except FileLocked as error:
        return FetchTrouble(str(error))
    except NameConflict as error:
        return FetchTrouble(str(error), permanent=True)
    except OSError as error:
        return disk_answer(error, ticket.take_id)


@functools.cache
def _own_proxies() -> ProxyRules:
    """Return what the environment of this process says; it reads every certificate that the environment names."""
    return network_in(os.environ)


@dataclass(slots=True)
class _FetchJob:
    """One call of `fetch_clip`; `growing` counts the bytes that are kept for a later try."""

    ticket: Ticket
    options: FetchOptions
    client: Downloads
    folder: Folder
    holdings: ClipOwnership
    now: Callable[[], float]
    growing: int = 0

    def answer(self) -> FetchAnswer:
        """Download all missing outputs, or return the trouble and how many bytes are on disk by now."""
        links, landed = self.ticket.outputs[:MOST_OUTPUTS], self.holdings.landed
        missing = [index for index in range(len(links)) if index not in landed]
        troubles: list[FetchTrouble] = []
        for index in missing:
            if trouble := self._trouble_with(index, links[index]):
                troubles.append(trouble)
            # The other outputs are most likely on the same host, and each would wait for it again.
            if trouble and trouble.unreachable:
                break
        if not troubles:
            return self._settled(missing, len(links))
        return FetchTrouble(
            troubles[0].reason,
            link_refused=any(trouble.link_refused for trouble in troubles),
            permanent=all(trouble.permanent for trouble in troubles),
            unreachable=all(trouble.unreachable for trouble in troubles),
            at_hand=self.growing + sum(each.bytes for each in landed.values()),
        )

    def _trouble_with(self, index: int, link: str) -> FetchTrouble | None:
        """Download one output, or return why that failed; the others may still succeed."""
        try:
            self._download(index, link)
        except DownloadError as error:
            return FetchTrouble(error.message, error.link_refused, error.permanent, error.unreachable)
        except NameConflict as error:
            return FetchTrouble(str(error), permanent=True)
        return None

    def _download(self, index: int, link: str) -> None:
        holdings, url = self.holdings, shown(link)
        take, stem = self.ticket.take_id, self.ticket.file_stem
        left = holdings.remainder(index, url)
        limits = Limits(self.options.max_bytes, self.options.spare_bytes, self.folder.free_bytes)

        def admit(kind: Kind) -> None:
            holdings.admit(clip_name(stem, index, kind.extension))

        with PartFile(self.folder, part_name(take, index), keep=left.bytes if left else 0) as part:
            holdings.forget(index)
            version = left.version if left and part.size else None
            intake = ClipDownload(part, limits, on_kind=admit, version=version)
            try:
                kind, remark = intake.receive(self.client, link)
            except Rejected as error:
                kept = f"{CLIPS}/{holdings.keep_rejected(index, error.start)}"
                what = f"{error.message}; its start is kept as {kept}"
                raise NotDelivered(what, permanent=error.permanent) from error
            except NotDelivered:
                raise
            except DownloadError as error:
                stalled = left.stalled + (error.status is None) if left and part.size <= left.bytes else 0
                # The received bytes are kept for a later try, unless several tries have added nothing.
                if intake.version and part.size > OVERLAP_BYTES and stalled < _MOST_STALLED:
                    part.leave()
                    self.growing += part.size
                    holdings.remember(index, url, part.size, intake.version, stalled)
                raise
            final = clip_name(stem, index, kind.extension)
            landed = DeliveredFile(index, final, part.sha256, part.size, url, remark)
            part.flush()
            holdings.promise(landed, self._about)
            part.place(final)
            holdings.land(landed)

    def _settled(self, downloaded: Collection[int], outputs: int) -> Delivered:
        self.holdings.settle(self._about)
        # The clips are on disk, so the leftovers of killed or rejected tries can go.
        for index in range(outputs):
            name = part_name(self.ticket.take_id, index)
            if index not in downloaded and self.folder.is_file(name):
                self.folder.remove(name)
            self.holdings.drop_rejected(index)
        # The flush is needed even if nothing was missing: an earlier call may have been killed just before it.
        self.folder.sync()
        present = [landed for _, landed in sorted(self.holdings.landed.items())]
        first = present[0]
        return Delivered(f"{CLIPS}/{first.file}", first.sha256, first.bytes, remark_on(present))

    def _about(self) -> dict[str, JsonValue]:
        ticket, inputs = self.ticket, json.loads(self.ticket.body)
        about = about_job(
            ticket,
            seed=inputs.get("seed") if isinstance(inputs, dict) else None,
            submitted_at=_iso(ticket.submitted_at),
            finished_at=_iso(ticket.finished_at),
        )
        about["fetched_at"] = _iso(self.now())
        if len(ticket.outputs) > MOST_OUTPUTS:
            about["outputs_left_out"] = len(ticket.outputs) - MOST_OUTPUTS
        return about


def _iso(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


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
