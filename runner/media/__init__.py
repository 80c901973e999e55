"""Files that are not ours: links looked at before anything is paid, clips downloaded and kept, what is in a file.

It may import neither `api` nor `store`: so no token can reach another host, and no state file is opened here.
"""
