"""The engine: it submits under a cap, polls, downloads, and ends the run.

It moves tickets along by facts, and each fact is durable before anything follows from it. It gets objects that fit the
Protocols of `ports`. It knows no HTTP, no SQL, no progress bar and no environment.
"""
