"""`python -m tests.benchmarks`."""

from tests.benchmarks.every_figure import main

if __name__ == "__main__":
    raise SystemExit(main())
