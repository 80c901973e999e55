"""The report: what a run's records say, as a CSV table, an HTML sheet, and lines for the terminal.

It takes the records that the state file's reader gives and nothing else, so that it can be made of any run at any time,
also of one that was killed. It knows no engine and opens no state file.
"""
