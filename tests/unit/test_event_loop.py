"""A session runs on uvloop where it is installed, and on asyncio's own loop where it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

_MADE = """
import resource, sys
match sys.argv[1]:
    case "without":
        sys.modules["uvloop"] = None
    case "few files":
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    case "little memory":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from runner.system.event_loop import new_loop
loop = new_loop()
print(type(loop).__module__.partition(".")[0])
loop.close()
"""


@pytest.mark.parametrize(
    ("machine", "module"),
    [("with", "uvloop"), ("without", "asyncio"), ("few files", "asyncio"), ("little memory", "asyncio")],
)
def test_the_loop_is_the_fast_one_where_it_is_installed_and_has_room(machine: str, module: str) -> None:
    """In a process of its own, where the package can be hidden without a patch; uvloop would abort without room."""
    done = subprocess.run([sys.executable, "-c", _MADE, machine], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == module
