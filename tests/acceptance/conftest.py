"""What every acceptance test begins with: an empty folder, and an environment that has only what a login gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.command import Desk, new_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk in an empty folder, with a home of its own and no token."""
    return new_desk(tmp_path)
