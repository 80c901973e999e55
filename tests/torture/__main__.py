"""`python -m tests.torture`."""

from tests.torture.campaign import main

if __name__ == "__main__":
    raise SystemExit(main())
