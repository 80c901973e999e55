"""The first half of every run: a manifest's file in, a plan out, or every problem at once.

It needs no network, no state file and no event loop, and imports none, so that `check` answers at once. The look at
a plan's media links, which does, is asked for apart and imports what it needs then.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.display import counted
from runner.domain.errors import ManifestInvalid, Position, Problem, Severity
from runner.domain.records import SchemaRecord, TakeRecord, schema_of
from runner.domain.shots import Plan
from runner.domain.token_leaks import leaks, tokens_in
from runner.manifest.problems import place_in
from runner.manifest.reader import read_manifest
from runner.manifest.size_limits import LIMITS, Limits
from runner.models.registry import Models, search_path
from runner.plan.build import make_plan

if TYPE_CHECKING:
    from runner.commands.steps.request import RunRequest
    from runner.media.preflight.preflight import PreflightReport
    from runner.media.preflight.probe import LinkProbe
    from runner.system.clock import Clock

MEDIA_FILE = "preflight.json"
_PRINT = 12
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


def plan_of(request: RunRequest, *, given: bytes | None = None) -> Plan:
    """Return the plan that a run of `request` carries out; raises as `check`."""
    return check(
        request.manifest,
        schema_dirs=request.schema_dirs,
        allow_private_media=request.on_this_machine,
        limits=request.manifest_limits,
        given=given,
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """All that `check_board` found: a plan without problems of its own, and the faults of its media links.

    `errors` are media that would fail a job; `warnings` are of the plan and of media; `notes` are about the look.
    `media` is None where no link was looked at, else `links`, `reused` and `findings` as values for JSON.
    """

    plan: Plan
    warnings: tuple[Problem, ...]
    errors: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    media: Mapping[str, object] | None = None


def check_board(
    manifest: Path,
    *,
    simulated: bool = False,
    schema_dirs: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
    limits: Limits = LIMITS,
    given: bytes | None = None,
    run_dir: Path | None = None,
    online: bool = False,
    wait: float = 12 * 3600.0,
    refresh: bool = False,
    on_link: Callable[[int, int], None] = lambda _done, _all: None,
) -> Checked:
    """Check a manifest as `check` does, compare its schemas with its run's, and with `online` look at its media links.

    Media may be private if the run is `simulated` or the API of `environ` runs on this machine.

    Raises:
        FileMissing, ManifestInvalid: as for `check`.
        StateFileUnusable: the run's state file cannot be read.
    """
    from runner.commands.steps.api_base import is_local

    private = simulated or is_local(None, environ)
    plan = check(manifest, schema_dirs=schema_dirs, allow_private_media=private, limits=limits, given=given)
    warnings = (*plan.warnings, *_schema_warnings(plan, manifest, run_dir, simulated=simulated))
    if not online:
        return Checked(plan, warnings)
    seen = check_media(
        plan,
        manifest=manifest,
        schema_dirs=schema_dirs,
        allow_private_media=private,
        run_dir=run_dir,
        simulated=simulated,
        wait=wait,
        refresh=refresh,
        tell=on_link,
    )
    findings = [
        {name: value for name, value in asdict(found).items() if name != "at"} for found in seen.findings
    ]
    return Checked(
        plan,
        (*warnings, *(found.problem for found in seen.warnings)),
        tuple(found.problem for found in seen.errors),
        seen.notes,
        {"links": seen.links, "reused": seen.reused, "notes": list(seen.notes), "findings": findings},
    )


def _schema_warnings(
    plan: Plan, manifest: Path, run_dir: Path | None, *, simulated: bool
) -> tuple[Problem, ...]:
    from runner.store import run_dir as rundir

    home = run_dir or rundir.default_run_dir(manifest, name=plan.manifest.name, simulated=simulated)
    if not rundir.is_run(home):
        return ()
    from runner.store.reader import open_reader

    with open_reader(rundir.RunDir(home).state_file) as reader:
        return drift(plan, reader.takes(), reader.schemas())


def drift(plan: Plan, takes: Iterable[TakeRecord], schemas: Iterable[SchemaRecord]) -> tuple[Problem, ...]:
    """Return a warning for each model of which recorded takes were sent by another schema than the plan's."""
    known = tuple(schemas)
    others: Counter[tuple[str, str]] = Counter()
    for take in takes:
        sha256 = schema_of(take, known) if take.attempts else None
        if sha256 is not None and sha256 != plan.schemas.get(take.model, sha256):
            others[take.model, sha256] += 1
    return tuple(
        Problem(
            Position(plan.manifest.file),
            f"model {model}",
            f"its schema is {plan.schemas[model][:_PRINT]} now, and {counted(count, 'take')} on record"
            f" {'was' if count == 1 else 'were'} sent by {sha256[:_PRINT]}",
            severity=Severity.WARNING,
        )
        for (model, sha256), count in others.items()
    )


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
    from runner.media.preflight.probe import MOST_BYTES
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
