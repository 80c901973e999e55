"""The state file: the one truth about money and progress, written by one process, readable by any.

It turns facts into rows, each in one transaction with the event that caused it. It knows no asyncio and no HTTP.
"""
