"""Makes `python -m runner` the same as the command `shotrunner`."""

from __future__ import annotations

from typing import NoReturn

from runner.cli import entry


def main() -> NoReturn:
    """Run this process's command line, and end the process with its exit code."""
    entry.leave(entry.main())


if __name__ == "__main__":
    main()
