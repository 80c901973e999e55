"""The first half of every run: a manifest's file in, a plan out, or every problem at once.

It needs no network, no state file and no event loop, and imports none, so that `check` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runner.errors import FileMissing, ManifestInvalid, Problem, Severity
from runner.manifest.read import read_manifest
from runner.models.catalogue import Models
from runner.plan.takes import make_plan
from runner.shots import Plan


def check(
    manifest: str | Path, *, schema_dirs: Sequence[Path] = (), allow_private_media: bool = False
) -> Plan:
    """Return the plan of a manifest: every take typed, checked and fingerprinted; needs no network.

    `schema_dirs` are searched for model schemas before a `schemas` folder by the manifest and the bundled ones.
    `allow_private_media` lets media lie on this machine's own network, for an API that runs here too.

    Raises:
        FileMissing: there is no such file or folder.
        ManifestInvalid: it has problems; all of them are in the exception, in the order of the file.
    """
    path = Path(manifest)
    reading = read_manifest(path)
    models = Models.bundled(search_path(path, schema_dirs))
    planned = make_plan(reading.manifest, models=models, allow_private_media=allow_private_media)
    found = dict.fromkeys((*reading.problems, *planned.problems, *planned.plan.warnings, *models.overridden))
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    if errors:
        raise ManifestInvalid(sorted(errors, key=_place))
    return replace(planned.plan, warnings=tuple(sorted(found, key=_place)))


def search_path(manifest: Path, wanted: Sequence[Path]) -> list[Path]:
    """Return the folders to search for model schemas, first one first.

    Raises:
        FileMissing: a folder that was asked for is not there.
    """
    for folder in wanted:
        if not folder.is_dir():
            raise FileMissing(f"the schema folder {folder} is not there", advice="give another --schema-dir")
    beside = manifest.parent / "schemas"
    return [*wanted, beside] if beside.is_dir() else list(wanted)


def _place(problem: Problem) -> tuple[int, int]:
    return problem.at.line or 0, problem.at.column or 0
