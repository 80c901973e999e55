"""The lowest layer: clock, files, text, names of hosts, threads. It imports only the standard library and certifi.

It knows no shot, no job and no run.
"""
