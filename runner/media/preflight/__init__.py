"""Checks every media link of a plan before anything is paid: whether the API could fetch it, and whether it fits.

In: takes, their models, a way to read a link's beginning, the results of an earlier check, and the time. Out: printable
findings, one for each fault. They contain no query of a link, since that may be a signature. It reads no file, opens no
connection itself and sends no login. It knows no state file, no engine, no API token and no payment.
"""
