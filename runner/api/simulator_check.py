"""Asks an API whether it is a simulator: without the token, once, and only what it says of itself is shown.

Nothing that guards money depends on the answer, since a tunnel may put any server behind a local address.
"""

from __future__ import annotations

import json

import aiohttp

from runner.system.tls import context_for

_PATIENCE_S = 2.0
_MOST_BYTES = 64 << 10


async def says_simulated(origin: str, *, patience_s: float = _PATIENCE_S) -> bool | None:
    """Return whether the server at `origin` says that it is a simulator; None if there was no answer in time.

    It says so by an object at `/` whose `simulated` is true, in at most 64 KiB. No redirect is followed.
    """
    limit = aiohttp.ClientTimeout(total=patience_s)
    jar, connector = aiohttp.DummyCookieJar(), aiohttp.TCPConnector(ssl=context_for(origin))
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=jar, connector=connector, auto_decompress=False) as session,
            session.get(f"{origin}/", allow_redirects=False, timeout=limit) as answer,
        ):
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > _MOST_BYTES:
                    return False
    except (aiohttp.ClientError, OSError):
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return answer.status == 200 and isinstance(said, dict) and said.get("simulated") is True
