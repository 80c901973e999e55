"""Pure tests and tests with fakes; none sleeps and none patches."""
