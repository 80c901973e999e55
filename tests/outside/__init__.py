"""A counting API server on raw sockets: it judges what the runner does on the wire and shares no code with it."""
