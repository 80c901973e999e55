"""The only importer of httpx: clients, one TLS context, deadlines, downloads.

It turns sockets into answers and foreign exceptions into its own. It knows no take, no state file and no retry.
"""
