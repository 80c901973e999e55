"""One clip from its link to its place, as a task that runs on threads, processes or a cluster."""
