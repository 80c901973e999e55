"""Who is answered: a browser on this machine, that was given the secret, for a page of this very address.

Another site's script may send requests here, also under a name of its own that leads to this machine (DNS rebinding).
So the host, the origin and the secret are looked at before any route.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Passes on what begins with `/SECRET/`, without that beginning, and answers all else itself."""

    def __init__(self, app: ASGIApp, *, secret: str, port: int) -> None:
        self._app, self._secret = app, secret.encode()
        self._hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        if not self._is_ours(scope["method"], Headers(scope=scope)):
            await PlainTextResponse("Forbidden\n", 403)(scope, receive, send_guarded)
            return
        _, given, rest = (*scope["path"].split("/", 2), "", "")[:3]
        if scope["path"].count("/") < 2 or not secrets.compare_digest(given.encode(), self._secret):
            await PlainTextResponse("Not Found\n", 404)(scope, receive, send_guarded)
            return
        await self._app({**scope, "path": f"/{rest}", "raw_path": b""}, receive, send_guarded)

    def _is_ours(self, method: str, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        # A page that sends no referrer may send its own requests without an origin.
        if origin == "null" and site == "same-origin":
            origin = None
        if headers.get("host") not in self._hosts or (origin is not None and origin not in self._origins):
            return False
        # A browser says with each POST where it comes from, and only a page of ours may send one.
        return method in {"GET", "HEAD"} or origin is not None or site == "same-origin"
