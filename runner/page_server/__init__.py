"""The page of a run, served on this machine while the run goes on: a guard, a feed of changes, and the routes.

It knows neither the record nor the page: what it serves comes from a `PageSource`.
"""
