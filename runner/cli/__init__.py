"""Placeholder: the owner of this room writes what it holds and does not know."""
