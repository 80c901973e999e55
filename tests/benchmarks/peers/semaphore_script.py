"""The script most people write: asyncio, a semaphore, looks at a fixed interval, one CSV at the end.

usage: semaphore_script.py {httpx|aiohttp} BASE MANIFEST.csv CAP POLL_SECONDS OUT.csv

It keeps no state, cannot resume, checks nothing before it pays, retries nothing and downloads nothing.
"""

from __future__ import annotations

import asyncio
import csv
import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

Call: TypeAlias = Callable[[str, str, dict[str, Any] | None], Awaitable[dict[str, Any]]]
ENDED = {"completed", "failed", "cancelled"}


def with_httpx(base: str, headers: dict[str, str]) -> tuple[Call, Callable[[], Awaitable[None]]]:
    """Return a call and a close on one httpx client with no limit on connections."""
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(base_url=base, headers=headers, timeout=30, limits=limits)

    async def call(method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = (await client.request(method, path, json=body)).json()
        return answer

    return call, client.aclose


def with_aiohttp(base: str, headers: dict[str, str]) -> tuple[Call, Callable[[], Awaitable[None]]]:
    """Return the same on aiohttp."""
    # By name, so that neither the project nor its type check needs the package.
    aiohttp = importlib.import_module("aiohttp")
    client = aiohttp.ClientSession(base_url=base, headers=headers, connector=aiohttp.TCPConnector(limit=0))

    async def call(method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        async with client.request(method, path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    return call, client.close


def typed(row: dict[str, str]) -> dict[str, Any]:
    """Return a row's request body."""
    inputs: dict[str, Any] = {name: text for name, text in row.items() if name not in {"id", "model"}}
    return {**inputs, "seed": int(row["seed"]), "duration": int(row["duration"])}


async def one(row: dict[str, str], call: Call, poll: float) -> tuple[str, str, str]:
    """Bring one row from its submit to its link."""
    request_id = (await call("POST", f"/v1/models/{row['model']}", typed(row)))["request_id"]
    while True:
        await asyncio.sleep(poll)
        status = (await call("GET", f"/v1/requests/{request_id}/status", None))["status"]
        if status in ENDED:
            break
    result = await call("GET", f"/v1/requests/{request_id}/result", None)
    return row["id"], request_id, result.get("output", {}).get("video", "")


async def run(kind: str, base: str, manifest: Path, cap: int, poll: float) -> list[tuple[str, str, str]]:
    """Return id, request id and link of every row."""
    headers = {"Authorization": f"Bearer {os.environ['RUNCOMFY_TOKEN']}"}
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    call, close = (with_httpx if kind == "httpx" else with_aiohttp)(base, headers)
    gate = asyncio.Semaphore(cap)

    async def gated(row: dict[str, str]) -> tuple[str, str, str]:
        async with gate:
            return await one(row, call, poll)

    try:
        return await asyncio.gather(*(gated(row) for row in rows))
    finally:
        await close()


def main() -> None:
    """Run the script and write its CSV."""
    kind, base, manifest, cap, poll, out = sys.argv[1:]
    rows = asyncio.run(run(kind, base, Path(manifest), int(cap), float(poll)))
    with Path(out).open("w", newline="") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
