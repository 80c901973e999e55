"""Proves at start-up, against a loopback listener, that the trace hook really holds the paid bytes back.

An HTTP library does not promise to keep its event names, so a run that relies on one checks it first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from runner.api.account import Secret
from runner.api.exchange import Answer
from runner.api.progress import Deadlines
from runner.api.submit_client import SubmitClient

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_QUICK = Deadlines(connect=2.0, write=2.0, read=2.0, overall=3.0)


class _Refusal(Exception):
    """The self-test's own hook raises this to see that nothing is sent."""


async def hook_holds_bytes(
    *, listen: Callable[..., Awaitable[asyncio.Server]] = asyncio.start_server
) -> bool:
    """Return whether bytes wait for the hook, and whether raising in it sends none.

    If that cannot be tried, the answer is no: then a take is recorded before anything is sent.
    """
    received = bytearray()
    try:
        server = await listen(lambda r, w: _listen(r, w, received), "127.0.0.1", 0)
    except OSError:
        return False
    # If no socket could be opened, asyncio only logs that and still starts a server.
    if not server.sockets:
        return False
    host, port = server.sockets[0].getsockname()[:2]
    client = SubmitClient(f"http://{host}:{port}", Secret("self-test"), deadlines=_QUICK)
    seen: list[int] = []

    async def refuse() -> None:
        raise _Refusal

    async def wait() -> None:
        # The listener shares this loop, so early bytes would arrive within a few turns.
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append(len(received))

    try:
        with suppress(_Refusal):
            await client.post("/", b"{}", begin=refuse)
            return False
        answer = await client.post("/", b"{}", begin=wait)
        return seen == [0] and isinstance(answer, Answer)
    finally:
        await client.aclose()
        server.close()
        await server.wait_closed()


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: bytearray) -> None:
    while chunk := await reader.read(4096):
        received += chunk
        if received.endswith(b"{}"):
            writer.write(_ANSWER)
            await writer.drain()
            break
    writer.close()
