"""Tests of the installed command, as a user runs it."""
