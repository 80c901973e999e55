"""What every acceptance test begins with: an empty folder, and an environment that has only what a login gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.command import Desk, new_desk


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """Return a desk in an empty folder, with a home of its own and no token.

    Where a test or its module is marked `installed`, the installed command itself is started and not a fork of it.
    """
    return replace(new_desk(tmp_path), is_installed=request.node.get_closest_marker("installed") is not None)
