"""Checks every media link of a plan before anything is paid: whether the API could fetch it, and whether it fits."""
