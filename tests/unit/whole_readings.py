"""Manifests read to their end, for tests that look at all shots and at all problems in any order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.domain.errors import Problem
from runner.domain.shots import Manifest, Shot
from runner.manifest import reader
from runner.manifest.prompt_files import OpenBeside
from runner.manifest.size_limits import LIMITS, Limits


@dataclass(frozen=True, slots=True)
class Reading:
    """A manifest, all its shots, and everything that was found in it."""

    manifest: Manifest
    shots: tuple[Shot, ...]
    problems: tuple[Problem, ...]


def read_manifest(path: Path, *, limits: Limits = LIMITS, given: bytes | None = None) -> Reading:
    return _whole(reader.read_manifest(path, limits=limits, given=given))


def parse_manifest(
    text_or_bytes: bytes,
    *,
    file: str,
    name: str,
    limits: Limits = LIMITS,
    open_beside: OpenBeside | None = None,
    column_map: bytes | None = None,
) -> Reading:
    return _whole(
        reader.parse_manifest(
            text_or_bytes,
            file=file,
            name=name,
            limits=limits,
            open_beside=open_beside,
            column_map=column_map,
        )
    )


def _whole(reading: reader.Reading) -> Reading:
    shots = tuple(reading.shots)
    return Reading(reading.manifest, shots, reading.problems())
