"""Finds and loads model schemas, makes them strict, and uses them to turn a user's text into a request body."""
