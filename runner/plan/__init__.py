"""Turns shots into takes: ids, seeds, request bodies, fingerprints, and what changed since they were recorded."""
