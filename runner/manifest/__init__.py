"""Manifests: YAML and CSV text becomes rows with positions, and rows become shots whose inputs are still text.

It does not know what a model accepts, take ids, seeds, the network, or where a run is stored.
"""
