"""The first half of every run: a manifest's file in, a plan out, or every problem at once.

It needs no network, no state file and no event loop, and imports none, so that `check` answers at once. The look at
a plan's media links, which does, is asked for apart and imports what it needs then.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.errors import ManifestInvalid, Problem, Severity
from runner.domain.shots import Plan
from runner.domain.token_leaks import leaks, tokens_in
from runner.manifest.problems import place_in
from runner.manifest.reader import read_manifest
from runner.manifest.size_limits import LIMITS, Limits
from runner.models.registry import Models, search_path
from runner.plan.build import make_plan

if TYPE_CHECKING:
    from runner.media.preflight.preflight import PreflightReport
    from runner.media.preflight.probe import LinkProbe
    from runner.system.clock import Clock

MEDIA_FILE = "preflight.json"
_DAMAGED = "not to be read"


@contextmanager
def gc_paused() -> Iterator[None]:
    """Let no garbage be looked for meanwhile.

    A board of ten thousand takes becomes a million values that all stay, and none of them in circles: the collector
    would look through them again and again, for a third of the time, and find nothing.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@gc_paused()
def check(
    manifest: str | Path,
    *,
    schema_dirs: Sequence[Path] = (),
    allow_private_media: bool = False,
    environ: Mapping[str, str] = os.environ,
    limits: Limits = LIMITS,
    given: bytes | None = None,
) -> Plan:
    """Return the plan of a manifest: every take typed, checked and fingerprinted; needs no network.

    `schema_dirs` are searched for model schemas before a `schemas` folder by the manifest and the bundled ones.
    `allow_private_media` lets media lie on this machine's own network, for an API that runs here too. `limits` are how
    large the manifest may be; `given` is its content where the path is `-`, for standard input. A token that stands in
    `environ` must stand nowhere in the manifest.

    Raises:
        FileMissing: there is no such file or folder.
        ManifestInvalid: it has problems; all of them are in the exception, in the order of the file.
    """
    path = Path(manifest)
    reading = read_manifest(path, limits=limits, given=given)
    models = Models.bundled(search_path(path, schema_dirs))
    planned = make_plan(reading.manifest, models=models, allow_private_media=allow_private_media)
    tokens = tokens_in(environ)
    if leaked := list(leaks(reading.manifest.text, reading.manifest.file, planned.plan.takes, tokens)):
        # Alone: what else is wrong may quote the token, or a part of it.
        raise ManifestInvalid(leaked)
    found = dict.fromkeys((*reading.problems, *planned.problems, *planned.plan.warnings, *models.overridden))

    def place(problem: Problem) -> tuple[bool, str, int, int]:
        return place_in(problem.at, reading.manifest.file)

    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    if errors:
        raise ManifestInvalid(sorted(errors, key=place))
    return replace(planned.plan, warnings=tuple(sorted(found, key=place)))


def check_media(
    plan: Plan,
    *,
    manifest: str | Path,
    schema_dirs: Sequence[Path] = (),
    allow_private_media: bool = False,
    run_dir: Path | None = None,
    simulated: bool = False,
    wait: float = 12 * 3600.0,
    refresh: bool = False,
    clock: Clock | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> PreflightReport:
    """Look once at every media link of a plan, over the network, and return what is wrong with them.

    What was seen within the hour is taken from `preflight.json` in the run directory, unless `refresh` asks for
    another look. `wait` is how many seconds the API may take to fetch a link; `tell` gets how many are done.
    """
    from runner.media.preflight.preflight import inspect
    from runner.store import run_dir as rundir
    from runner.system.clock import SystemClock

    clock, path = clock or SystemClock(), Path(manifest)
    home = run_dir or rundir.default_run_dir(path, name=plan.manifest.name, simulated=simulated)
    inspection = inspect(
        plan.takes,
        find=Models.bundled(search_path(path, schema_dirs)).find,
        look_at_all=lambda urls: _look(urls, clock=clock, at_home=allow_private_media, tell=tell),
        kept="" if refresh else _kept(home / MEDIA_FILE),
        now=clock.wall(),
        wait=wait,
    )
    return replace(inspection, notes=(*inspection.notes, *_keep(home, inspection)))


def _look(
    urls: Sequence[str], *, clock: Clock, at_home: bool, tell: Callable[[int, int], None]
) -> Mapping[str, LinkProbe]:
    if not urls:
        return {}
    from runner.media.http.peek import HeadReader
    from runner.media.preflight.probe import look_at
    from runner.media.preflight.probe_all import Limits as LookLimits
    from runner.media.preflight.probe_all import look_at_all
    from runner.system.daemon_executor import DaemonExecutor

    limits = LookLimits()
    pool = DaemonExecutor(limits.at_once, name="preflight")
    with HeadReader(allow_loopback=at_home) as peeking:
        try:
            return look_at_all(
                urls,
                look=lambda url: look_at(url, peek=peeking.peek, at=clock.wall()),
                executor=pool,
                clock=clock,
                limits=limits,
                tell=tell,
            )
        finally:
            pool.shutdown(wait=False)


def _kept(path: Path) -> str:
    from runner.media.preflight.probe_cache import MOST_BYTES
    from runner.system.private_files import read_private

    try:
        text = read_private(path, limit=MOST_BYTES).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return _DAMAGED
    return text or _DAMAGED


def _keep(home: Path, inspection: PreflightReport) -> tuple[str, ...]:
    """Write what was seen into the run directory, and return what to say if that cannot be."""
    if not inspection.links:
        return ()
    from runner.domain.errors import CannotCreate
    from runner.store import run_dir as rundir
    from runner.system.private_files import write_whole

    try:
        write_whole(rundir.make(home).path / MEDIA_FILE, inspection.to_keep)
    except CannotCreate as error:
        return (f"the next look will be at everything again: {error.message}",)
    except OSError as error:
        return (f"the next look will be at everything again: {home / MEDIA_FILE}: {error.strerror}",)
    return ()
