"""Signed links that have expired, or soon will, as the links themselves show it; no connection is opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runner.domain.shots import Manifest, Take
from runner.media.preflight.signed_urls import may_expire
from runner.models.registry import Models

if TYPE_CHECKING:
    from runner.media.preflight.preflight import Finding

SOON_S: Final = 3600.0
"""A signed link that expires within this time is warned of: a job may wait that long before the API fetches it."""


def expiring_links(
    takes: Iterable[Take], manifest: Manifest, *, folders: Sequence[Path], now: float
) -> tuple[Finding, ...]:
    """Return the links of `takes` that have expired, and as warnings those that do within an hour from `now`.

    `now` is in unix seconds; `folders` are searched for the schemas of the models. In a sheet, each is at its own cell.
    """
    signed = [take for take in takes if may_expire(take.body)]
    if not signed:
        return ()
    # Few boards have signed links, and the others need no more than the line above.
    from runner.media.preflight.preflight import expiring

    found = expiring(signed, find=Models.bundled(folders).find, now=now, wait=SOON_S)
    return tuple(replace(each, at=each.at.below(manifest.column_of(each.input))) for each in found)
