"""A manifest in which every take is written out, so that a board can be repeated exactly, anywhere and later.

In: a manifest, or the record of a run. Out: the text of a YAML manifest without defaults, variables, sweeps, templates
and files. It is read again first: a lock whose takes are not those it was made of, byte for byte, is an error.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.commands.check import check
from runner.commands.steps.find_run import manifest_of
from runner.domain.disk_errors import file_error
from runner.domain.display import counted, visible
from runner.domain.errors import CannotCreate, ManifestInvalid, Position, SchemaInvalid, Severity, UsageError
from runner.domain.records import TakeRecord, schema_of
from runner.domain.shots import Price, Take
from runner.manifest.lock_writer import lock_text
from runner.manifest.reader import parse_manifest
from runner.manifest.size_limits import CEILING, LIMITS, Limits
from runner.models.registry import Models, search_path
from runner.plan.build import make_plan
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir, is_run
from runner.system.private_files import write_whole
from runner.system.version import __version__

_GIVEN = "manifest"
_FILE = "lock.yaml"


@dataclass(frozen=True, slots=True)
class Lock:
    """The text of a manifest, and how many takes it has."""

    text: str
    takes: int


def lock(
    manifest: Path, *, schema_dirs: Sequence[Path] = (), limits: Limits = LIMITS, given: bytes | None = None
) -> Lock:
    """Return the lock of a manifest: each take with the request body it has now; needs no run and no network.

    Raises:
        FileMissing: there is no such file or folder.
        UsageError: it is a run directory.
        ManifestInvalid: the manifest has problems.
        SchemaInvalid: a value cannot be written such that its model's schema reads it back the same.
    """
    if is_run(manifest):
        raise UsageError(f"{manifest} is a run directory", advice="add --recorded")
    # Nothing is sent: whether private media may be used is asked by the run.
    plan = check(manifest, schema_dirs=schema_dirs, allow_private_media=True, limits=limits, given=given)
    remarks = _remarks(
        f"each of the {counted(len(plan.takes), 'take')} of {visible(manifest.name)}, written out",
        plan.manifest.sha256,
        {model: (sha256,) for model, sha256 in plan.schemas.items()},
    )
    text = lock_text(plan.takes, name=plan.manifest.name, remarks=remarks)
    return _proved(text, plan.takes, search_path(manifest, schema_dirs))


def lock_recorded(place: RunDir, *, schema_dirs: Sequence[Path] = ()) -> Lock:
    """Return the lock of what a run has really sent, from its state file alone.

    Takes that were never sent are not in it; older renders and takes that left the manifest are.

    Raises:
        UsageError: nothing has been sent.
        SchemaInvalid: today's schema of a model reads what was sent in another way.
        StateFileUnusable: the state file cannot be read.
    """
    with open_reader(place.state_file) as reader:
        header, schemas, manifest = reader.header, reader.schemas(), reader.manifest_sha256()
        takes = [take for take in reader.takes() if take.attempts]
    if not takes:
        raise UsageError(f"nothing has been sent in {place.path}", advice="leave out --recorded")
    used: dict[str, set[str]] = defaultdict(set)
    for take in takes:
        if sha256 := schema_of(take, schemas):
            used[take.model].add(sha256)
    remarks = _remarks(
        f"each of the {counted(len(takes), 'take')} that run {visible(header.name)} has sent, as it was sent",
        manifest,
        used,
    )
    sent = [_as_take(take) for take in takes]
    text = lock_text(sent, name=header.name, remarks=remarks)
    return _proved(text, sent, search_path(manifest_of(place, header), schema_dirs))


def write_lock(made: Lock, path: Path, *, force: bool = False) -> None:
    """Write a lock, whole or not at all, and over an existing file only with `force`.

    Raises:
        CannotCreate: the file is there already, or cannot be written.
        DiskFailed: the disk is full or failing.
    """
    if os.path.lexists(path) and not force:
        raise CannotCreate(f"{path} is there already", advice="give another name, or add --force")
    try:
        write_whole(path, made.text)
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error


def _remarks(what: str, manifest: str, schemas: Mapping[str, Iterable[str]]) -> list[str]:
    return [
        f"A lock, made by shotrunner {__version__}: {what}.",
        f"sha256 of the manifest: {manifest}",
        *(
            f"sha256 of the schema of {visible(model)}: {sha256}"
            for model in sorted(schemas)
            for sha256 in sorted(schemas[model])
        ),
        "",
        "Running it sends these very bodies under these very ids. It does not follow the manifest when that is edited.",
    ]


def _proved(text: str, takes: Sequence[Take], schemas: Sequence[Path]) -> Lock:
    """Return the lock after reading it as a run would."""
    reading = parse_manifest(text.encode(), file=_FILE, name=_FILE, limits=CEILING)
    models = Models.bundled(schemas)
    planned = make_plan(reading.manifest, reading.shots, models=models, allow_private_media=True)
    problems = (*reading.problems(), *planned.problems)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ManifestInvalid(problems)
    for wanted, found in zip(takes, planned.plan.takes, strict=True):
        if _content(wanted) != _content(found):
            raise SchemaInvalid(
                f"take {wanted.id}: the schema of {wanted.model} reads what was written of it in another way",
                advice="give the folder of the schema it was made with: --schema-dir",
            )
    return Lock(text, len(takes))


def _content(take: Take) -> tuple[object, ...]:
    point = json.dumps(dict(take.point), sort_keys=True)
    return take.id, take.shot_id, take.model, take.body, take.fingerprint, point, take.tags, take.notes


def _as_take(record: TakeRecord) -> Take:
    price = Price.from_json(record.price)
    return Take(
        record.take_id,
        record.shot_id,
        record.model,
        record.body,
        record.fingerprint,
        record.seed,
        record.point,
        Position(_FILE),
        record.tags,
        record.notes,
        # Only what the manifest gave: a catalogue's price is out of date elsewhere and later.
        price=price if price and price.source == _GIVEN else None,
    )
