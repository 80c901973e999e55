"""The command `shotrunner`.

In: words of a command line. Out: printed lines and an exit code. It decides nothing about takes: that is the work of
`runner.commands`. Only `main` and the parser load at start-up, so that `--help` is fast.
"""
