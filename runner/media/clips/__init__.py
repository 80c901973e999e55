"""Delivery: downloads finished clips, whole or not at all, each with a sidecar. `fetch` is the entry point."""
