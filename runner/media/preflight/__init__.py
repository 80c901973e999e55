"""A look at every media link of a plan before anything is paid: whether the API could fetch it, and whether it fits.

In: takes, the models that say which of their inputs are links, a way to peek at a link, what an earlier look found,
and the time. Out: findings, one for each thing wrong, that may be printed: no query of a link is in them, since that
may be a signature. It reads no file and opens no connection itself, sends nothing that could log in, and must not
know the state file, the engine, the API's token, or how a run is paid for.
"""
