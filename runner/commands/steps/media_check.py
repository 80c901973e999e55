"""The media links of a plan, checked over the network. The run directory keeps the results for an hour.

A paid run checks the links of what it is about to send, so that no one waits for a job that cannot succeed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.commands.steps.link_expiry import SOON_S, expiring_links
from runner.commands.steps.request import RunRequest
from runner.domain.display import counted
from runner.domain.errors import CannotCreate, ManifestInvalid, Position, Problem, Severity
from runner.domain.network import network_in
from runner.domain.shots import Plan
from runner.media.http.peek import HeadReader
from runner.media.preflight.preflight import WAIT_S, Finding, PreflightReport, inspect
from runner.media.preflight.probe import MOST_BYTES, LinkProbe, look_at
from runner.media.preflight.probe_all import Limits, look_at_all
from runner.models.registry import Models, search_path
from runner.store import run_dir as rundir
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock
from runner.system.daemon_executor import DaemonExecutor
from runner.system.private_files import read_private, write_whole
from runner.system.proxies import DIRECT, ProxyRules

MEDIA_FILE = "preflight.json"
_MOST_S = 60.0
"""How long a run looks at links before it goes on without the others."""

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
    proxies: ProxyRules = DIRECT,
    only: Collection[str] | None = None,
    within: float = math.inf,
) -> PreflightReport:
    """Look once at every media link of a plan, or of the takes `only`, and return what is wrong with them.

    Results of the last hour are read from `preflight.json` in the run directory `home`, unless `refresh` asks for
    another look. `wait` is how many seconds the API may take to fetch a link; `tell` gets how many are done. `proxies`
    say which way requests go. After `within` seconds, links without an answer are left.
    """
    clock = SystemClock()
    takes = plan.takes if only is None else [take for take in plan.takes if take.id in only]

    def look(urls: Sequence[str]) -> Mapping[str, LinkProbe]:
        if not urls:
            return {}
        limits = Limits(total_s=within)
        pool = DaemonExecutor(limits.at_once, name="preflight")
        with HeadReader(allow_loopback=allow_private_media, proxies=proxies) as reader:
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
    found = inspect(takes, find=models.find, look_at_all=look, kept=kept, now=clock.wall(), wait=wait)
    column_of = plan.manifest.column_of
    findings = tuple(replace(each, at=each.at.below(column_of(each.input))) for each in found.findings)
    return replace(found, findings=findings, notes=(*found.notes, *_keep(home, found)))


def look_before_paying(
    request: RunRequest, plan: Plan, going: Collection[str], place: RunDir
) -> tuple[Problem, ...]:
    """Look at the links of the `going` takes before they are paid for, and return warnings of what is doubtful.

    With `request.look` false no connection is opened, and only the ends of signed links are read. For an API on this
    machine, such as the simulator, nothing is done. A link that gives no answer stops nothing.

    Raises:
        ManifestInvalid: a link certainly fails.
    """
    if request.on_this_machine or not going:
        return ()
    folders = search_path(request.manifest, request.schema_dirs)
    if request.look:
        models = Models.bundled(folders)
        seen = check_media(
            plan,
            place.path,
            models=models,
            wait=SOON_S,
            tell=request.on_link,
            proxies=network_in(request.environ),
            only=going,
            within=_MOST_S,
        )
        findings, unreached = seen.findings, seen.unreached
    else:
        takes = (take for take in plan.takes if take.id in going)
        now = request.clock.wall()
        findings, unreached = expiring_links(takes, plan.manifest, folders=folders, now=now), ""
    errors, doubts = sorted_out(findings, unreached=unreached, file=plan.manifest.file)
    if errors:
        told = "a run sends no link that certainly fails; --no-look sends links unseen"
        advice = Problem(Position(plan.manifest.file), "media", told, severity=Severity.WARNING)
        raise ManifestInvalid([*errors, *doubts, *([advice] if request.look else [])])
    return doubts


def sorted_out(
    findings: Sequence[Finding], *, unreached: str, file: str
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return the faults that fail a job whatever the API does, and what is doubtful, as warnings.

    Links without an answer are one warning together, at the first of them or at `file`.
    """
    errors = tuple(found.problem for found in findings if found.is_certain)
    others = [found for found in findings if not found.is_certain]
    silent = [found for found in others if found.is_silent]
    doubts = [replace(found.problem, severity=Severity.WARNING) for found in others if not found.is_silent]
    if silent:
        first = silent[0]
        told = f"{counted(len(silent), 'link')} gave this machine no answer, such as {first.url}: {first.message}"
        doubts.append(Problem(first.at, "media", told, severity=Severity.WARNING))
    if unreached:
        doubts.append(
            Problem(
                Position(file), "media", f"{unreached}; they were not looked at", severity=Severity.WARNING
            )
        )
    return errors, tuple(doubts)


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
