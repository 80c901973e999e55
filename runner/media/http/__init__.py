"""Anonymous HTTP for links: no token, no cookie, a deadline for everything, and a limit on what is read."""
