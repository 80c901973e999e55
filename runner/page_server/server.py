"""Serves the page on loopback until it is stopped, and passes on what changes.

In: a source, a port. Out: an address with a secret, which is all that a browser needs.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from runner.domain.errors import UsageError
from runner.page_server.app import Routes
from runner.page_server.feed import Feed
from runner.page_server.guard import Guard
from runner.page_server.ports import PageSource
from runner.system.loopback import HOST, bound, stop_signals

LOOK_S = 0.5
ALONE_S = 30.0
_PATIENCE_S = 10.0


def serve(
    source: PageSource,
    *,
    port: int,
    until_closed: bool,
    monotonic: Callable[[], float],
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; call this from the main thread. `on_ready` gets the address; port 0 is a free one.

    With `until_closed` it also ends by itself, as `follow` says.

    Raises:
        UsageError: the port cannot be used.
    """
    with _listening(port) as listener, stop_signals() as asked:
        feed, secret, port = Feed(), secrets.token_urlsafe(24), listener.getsockname()[1]
        guard = Guard(Routes(source, feed).app, secret=secret, port=port)
        with _served(guard, listener, feed):
            on_ready(f"http://{HOST}:{port}/{secret}/")
            follow(source, feed, wait=asked.wait, monotonic=monotonic, until_closed=until_closed)


def follow(
    source: PageSource,
    feed: Feed,
    *,
    wait: Callable[[float], bool],
    monotonic: Callable[[], float],
    until_closed: bool,
) -> None:
    """Post each change until `wait` says that it was asked to stop.

    With `until_closed` it also returns 30 seconds after the run was seen to go on or a page was open.
    """
    alone_since = monotonic()
    while not wait(LOOK_S):
        change = source.look()
        if change is not None and change.is_reload:
            feed.reload()
        elif change is not None:
            feed.post(json.dumps({"head": change.head, "takes": change.takes}, separators=(",", ":")))
        if feed.pages or source.goes_on:
            alone_since = monotonic()
        elif until_closed and monotonic() - alone_since >= ALONE_S:
            return


def _listening(port: int) -> socket.socket:
    try:
        listener = bound(port)
        # From now on a browser may connect: it waits until the server answers.
        listener.listen()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"port {port} cannot be used: {error}", advice="name another port, or 0 for any"
        ) from error
    return listener


@contextmanager
def _served(app: ASGIApp, listener: socket.socket, feed: Feed) -> Iterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],), name="page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        feed.close()
        server.should_exit = True
        thread.join(_PATIENCE_S)
