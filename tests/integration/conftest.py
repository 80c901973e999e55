"""What several tests of real files begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.store.state_file import StateFile
from tests.integration.store_samples import A, new_state_file


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[StateFile]:
    """Yield a begun state file with one pending take."""
    with new_state_file(tmp_path, [A]) as state_file:
        yield state_file
