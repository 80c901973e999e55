"""The state file: the only record of money and progress, written by one process, readable by any.

In: facts. Out: rows, each in one transaction with the event that caused it. It knows no asyncio and no HTTP.
"""
