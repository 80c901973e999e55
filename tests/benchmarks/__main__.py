"""`python -m tests.benchmarks`."""

from tests.benchmarks.bench import main

if __name__ == "__main__":
    raise SystemExit(main())
