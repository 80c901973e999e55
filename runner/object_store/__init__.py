"""A folder in an object store, and what a run keeps there beside its clips."""
