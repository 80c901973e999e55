"""The first half of every run: a manifest's file in, a plan out, or every problem at once.

It imports neither network, state file nor event loop, so that `check` answers at once. The look at a plan's media links
imports them when it is asked for.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.display import counted, listed, visible
from runner.domain.errors import ManifestInvalid, Position, Problem, Severity, UsageError
from runner.domain.network import network_in
from runner.domain.orders import ALL_MODELS
from runner.domain.records import SchemaRecord, TakeRecord, schema_of
from runner.domain.shots import Plan
from runner.domain.token_leaks import leaks, tokens_in
from runner.manifest.problems import FRAME_MEANT, place_in
from runner.manifest.reader import Reading, is_stdin, map_beside, read_manifest
from runner.manifest.size_limits import LIMITS, Limits
from runner.models.registry import Models, search_path
from runner.plan.build import make_plan
from runner.plan.columns import header_advice
from runner.system.clock import Clock, SystemClock
from runner.system.nearest_name import Speller

if TYPE_CHECKING:
    from runner.commands.steps.request import RunRequest
    from runner.store.reader import Reader

_PRINT = 12


@contextmanager
def gc_paused() -> Iterator[None]:
    """Switch the garbage collector off meanwhile.

    A board of ten thousand takes becomes a million values that all stay, none of them in a cycle. The collector would
    look through them again and again, for a third of the time, and find nothing.
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
    beside: Callable[[Plan], Iterable[Problem]] = lambda _: (),
) -> Plan:
    """Return the plan of a manifest: every take typed, checked and fingerprinted; needs no network.

    `schema_dirs` are searched for model schemas before the folder `schemas` beside the manifest and the bundled ones.
    `allow_private_media` accepts media on this machine's own network, for an API that runs here too. `limits` are how
    large the manifest may be; `given` is its content where the path is `-`. It must not contain a token of `environ`.
    `beside` finds what is wrong with the valid takes beside the problems of others.

    Raises:
        FileMissing: there is no such file or folder.
        ManifestInvalid: it has problems; all of them are in the exception, in the order of the file.
    """
    path = Path(manifest)
    reading = read_manifest(path, limits=limits, given=given)
    models = Models.bundled(search_path(path, schema_dirs))
    plan, problems = examined(
        reading, models=models, allow_private_media=allow_private_media, environ=environ
    )
    if any(problem.severity is Severity.ERROR for problem in problems):
        problems = _in_order((*problems, *beside(plan)), plan.manifest.file)
        # A sheet that is piped in has no file to import, and one with a map was imported already.
        advice = "" if is_stdin(path) or map_beside(path) else header_advice(problems, path)
        raise ManifestInvalid(problems, advice=advice)
    return replace(plan, warnings=problems)


def examined(
    reading: Reading, *, models: Models, allow_private_media: bool, environ: Mapping[str, str]
) -> tuple[Plan, tuple[Problem, ...]]:
    """Return the plan of the valid takes and all problems and warnings, in the order of the file.

    Raises:
        ManifestInvalid: the manifest holds a token.
    """
    planned = make_plan(
        reading.manifest, reading.shots, models=models, allow_private_media=allow_private_media
    )
    tokens = tokens_in(environ)
    if leaked := list(leaks(reading.manifest.text, reading.manifest.file, planned.plan.takes, tokens)):
        # Alone: what else is wrong may quote the token, or a part of it.
        raise ManifestInvalid(leaked)
    found = dict.fromkeys(reading.problems())
    if not reading.is_cut:
        # Beside what stopped the reading, the problems of single takes would only hide it.
        found = dict.fromkeys((*_explained(found, planned.problems), *planned.plan.warnings))
    found |= dict.fromkeys(models.overridden)
    return planned.plan, _in_order(found, reading.manifest.file)


def _explained(written: Collection[Problem], refused: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems of a manifest and of its takes, but a value that only names a frame once, as an error."""
    meant = {each.at: each.message for each in written if FRAME_MEANT in each.message}
    errors = [
        each if each.allowed else replace(each, message=meant.get(each.at, each.message)) for each in refused
    ]
    twice = {(each.at, meant.get(each.at)) for each in errors}
    yield from (each for each in written if (each.at, each.message) not in twice)
    yield from errors


def _in_order(problems: Iterable[Problem], file: str) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: place_in(problem.at, file)))


def plan_of(request: RunRequest, *, given: bytes | None = None) -> Plan:
    """Return the plan that a run of `request` carries out.

    Raises:
        FileMissing, ManifestInvalid: as for `check`.
        UsageError: a limit is for a model that no take is of.
    """
    plan = check(
        request.manifest,
        schema_dirs=request.schema_dirs,
        allow_private_media=request.on_this_machine,
        limits=request.manifest_limits,
        given=given,
    )
    limited = {"--rate": request.options.rates, "--model-jobs": request.options.model_jobs}
    refuse_unused_models(
        plan, {flag: models.keys() - request.optional_models for flag, models in limited.items()}
    )
    return plan


def refuse_unused_models(plan: Plan, limited: Mapping[str, Iterable[str]]) -> None:
    """Raise `UsageError` if a flag of `limited` names a model that no take is of."""
    used = {take.model for take in plan.takes}
    for flag, models in limited.items():
        for model in sorted(set(models) - used - {ALL_MODELS}):
            near = Speller().nearest(model, sorted(used))
            advice = f"did you mean {near}?" if near else f"the models are {listed(sorted(used))}"
            unused = f"{flag} is for the model {visible(model)!r}, and no take is of it"
            raise UsageError(unused, advice=advice)


@dataclass(frozen=True, slots=True)
class Checked:
    """All that `check_board` found: a plan without problems of its own, and the faults of its media links.

    `errors` are media that would fail a job; `warnings` are of the plan and of media; `notes` are about the look, or an
    old schema for editors.
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
    simulated: bool,
    schema_dirs: Sequence[Path],
    limits: Limits,
    given: bytes | None,
    run_dir: Path | None,
    online: bool,
    wait: float,
    refresh: bool,
    on_link: Callable[[int, int], None],
    clock: Clock | None = None,
) -> Checked:
    """Check a manifest as `check` does, compare its schemas with its run's, and with `online` look at its media links.

    Media may be private if the run is `simulated` or the API of the environment runs on this machine. Signed links that
    have expired by the `clock` are errors for takes that were not sent yet.

    Raises:
        FileMissing, ManifestInvalid, StateFileUnusable: as for `check`, and the run's state file cannot be read.
    """
    from runner.api.account import named_base, on_this_machine
    from runner.commands.steps.editor_schema import old_schema_notes
    from runner.store.run_dir import default_run_dir

    private = simulated or on_this_machine(named_base(None, os.environ))

    def home_of(plan: Plan) -> Path:
        return run_dir or default_run_dir(manifest, name=plan.manifest.name, simulated=simulated)

    def expired(plan: Plan) -> tuple[Problem, ...]:
        if private:
            return ()
        now = (clock or SystemClock()).wall()
        return _expiring(plan, home_of(plan), folders=search_path(manifest, schema_dirs), now=now)

    plan = check(
        manifest,
        schema_dirs=schema_dirs,
        allow_private_media=private,
        limits=limits,
        given=given,
        beside=expired,
    )
    home = home_of(plan)
    warnings = _warnings_at(home, plan)
    models = Models.bundled(search_path(manifest, schema_dirs))
    notes = old_schema_notes(manifest, models, schema_dirs)
    if not online:
        found = expired(plan)
        errors = tuple(problem for problem in found if problem.severity is Severity.ERROR)
        others = (problem for problem in found if problem not in errors)
        return Checked(plan, (*warnings, *others), errors, notes)
    from runner.commands.steps.media_check import check_media

    seen = check_media(
        plan,
        home,
        models=models,
        allow_private_media=private,
        wait=wait,
        refresh=refresh,
        tell=on_link,
        proxies=network_in(os.environ),
    )
    findings = [asdict(found) for found in seen.findings]
    for finding in findings:
        for name in ("at", "is_certain", "is_silent"):
            del finding[name]
    told = f"{seen.unreached}; see that this machine has a network, and check again"
    unreached = (Problem(Position(str(manifest)), "media", told),) if seen.unreached else ()
    return Checked(
        plan,
        (*warnings, *(found.problem for found in seen.warnings)),
        (*unreached, *(found.problem for found in seen.errors)),
        (*notes, *seen.notes),
        {"links": seen.links, "reused": seen.reused, "notes": list(seen.notes), "findings": findings},
    )


def _expiring(plan: Plan, home: Path, *, folders: Sequence[Path], now: float) -> tuple[Problem, ...]:
    """Return the signed links of takes that were not sent yet and that have expired or soon will."""
    from runner.commands.steps.link_expiry import expiring_links

    if not (found := expiring_links(plan.takes, plan.manifest, folders=folders, now=now)):
        return ()
    from runner.store.reader import open_reader
    from runner.store.run_dir import RunDir, is_run

    sent: Collection[str] = ()
    if is_run(home):
        with open_reader(RunDir(home).state_file) as reader:
            sent = reader.sent()
    left = (replace(each, takes=tuple(take for take in each.takes if take not in sent)) for each in found)
    return tuple(each.problem for each in left if each.takes)


def _warnings_at(home: Path, plan: Plan) -> tuple[Problem, ...]:
    from runner.store.run_dir import RunDir, is_run

    if not is_run(home):
        return plan.warnings
    from runner.store.reader import open_reader

    with open_reader(RunDir(home).state_file) as reader:
        return warnings_of(plan, reader)


def warnings_of(plan: Plan, reader: Reader) -> tuple[Problem, ...]:
    """Return the warnings about a plan, and those of comparing it with its run's record."""
    known = reader.schemas()
    # Only a schema that has changed can be a reason to read every take.
    has_changed = any(each.sha256 != plan.schemas.get(each.model, each.sha256) for each in known)
    return (*plan.warnings, *(drift(plan, reader.takes(), known) if has_changed else ()))


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
