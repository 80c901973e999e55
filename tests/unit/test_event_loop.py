"""A session runs on uvloop where it is installed, and on asyncio's own loop where it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

_MADE = """
import sys
if "without" in sys.argv:
    sys.modules["uvloop"] = None
from runner.system.event_loop import new_loop
loop = new_loop()
print(type(loop).__module__.partition(".")[0])
loop.close()
"""


@pytest.mark.parametrize(("extra", "module"), [("with", "uvloop"), ("without", "asyncio")])
def test_the_loop_is_the_fast_one_where_the_extra_is_installed(extra: str, module: str) -> None:
    """In a process of its own, where the package can be hidden without a patch."""
    done = subprocess.run([sys.executable, "-c", _MADE, extra], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == module
