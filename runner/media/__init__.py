"""Files of other hosts: links are checked before anything is paid, clips are downloaded, formats are recognized.

It imports neither `api` nor `store`: so no token can reach another host, and no state file is opened here.
"""
