"""What a person sees of a run: a CSV table, an HTML page, and lines for the terminal.

In: records as the state file's reader returns them. Out: text and report files. It does not know the engine and opens
no state file. So a report can be made of any run at any time, even of one that was killed.
"""
