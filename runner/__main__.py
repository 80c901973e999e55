"""Makes `python -m runner` the same as the command `shotrunner`."""

from __future__ import annotations

from typing import NoReturn

from runner.cli.main import leave
from runner.cli.main import main as run_command_line


def main() -> NoReturn:
    """Run this process's command line, and end the process with its exit code."""
    leave(run_command_line())


if __name__ == "__main__":
    main()
