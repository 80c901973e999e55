"""The heart: submit under a cap, watch, collect, bring home, and stop in good order.

It moves tickets along by facts, each durable before anything follows from it. It is handed objects that fit the
Protocols of `ports` and knows no HTTP, no SQL, no progress bar and no environment.
"""
