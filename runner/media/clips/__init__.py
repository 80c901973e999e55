"""Delivery: downloads finished clips, whole or not at all, each with a sidecar that describes it.

`fetch` is the entry point, and `names` gives each file its name. `ownership` knows which files in the clips folder
belong to which job. `part_file` writes files that are whole or absent, in the one open `folder`. It knows no engine and
no state file.
"""
