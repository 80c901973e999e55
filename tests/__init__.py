"""The tests: unit is pure and fast, integration has files and sockets, acceptance runs the installed command."""
