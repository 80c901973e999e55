"""Makes `python -m runner` the same as the command `shotrunner`."""

from __future__ import annotations

import sys

from runner.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
