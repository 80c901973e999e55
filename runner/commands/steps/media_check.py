"""The media links of a plan, checked over the network. The run directory keeps the results for an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.domain.errors import CannotCreate
from runner.domain.shots import Plan
from runner.media.http.peek import HeadReader
from runner.media.preflight.preflight import WAIT_S, PreflightReport, inspect
from runner.media.preflight.probe import MOST_BYTES, LinkProbe, look_at
from runner.media.preflight.probe_all import Limits, look_at_all
from runner.models.registry import Models
from runner.store import run_dir as rundir
from runner.system.clock import SystemClock
from runner.system.daemon_executor import DaemonExecutor
from runner.system.private_files import read_private, write_whole

MEDIA_FILE = "preflight.json"
_DAMAGED = "not to be read"


def check_media(
    plan: Plan,
    home: Path,
    *,
    models: Models,
    allow_private_media: bool = False,
    wait: float = WAIT_S,
    refresh: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> PreflightReport:
    """Look once at every media link of a plan, and return what is wrong with them.

    Results of the last hour are read from `preflight.json` in the run directory `home`, unless `refresh` asks for
    another look. `wait` is how many seconds the API may take to fetch a link; `tell` gets how many are done.
    """
    clock = SystemClock()

    def look(urls: Sequence[str]) -> Mapping[str, LinkProbe]:
        if not urls:
            return {}
        limits = Limits()
        pool = DaemonExecutor(limits.at_once, name="preflight")
        with HeadReader(allow_loopback=allow_private_media) as reader:
            try:
                return look_at_all(
                    urls,
                    look=lambda url: look_at(url, peek=reader.peek, at=clock.wall()),
                    executor=pool,
                    clock=clock,
                    limits=limits,
                    tell=tell,
                )
            finally:
                pool.shutdown(wait=False)

    kept = "" if refresh else _kept(home / MEDIA_FILE)
    found = inspect(plan.takes, find=models.find, look_at_all=look, kept=kept, now=clock.wall(), wait=wait)
    column_of = plan.manifest.column_of
    findings = tuple(replace(each, at=each.at.below(column_of(each.input))) for each in found.findings)
    return replace(found, findings=findings, notes=(*found.notes, *_keep(home, found)))


def _kept(path: Path) -> str:
    try:
        return read_private(path, limit=MOST_BYTES).decode("utf-8", "replace") or _DAMAGED
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return _DAMAGED


def _keep(home: Path, found: PreflightReport) -> list[str]:
    """Write the results into the run directory, and return a note if that fails."""
    try:
        if found.links:
            write_whole(rundir.make(home).path / MEDIA_FILE, found.to_keep)
    except CannotCreate as error:
        return [f"the next look will be at everything again: {error.message}"]
    except OSError as error:
        return [f"the next look will be at everything again: {home / MEDIA_FILE}: {error.strerror}"]
    return []
