"""Manifests: YAML and CSV text becomes rows with positions, and rows become shots whose inputs are still text.

`read.read_manifest` takes a path and `read.parse_manifest` bytes; both return a `Reading` with every
structural problem at once. The room knows nothing of what a model accepts, of takes' ids or seeds, of the
network, or of where a run lands.
"""
