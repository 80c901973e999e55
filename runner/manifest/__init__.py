"""Manifests: YAML and CSV text becomes rows with positions, and rows become shots whose inputs are still text.

`reader.read_manifest` takes a path and `reader.parse_manifest` takes bytes; both return a `Reading` with every
structural problem at once. The package does not know what a model accepts, take ids, seeds, the network, or where a
run is stored.
"""
