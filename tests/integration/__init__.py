"""Tests with real files, real SQLite and real sockets on loopback."""
