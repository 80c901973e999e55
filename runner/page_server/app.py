"""The routes of the page: the page itself, its events, the files that it links to, and decisions that it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.domain.display import visible
from runner.domain.errors import ShotrunnerError
from runner.page_server.feed import Feed
from runner.page_server.ports import PageSource, Row

MOST_BYTES = 1 << 20
_CELLS = 6
_TYPES = MappingProxyType(
    {
        **{name: f"image/{name}" for name in ("png", "webp", "gif", "avif", "bmp")},
        **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
        **{name: f"video/{name}" for name in ("mp4", "webm")},
        **dict.fromkeys(("mov", "qt"), "video/quicktime"),
        **{name: f"audio/{name}" for name in ("wav", "aac", "flac", "ogg", "opus")},
        "mp3": "audio/mpeg",
        "m4a": "audio/mp4",
        "json": "application/json",
    }
)
"""What a browser may show, by the extension; all else it may only save. A clip is a stranger's file."""


class _Refused(Exception):
    """A request that is answered with a status and words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Routes:
    """Answers requests that the guard has let through."""

    def __init__(self, source: PageSource, feed: Feed) -> None:
        self._source, self._feed = source, feed
        self._made, self._page = -1, b""
        self._making = asyncio.Lock()

    @property
    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/events", self.events),
                Route("/picks", self.save, methods=["POST"]),
                Route("/report-data/{name}", self.data),
                Route("/{name:path}", self.file),
            ]
        )

    async def page(self, _: Request) -> Response:
        """Return the page; many tabs that load it again at once share one."""
        async with self._making:
            # The number comes first: what is recorded meanwhile is sent as a change too.
            number = self._feed.newest
            if number != self._made:
                try:
                    self._page = await run_in_threadpool(self._source.page, after=number)
                except ShotrunnerError as error:
                    return PlainTextResponse(f"{visible(error.message)}\n", 503)
                self._made = number
            return Response(self._page, media_type="text/html")

    async def events(self, request: Request) -> Response:
        """Return what changes from now on; a browser that connects again says where it was."""
        seen = request.headers.get("last-event-id") or request.query_params.get("after", "")
        # What is not a number of this feed leads to a reload.
        number = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 16 else -1
        return StreamingResponse(self._feed.stream(number), media_type="text/event-stream")

    async def data(self, request: Request) -> Response:
        """Return data of a page that does not hold all of its takes."""
        try:
            data = await run_in_threadpool(self._source.data, request.path_params["name"])
        except ShotrunnerError as error:
            return PlainTextResponse(f"{visible(error.message)}\n", 503)
        if data is None:
            return PlainTextResponse("Not Found\n", 404)
        return Response(data, media_type="text/javascript")

    async def file(self, request: Request) -> Response:
        """Return a clip, its sidecar or a preview, or a part of it."""
        name: str = request.path_params["name"]
        path = await run_in_threadpool(self._source.file, name)
        if path is None:
            return PlainTextResponse("Not Found\n", 404)
        kind = _TYPES.get(PurePath(name).suffix[1:].lower(), "application/octet-stream")
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "private, no-cache"})

    async def save(self, request: Request) -> Response:
        """Keep the decisions that a page sent."""
        try:
            rows = _rows(await _body(request))
            return JSONResponse({"saved": await run_in_threadpool(self._source.save, rows)})
        except _Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status)
        except ShotrunnerError as error:
            return JSONResponse({"error": visible(error.message)}, 409)


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "the decisions must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise _Refused(413, f"the decisions are larger than {MOST_BYTES} bytes")
    return bytes(body)


def _rows(body: bytes) -> Sequence[Row]:
    try:
        rows = json.loads(body)["rows"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _Refused(400, 'the decisions must be a JSON object with "rows"') from error
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise _Refused(422, "each row must be six texts: shot, take, decision, note, who, when")
    return cast("Sequence[Row]", [tuple(row) for row in rows])


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == _CELLS and all(isinstance(cell, str) for cell in row)
