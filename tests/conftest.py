"""What holds for every test: examples have no deadline, and `make test` leaves the slow ones to `make test-slow`."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

SLOW = (
    "acceptance/",
    "integration/test_bench_smoke.py",
    "integration/test_delivery_kills.py",
    "integration/test_lived_time.py",
    "integration/test_outside_",
    "integration/test_store_kill.py",
    "integration/test_torture_pr_",
)
"""Where slow tests are: kills, load, and the command from outside."""

QUICK = tuple(f"acceptance/test_{name}.py" for name in ("asking", "beginning", "check", "older_runs"))
"""What of these runs in `make test`, beside all that is marked `installed`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow."""
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here).as_posix()
        if path.startswith(SLOW) and path not in QUICK and item.get_closest_marker("installed") is None:
            item.add_marker("slow")
