"""What each command does, one file a command, for the command line and for Python callers alike.

The only room where all others meet. It knows no flag and no terminal.
"""
