"""The command `shotrunner`: flags in, words and an exit code out.

It is a skin over `runner.commands`; it decides nothing about takes. Only `main` and the parser load at start-up, so
that `--help` answers in a blink.
"""
