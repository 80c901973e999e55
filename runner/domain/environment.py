"""The environment variables that change how Shotrunner works; each is on if it is not empty.

Those of the account are in `api.account`, and the one that steers failures for tests in `failpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping

NO_INSPECT = "SHOTRUNNER_NO_INSPECT"
"""Does what `--no-inspect` does."""

SMALL_CLIPS = "SHOTRUNNER_SMALL_CLIPS"
"""Lets the simulator draw small clips."""


def is_on(variable: str, environ: Mapping[str, str]) -> bool:
    """Return whether an environment variable is set to anything."""
    return bool(environ.get(variable))
