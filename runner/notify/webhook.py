"""A webhook: the notice as a JSON POST to an address of the user, which is a secret beyond its host.

It goes to https, or to http on this machine. It carries no token and follows no redirect. A proxy
only opens a tunnel for it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from runner.domain.errors import UsageError
from runner.domain.notify_places import shown_place
from runner.notify.notice import Notice
from runner.notify.ports import NotSent
from runner.system.backoff import Backoff, Chance
from runner.system.hosts import host_fault, is_loopback
from runner.system.httpx_proxy import httpx_proxy
from runner.system.proxies import DIRECT, ProxyRules
from runner.system.tls import context_for

LIMIT_S = 10.0
TRIES = 3
_BACKOFF = Backoff(base=2.0, cap=8.0)
_HEADERS = {"User-Agent": "shotrunner", "Content-Type": "application/json", "Connection": "close"}
_PASSING = frozenset({408, 425, 429})


class Webhook:
    """Sends notices to one address; `rest` waits between tries, in seconds."""

    absence = ""

    def __init__(
        self,
        address: str,
        *,
        rest: Callable[[float], None] = time.sleep,
        chance: Chance = random.random,
        proxies: ProxyRules = DIRECT,
    ) -> None:
        """Check the address.

        Raises:
            UsageError: nothing can be posted there; the message shows no more than the host.
        """
        self.name = shown_place(address)
        self._url = _checked(address, self.name)
        self._proxy = httpx_proxy(proxies.of(str(self._url)))
        self._rest = rest
        self._chance = chance

    def send(self, notice: Notice) -> None:
        """Post it; an answer that says that another try may help is followed by up to two more."""
        body = notice.to_json().encode()
        for failures in range(1, TRIES + 1):
            reason, may_pass = asyncio.run(self._post(body))
            if not reason:
                return
            if not may_pass:
                break
            if failures < TRIES:
                self._rest(_BACKOFF.delay(failures, chance=self._chance()))
        raise NotSent(reason)

    async def _post(self, body: bytes) -> tuple[str, bool]:
        """Return why the notice was not taken, empty if it was, and whether another try may help."""
        request = httpx.Request("POST", self._url, headers=_HEADERS, content=body)
        trust = context_for(str(self._url))
        try:
            async with (
                asyncio.timeout(LIMIT_S),
                # The bare transport knows no redirect, no cookie and no netrc, and it logs no address.
                httpx.AsyncHTTPTransport(verify=trust, trust_env=False, proxy=self._proxy) as transport,
            ):
                response = await transport.handle_async_request(request)
                await response.aclose()
        except TimeoutError:
            return f"no answer within {LIMIT_S:.0f} s", True
        except httpx.HTTPError as error:
            # Its message may quote the address.
            return f"no connection ({type(error).__name__})", True
        status = response.status_code
        if 200 <= status < 300:
            return "", False
        more = "; redirects are not followed" if 300 <= status < 400 else ""
        return f"HTTP {status}{more}", status >= 500 or status in _PASSING


def _checked(address: str, name: str) -> httpx.URL:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
        url = httpx.URL(address)
    except (ValueError, httpx.InvalidURL) as error:
        raise UsageError(f"--notify: {name} is not a usable address") from error
    if fault := host_fault(host):
        raise UsageError(f"--notify: {name} is not a usable address: {fault}")
    if parts.scheme.lower() == "http" and not is_loopback(host):
        raise UsageError(f"--notify: {name} is plain http", advice=f"use https://{host}/…")
    if "@" in parts.netloc:
        raise UsageError(
            f"--notify: the address at {host} holds a login, which would not be sent",
            advice="use a cmd: that sends it, or an address of apprise (json://, jsons://)",
        )
    return url
