"""What holds for every test: examples have no deadline, and slow and long ones are marked, for `make` to choose by."""

from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest
from hypothesis import settings

from tests.outside.s3_server import S3Server

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

SLOW = (
    "acceptance/",
    "integration/test_bench_smoke.py",
    "integration/test_lived_time.py",
    "integration/test_outside_",
    "integration/test_store_kill.py",
)
"""Where slow tests are: kills, load, and the command from outside."""

LONG = (
    "acceptance/test_environment_fuzz.py",
    "acceptance/test_lost_record.py",
    "integration/test_delivery_kills.py",
    "integration/test_torture_pr_",
)
"""What would take CI past its twenty minutes, and belongs to a release: it runs in `make test-all` alone."""

QUICK = tuple(f"acceptance/test_{name}.py" for name in ("asking", "beginning", "check", "older_runs"))
"""What of these runs in `make test`, beside all that is marked `installed`."""

UNMEASURED = tuple(f"test_{name}.py" for name in ("engine_bad_service", "cost_bombs", "store_read"))
"""What computes for long and reaches no line that other tests do not: `make coverage` measures the others."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop measuring, where that is going on, for what would take three times as long and adds nothing."""
    measuring = coverage.Coverage.current() if item.path.name in UNMEASURED else None
    if measuring:
        measuring.stop()
    result = yield
    if measuring:
        measuring.start()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, what is long, and what starts the command."""
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here).as_posix()
        if path.startswith("acceptance/"):
            item.add_marker("starts")
        if path.startswith(LONG):
            item.add_marker("long")
        elif path.startswith(SLOW) and path not in QUICK and item.get_closest_marker("installed") is None:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for all tests of a worker; a test takes a prefix of its own."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Return the S3 server, with an environment that brings clients there, and no fault of an earlier test."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3_server.faults.clear()
    s3_server.verifies = s3_server.creates_once = True
    return s3_server
