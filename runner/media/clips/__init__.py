"""Delivery: brings finished clips home, whole or not at all, each with a sidecar that says what it is.

`fetch` is the door, `names` says what each file is called, `holdings` knows what lies in the clips folder already and
whose it is, `files` writes so that a file is whole or absent, below the one open `folder`. `kinds` tells a clip from an
error page, `containers` a whole one from a cut one. It knows no engine and no state file.
"""
