"""Anonymous HTTP for links: it sends no token and no cookie, and limits the time and size of every download."""
