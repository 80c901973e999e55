"""The machine below everything: clock, files, text, names of hosts, threads. Standard library and certifi only.

Nothing here knows a shot, a job or a run.
"""
